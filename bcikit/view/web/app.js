"use strict";
// The page of the cursor demo. The loop runs elsewhere; this draws what it tells, and hands on what is pressed.

const $ = (id) => document.getElementById(id);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const C = Object.fromEntries(["line", "text", "dim", "hot", "cool", "good", "bad"].map((n) => [n, colour(n)]));
const EDGE = 0.5, RASTER_S = 3, TRACE_S = 5, BIN_S = 0.02, AHEAD_S = 0.04;

let frame = null, came = 0, facts = null, flash = null, socket = null, wait = 250, running = false, held = false, driving = false;
let rate = null;                       // running mean of counts, a channel each
const trace = [], raster = [], history = [];

// -- the connection: comes back by itself

function connect() {
  socket = new WebSocket(`ws://${location.host}/live`);
  socket.onopen = () => { wait = 250; $("link").className = ""; if (driving) say("drive"); };
  socket.onmessage = (e) => heard(JSON.parse(e.data));
  socket.onclose = () => { $("link").className = "off"; setTimeout(connect, wait); wait = Math.min(wait * 2, 4000); };
}

function send(what) { if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(what)); }
const say = (what) => send({ do: what });

function heard(f) {
  if (f.state) return over(f);
  if (!running) { running = true; history.length = trace.length = raster.length = 0; rate = null; $("note").textContent = ""; buttons(); }
  frame = f; came = performance.now();
  if (f.held !== held) { held = f.held; buttons(); }
  if (f.hit || f.wrong) flash = { at: came, good: f.hit, where: f.cursor };
  trace.push([f.decoded[0], f.push[0], f.decoded[1], f.push[1]]);
  if (trace.length > TRACE_S / BIN_S) trace.shift();
  const n = f.counts.length;
  if (!rate || rate.length !== n) rate = new Float32Array(n);
  for (let i = 0; i < n; i++) rate[i] += 0.04 * ((f.counts.charCodeAt(i) - 48) / BIN_S - rate[i]);
  raster.push(f.counts);
  if (raster.length > RASTER_S / BIN_S) raster.shift();
  if (f.facts) told(f.facts);
  const words = { watch: "calibrating: watching", calibrate: "calibrating: steering", use: driving ? "you drive" : "steering" };
  $("phase").textContent = (held ? "paused · " : "") + words[f.phase];
}

function told(f) {
  facts = f;
  history.push(f.bits_now);
  if (history.length > 600) history.shift();
  const text = { bits: f.bits_now.toFixed(2), mean: f.bits.toFixed(2), correct: f.correct, wrong: f.wrong, day: f.day,
    dead: f.dead.length, channels: `${f.channels} channels, seed ${f.seed}`, parameters: f.parameters,
    late: f.p50 === null ? "" : `p50 ${f.p50.toFixed(2)}, p99 ${f.p99.toFixed(1)}`, array: "0 to 40 Hz" };
  for (const [id, t] of Object.entries(text)) $(id).textContent = t;
}

function over(f) {
  running = false;
  $("phase").textContent = f.state;
  $("note").textContent = f.note || "";
  buttons();
}

// -- buttons

function buttons() {
  $("stop").textContent = running ? "Stop" : "Start";
  $("stop").classList.toggle("stop", running);
  $("pause").textContent = held && running ? "Go on" : "Pause";
  for (const id of ["pause", "recalibrate", "night", "shock", "drive"]) $(id).disabled = !running;
}
$("stop").onclick = () => { say(running ? "stop" : "start"); };
$("pause").onclick = () => say(held ? "go" : "pause");
for (const id of ["recalibrate", "night", "shock"]) $(id).onclick = () => say(id);
$("drive").onclick = () => {
  driving = !driving;
  $("drive").setAttribute("aria-pressed", driving);
  say(driving ? "drive" : "person");
};
addEventListener("keydown", (e) => { if (e.key === "Escape" && running) say("stop"); });

let mouse = null;
const canvas = $("task");
canvas.onpointermove = canvas.onpointerdown = canvas.onpointerup = (e) => {
  const box = canvas.getBoundingClientRect();
  mouse = [(e.clientX - box.left) / box.width - EDGE, EDGE - (e.clientY - box.top) / box.height, e.buttons > 0];
};
setInterval(() => { if (driving && mouse) send({ hand: mouse }); }, 20);

// -- drawing, as often as the screen is drawn

function sized(c) {
  const k = devicePixelRatio || 1, w = Math.round(c.clientWidth * k), h = Math.round(c.clientHeight * k);
  if (c.width !== w || c.height !== h) { c.width = w; c.height = h; }
  const g = c.getContext("2d");
  g.setTransform(k, 0, 0, k, 0, 0);
  g.clearRect(0, 0, w, h);
  return [g, w / k, h / k];
}

function drawTask(now) {
  const [g, w, h] = sized(canvas), side = facts ? facts.side : 6;
  const at = ([x, y]) => [(x + EDGE) * w, (EDGE - y) * h];
  g.strokeStyle = C.line; g.lineWidth = 1; g.beginPath();
  for (let i = 1; i < side; i++) { g.moveTo(i * w / side, 0); g.lineTo(i * w / side, h); g.moveTo(0, i * h / side); g.lineTo(w, i * h / side); }
  g.stroke();
  if (!frame) return;
  const [tx, ty] = at(frame.target), r = frame.size * w;
  g.fillStyle = "#24506b"; g.strokeStyle = C.cool; g.lineWidth = 2;
  g.fillRect(tx - r + 2, ty - r + 2, 2 * r - 4, 2 * r - 4);
  g.strokeRect(tx - r + 2, ty - r + 2, 2 * r - 4, 2 * r - 4);
  if (flash && now - flash.at < 400) {
    const [x, y] = at(flash.where), a = 1 - (now - flash.at) / 400;
    g.globalAlpha = a; g.strokeStyle = flash.good ? C.good : C.bad; g.lineWidth = 4;
    g.beginPath(); g.arc(x, y, 14 + 30 * (1 - a), 0, 7); g.stroke(); g.globalAlpha = 1;
  }
  const ahead = running ? Math.min((now - came) / 1000, AHEAD_S) : 0;   // between two frames it goes on as it went
  const [x, y] = at([frame.cursor[0] + frame.velocity[0] * ahead, frame.cursor[1] + frame.velocity[1] * ahead]);
  g.strokeStyle = C.cool; g.lineWidth = 2; g.beginPath(); g.moveTo(x, y); g.lineTo(x + frame.push[0] * 40, y - frame.push[1] * 40); g.stroke();
  g.fillStyle = held || !running ? C.dim : C.hot; g.beginPath(); g.arc(x, y, 9, 0, 7); g.fill();
}

function lines(id, list, top, colours, low = -top) {
  const [g, w, h] = sized($(id));
  const y = (v) => h - 3 - (v - low) / (top - low) * (h - 6);
  g.strokeStyle = C.line; g.beginPath(); g.moveTo(0, y(0)); g.lineTo(w, y(0)); g.stroke();
  colours.forEach(([k, c], j) => {
    g.strokeStyle = c; g.lineWidth = 1.5; g.beginPath();
    list.forEach((v, i) => g.lineTo(i / Math.max(list.length - 1, 1) * w, y(Math.max(low, Math.min(top, k === null ? v : v[k])))));
    g.stroke();
  });
  return [g, w, h, y];
}

function drawHistory() {
  const top = Math.max(4, ...history) * 1.15;
  const [g, w, h, y] = lines("history", history, top, [[null, C.good]], 0);
  g.fillStyle = C.dim; g.font = "11px system-ui"; g.fillText(top.toFixed(0), 2, 10);
}

function drawAgainst() {
  const list = trace.map(([a, b, c, d]) => [a / 2 + 1, b / 2 + 1, c / 2 - 1, d / 2 - 1]);
  const [g, w, h] = lines("against", list, 2, [[1, C.cool], [3, C.cool], [0, C.hot], [2, C.hot]]);
  g.fillStyle = C.dim; g.font = "11px system-ui"; g.fillText("x", 2, 12); g.fillText("y", 2, h / 2 + 12);
}

function drawMap() {
  const [g, w, h] = sized($("map"));
  if (!rate) return;
  const n = rate.length, columns = Math.ceil(Math.sqrt(n)), rows = Math.ceil(n / columns);
  const cell = Math.min(w / columns, h / rows), left = (w - cell * columns) / 2, dead = new Set(facts ? facts.dead : []);
  for (let i = 0; i < n; i++) {
    const v = Math.min(rate[i] / 40, 1);
    g.fillStyle = dead.has(i) ? "#3a1216" : `hsl(${210 - 175 * v} ${40 + 50 * v}% ${8 + 58 * v}%)`;
    g.fillRect(left + (i % columns) * cell, Math.floor(i / columns) * cell, Math.max(cell - 0.5, 0.5), Math.max(cell - 0.5, 0.5));
  }
}

function drawRaster() {
  const [g, w, h] = sized($("raster"));
  if (!raster.length) return;
  const n = raster[raster.length - 1].length, rows = Math.min(Math.floor(h / 3), n), every = Math.ceil(n / rows);
  const step = w / (RASTER_S / BIN_S), high = h / Math.ceil(n / every);
  $("every").textContent = every === 1 ? "channel" : `${every}th channel`;
  g.fillStyle = C.text;
  raster.forEach((counts, t) => {
    for (let i = 0, row = 0; i < counts.length; i += every, row++) {
      const k = counts.charCodeAt(i) - 48;
      if (k) { g.globalAlpha = Math.min(0.35 + 0.25 * k, 1); g.fillRect(t * step, row * high, Math.max(step - 0.3, 0.7), Math.max(high - 1, 1)); }
    }
  });
  g.globalAlpha = 1;
}

function drawLatency() {
  const [g, w, h] = sized($("latency"));
  if (!facts) return;
  const top = Math.max(...facts.latency, 1), n = facts.latency.length, bar = w / n;
  g.font = "10px system-ui"; g.textAlign = "center";
  facts.latency.forEach((v, i) => {
    const high = v ? Math.max(v / top * (h - 18), 1) : 0;
    g.fillStyle = i < n - 3 ? C.cool : C.bad;
    g.fillRect(i * bar + 1, h - 14 - high, bar - 2, high);
    g.fillStyle = C.dim;
    g.fillText(i < n - 1 ? `< ${facts.edges[i]}` : "more", i * bar + bar / 2, h - 3);
  });
}

let slow = 0;
function draw(now) {
  drawTask(now);
  if (slow++ % 3 === 0) { drawAgainst(); drawRaster(); }
  if (slow % 12 === 0) { drawMap(); drawHistory(); drawLatency(); }
  requestAnimationFrame(draw);
}

buttons();
connect();
requestAnimationFrame(draw);

"use strict";
// The page: the loop runs elsewhere; this shows what it tells, and hands on what is pressed.

let frame = null, came = 0, facts = null, flash = null, socket = null, wait = 250, running = false, held = false, driving = false;
let rate = null;                       // running mean of counts, a channel each
const trace = [], raster = [], history_ = [];

// -- the connection: comes back by itself

function connect() {
  socket = new WebSocket(`ws://${location.host}/live`);
  socket.onopen = () => { wait = 250; $("link").className = ""; if (driving) say("drive"); };
  socket.onmessage = (e) => heard(JSON.parse(e.data));
  socket.onclose = () => { $("link").className = "off"; $("phase").textContent = "no connection"; setTimeout(connect, wait); wait = Math.min(wait * 2, 4000); };
}

function send(what) { if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(what)); }
const say = (what) => send({ do: what });

function keep(list, item, most) { list.push(item); if (list.length > most) list.shift(); }

function heard(f) {
  if (f.state) return over(f);
  if (!running) {
    running = true; rate = null; $("note").textContent = "";
    history_.length = trace.length = raster.length = trail.length = 0;
    document.body.classList.toggle("effector", !!f.drawing);
    document.body.classList.toggle("moved", !!f.orders);
    document.body.classList.toggle("brain", !!f.counts);
    document.body.classList.toggle("scalp", !!f.eeg);
    zoom = null;
    scalp.length = marks.length = chances.length = 0;
    buttons();
  }
  frame = f; came = performance.now();
  if (f.held !== held) { held = f.held; buttons(); if (facts && !f.drawing && !f.facts) toldCursor(facts); }
  if (f.hit || f.wrong) flash = { at: came, good: f.hit, where: f.cursor };
  if (f.cursor) keep(trail, f.cursor, TRAIL);
  if (f.eeg) heardEeg(f);
  if (f.push.length) keep(trace, [f.decoded, f.push], TRACE_S / BIN_S);
  const n = f.counts.length;
  if (n && (!rate || rate.length !== n)) rate = new Float32Array(n);
  for (let i = 0; i < n; i++) rate[i] += 0.04 * ((f.counts.charCodeAt(i) - 48) / BIN_S - rate[i]);
  if (n) keep(raster, f.counts, RASTER_S / BIN_S);
  if (f.facts) (f.eeg ? toldEeg : f.drawing ? toldEffector : toldCursor)(facts = f.facts);
  const stage = f.done < 1;
  $("progress").hidden = !stage;
  if (stage) {
    $("progress").firstChild.style.width = `${100 * f.done}%`;
    $("progress").lastChild.textContent = `calibrating${f.eeg ? "" : `: the person ${f.phase === "watch" ? "watches" : "steers"}`}, ${Math.round(100 * f.done)} %`;
  }
  $("phase").textContent = held ? "paused" : stage ? "calibrating" : driving ? "you drive" : "running";
}

function toldCursor(f) {
  const used = f.now !== null, unit = f.choices ? "bits per second" : "targets per minute", short = (ms) => ms.toFixed(ms < 10 ? 1 : 0);
  if (used) keep(history_, { bits: f.now, day: f.day }, 600);
  $("hero-name").textContent = `${unit}, last 30 s`;
  $("bits").textContent = used ? f.now.toFixed(f.choices ? 2 : 0) : "–";
  $("of").textContent = f.ceiling ? `of ${f.ceiling.toFixed(2)} possible` : "";
  $("late").textContent = f.p50 === null ? "" : `median ${short(f.p50)}, 99 % ${short(f.p99)}`;
  $("parameters").textContent = `parameters ${f.parameters}`;
  $("target").textContent = `target: a ${f.stay_s ? `stay of ${f.stay_s} s` : "decoded click"} selects it`;
  $("about").textContent = `A simulated person steers a cursor by thought: ${f.channels.toLocaleString("en")} electrodes${f.raw ? " at 30 kHz" : ""}, decoded fifty times a second`;
  document.body.classList.toggle("raw", f.raw);
  const lost = f.dead.length;
  tell([
    ["targets", used ? `${f.correct} hit, ${f.wrong} wrong` : "not counted yet"],
    [f.day ? "today" : "so far", !used ? "–" : f.choices ? `${f.bits.toFixed(2)} bits/s` : `throughput ${(f.throughput || 0).toFixed(2)} bits/s`],
    ["decoder", f.decoder + (f.days ? ", day by day" : "")],
    ["day", f.days ? `${f.day} of ${f.days}` : f.day],
    f.raw ? ["features", f.features] : ["silent channels", `${lost} of ${f.channels.toLocaleString("en")}`, lost > f.channels / 5 ? "bad" : ""],
    ["safety", ...(f.board !== "streaming" ? [`stands still: data ${f.board}`, "bad"] : held ? ["held still", "bad"] : ["free to move", "good"])],
    f.recording ? ["recording", "to XDF", "good"] : ["seed", f.seed],
  ]);
}

function toldEffector(f) {
  $("hero-name").textContent = f.scenario ? "trials that succeeded" : "times through its simulated commands";
  $("bits").textContent = !f.count ? "–" : f.scenario ? `${f.good}/${f.count}` : f.count;
  $("of").textContent = f.trials.length && !f.trials[f.trials.length - 1][0] ? f.trials[f.trials.length - 1][2] : "";
  $("about").textContent = f.about;
  const safe = frame.cause === "none";
  tell([
    ...(frame.orders ? [["supervisor", safe ? "lets it move" : `holds: ${frame.cause}`, safe ? "good" : "bad"]] : [["supervisor", "none: nothing that moves"]]),
    ...(frame.felt || []).map(([name, unit, value]) => [name.replaceAll("_", " "), `${plain(value)} ${unit === "1" ? "" : unit}`]),
    ["trial", f.count + 1], ["seed", f.seed],
  ]);
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
$("stop").onclick = () => say(running ? "stop" : "start");
$("pause").onclick = () => say(held ? "go" : "pause");
for (const id of ["recalibrate", "night", "shock"]) $(id).onclick = () => say(id);
$("drive").onclick = () => {
  driving = !driving; mouse = null;
  document.body.classList.toggle("driving", driving);
  $("drive").setAttribute("aria-pressed", driving);
  say(driving ? "drive" : "person");
};
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
addEventListener("keydown", (e) => {
  if (e.key === "Escape" && running) say("stop");
  if (!driving || !ARROWS[e.key]) return;
  e.preventDefault();
  mouse = (mouse || [0, 0, false]).map((v, i) => i < 2 ? Math.max(-EDGE, Math.min(EDGE, v + ARROW_STEP * ARROWS[e.key][i])) : v);
});

let mouse = null;                      // where the hand is, in widths from the middle, and whether it presses
canvas.onpointermove = canvas.onpointerdown = canvas.onpointerup = (e) => {
  const box = canvas.getBoundingClientRect();
  mouse = [(e.clientX - box.left) / box.width - EDGE, EDGE - (e.clientY - box.top) / box.height, e.buttons > 0];
  if (e.buttons && !driving && e.type === "pointermove") { view.turn -= e.movementX / 200; view.tilt += e.movementY / 200; }
};
setInterval(() => { if (driving && mouse) send({ hand: mouse }); }, 20);

// -- drawing, as often as the screen is drawn

let drawn = 0;
function draw(now) {
  if (frame && frame.drawing) drawScene(frame.drawing);
  else drawTask(frame, facts, flash && { ...flash, age: now - flash.at }, now - came, held || !running);
  if (driving && mouse) drawHand(mouse);
  if (drawn++ % 3 === 0 && frame) {
    if (trace.length) drawAgainst(trace, frame.names || ["x", "y"]);
    if (frame.counts) drawRaster(raster);
    if (frame.rate) { drawEeg(frame.names, frame.rate); drawChances(frame.wanted); }
    if (frame.orders) drawOrders(frame.orders);
  }
  if (drawn % 12 === 0 && facts) {
    if (rate) drawMap(rate, facts.dead || []);
    if (facts.trials) drawOutcomes(facts.trials);
    else { drawHistory(history_, facts.ceiling); drawLatency(facts.latency, facts.edges); }
  }
  requestAnimationFrame(draw);
}

buttons();
connect();
requestAnimationFrame(draw);

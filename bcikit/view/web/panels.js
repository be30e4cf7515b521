"use strict";
// What stands beside the picture: each function draws one panel from what it is given.

const $ = (id) => document.getElementById(id);
const RASTER_S = 3, TRACE_S = 5, BIN_S = 0.02, FACTS_S = 0.5, TOP_HZ = 40, FONT = "11px Inter, system-ui, sans-serif";
const NAMES = ["back", "panel", "line", "text", "dim", "hot", "cool", "good", "bad", "goal", "body", "thing", "warm", "place", "limit"];
const C = {};
function colours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of NAMES) C[name] = style.getPropertyValue("--" + name).trim();
}
colours();
matchMedia("(prefers-color-scheme: light)").addEventListener("change", colours);

function sized(c) {
  const k = devicePixelRatio || 1, w = Math.round(c.clientWidth * k), h = Math.round(c.clientHeight * k);
  if (c.width !== w || c.height !== h) { c.width = w; c.height = h; }
  const g = c.getContext("2d");
  g.setTransform(k, 0, 0, k, 0, 0);
  g.clearRect(0, 0, w, h);
  g.font = FONT;
  return [g, w / k, h / k];
}

function stroke(g, points, colour, width = 1.5) {
  g.strokeStyle = colour; g.lineWidth = width; g.beginPath();
  for (const [x, y] of points) g.lineTo(x, y);
  g.stroke();
}

// bits a second over time, with the ceiling of this person and the nights; list: {bits, day}
function drawHistory(list, ceiling) {
  const [g, w, h] = sized($("history"));
  const top = Math.max(4, ceiling || 0, ...list.map((v) => v.bits)) * 1.12, left = 22, right = w - 4;
  const x = (i) => left + i / Math.max(list.length - 1, 59) * (right - left), y = (v) => h - 17 - v / top * (h - 24);
  g.fillStyle = C.dim; g.textAlign = "right"; g.textBaseline = "middle";
  for (let v = 0; v <= top; v += top > 24 ? 10 : top > 9 ? 4 : 2) { stroke(g, [[left, y(v)], [right, y(v)]], C.line, 1); g.fillText(v, left - 6, y(v)); }
  if (ceiling) {
    g.setLineDash([5, 4]); stroke(g, [[left, y(ceiling)], [right, y(ceiling)]], C.dim, 1.2); g.setLineDash([]);
    g.fillText("ceiling of this person", right, y(ceiling) + 9);
  }
  const span = Math.max(list.length - 1, 59) * FACTS_S;
  g.textAlign = "center"; g.fillText(span < 60 ? `← ${Math.round(span)} s →` : `← ${(span / 60).toFixed(1)} min →`, (left + right) / 2, h - 5);
  g.textAlign = "left";
  list.forEach((v, i) => {
    if (!i || v.day === list[i - 1].day) return;
    stroke(g, [[x(i), 2], [x(i), h - 17]], C.hot, 1); g.fillStyle = C.hot; if (x(i) < right - 36) g.fillText(`day ${v.day}`, x(i) + 3, h - 25);
  });
  stroke(g, list.map((v, i) => [x(i), y(v.bits)]), C.good, 2);
}

// one bar a trial: as high as it was long; list: [success, seconds, why]
function drawOutcomes(list) {
  const [g, w, h] = sized($("history")), top = Math.max(10, ...list.map((t) => t[1]));
  const bar = Math.min((w - 4) / Math.max(list.length, 10), 40);
  g.textAlign = "center"; g.fillStyle = C.dim;
  if (!list.length) g.fillText("the first is under way", w / 2, h / 2);
  list.forEach(([good, seconds], i) => {
    const high = seconds / top * (h - 20);
    g.fillStyle = good ? C.good : C.bad; g.fillRect(i * bar + 2, h - 16 - high, bar - 4, high);
    if (bar > 26) { g.fillStyle = C.dim; g.fillText(`${seconds.toFixed(0)} s`, i * bar + bar / 2, h - 4); }
  });
}

// decoded against intended; list: [decoded values, intended values], a row a value
function drawAgainst(list, names) {
  const [g, w, h] = sized($("against")), n = names.length, high = h / n, left = 8 + 6 * Math.max(...names.map((s) => s.length));
  names.forEach((name, j) => {
    const y = (v) => high * (j + 0.5) - Math.max(-1.25, Math.min(1.25, v || 0)) * high * 0.38;
    stroke(g, [[left, y(0)], [w, y(0)]], C.line, 1);
    [[1, C.cool], [0, C.hot]].forEach(([k, colour]) => stroke(g, list.map((v, i) => [left + i / (TRACE_S / BIN_S - 1) * (w - left), y(v[k][j])]), colour));
    g.fillStyle = C.dim; g.textBaseline = "middle"; g.fillText(name.replaceAll("_", " "), 1, y(0));
  });
}

const RAMP = [[16, 20, 42], [70, 32, 111], [168, 50, 124], [240, 100, 90], [254, 208, 142]];
const SHADES = Array.from({ length: 65 }, (_, i) => {
  const at = i / 64 * (RAMP.length - 1), k = Math.min(Math.floor(at), RAMP.length - 2);
  return `rgb(${RAMP[k].map((v, c) => Math.round(v + (at - k) * (RAMP[k + 1][c] - v)))})`;
});

function drawMap(rate, dead) {
  const [g, w, h] = sized($("map")), n = rate.length, gone = new Set(dead);
  const columns = Math.ceil(Math.sqrt(n * Math.max(1, Math.min(w / h, 2)))), rows = Math.ceil(n / columns);
  const cell = Math.min(w / columns, h / rows), left = (w - cell * columns) / 2, gap = cell > 5 ? 1 : 0.4;
  for (let i = 0; i < n; i++) {
    const x = left + (i % columns) * cell, y = Math.floor(i / columns) * cell;
    if (gone.has(i)) { g.strokeStyle = C.bad; g.lineWidth = 1; g.strokeRect(x + 1, y + 1, cell - gap - 1.5, cell - gap - 1.5); continue; }
    g.fillStyle = SHADES[Math.round(Math.min(rate[i] / TOP_HZ, 1) * 64)];
    g.fillRect(x, y, cell - gap, cell - gap);
  }
}

function drawRaster(list) {
  const [g, w, h] = sized($("raster"));
  if (!list.length) return;
  const n = list[list.length - 1].length, rows = Math.min(Math.floor(h / 3), n), every = Math.ceil(n / rows);
  const step = w / (RASTER_S / BIN_S), high = h / Math.ceil(n / every), nth = every % 10 === 3 ? "rd" : every % 10 === 2 ? "nd" : "th";
  $("every").textContent = every === 1 ? "channel" : `${every}${every > 10 && every < 14 ? "th" : nth} channel`;
  g.fillStyle = C.text;
  list.forEach((counts, t) => {
    for (let i = 0, row = 0; i < counts.length; i += every, row++) {
      const k = counts.charCodeAt(i) - 48;
      if (k) { g.globalAlpha = Math.min(0.3 + 0.25 * k, 1); g.fillRect(t * step, row * high, Math.max(step - 0.3, 0.7), Math.max(high - 1, 1)); }
    }
  });
  g.globalAlpha = 1;
}

function drawLatency(counts, edges) {
  const [g, w, h] = sized($("latency")), top = Math.max(...counts, 1), n = counts.length, bar = w / n;
  g.textAlign = "center";
  counts.forEach((v, i) => {
    const high = v ? Math.max(v / top * (h - 18), 1) : 0;
    g.fillStyle = i < n - 3 ? C.cool : C.bad;
    g.fillRect(i * bar + 1, h - 15 - high, bar - 2, high);
    g.fillStyle = C.dim;
    if (i < n - 1) g.fillText(edges[i], (i + 1) * bar, h - 3);
  });
}

const plain = (v) => v.toFixed(2).replace(/^-(?=0\.00$)/, "");     // no minus before nothing

// each command between its bounds, and lit where it is at one; list: [name, unit, low, high, value]
function drawOrders(list) {
  const [g, w, h] = sized($("orders")), high = Math.min(h / list.length, 26), left = 74, right = w - 62;
  g.textBaseline = "middle";
  list.forEach(([name, unit, low, top, value], i) => {
    const y = high * (i + 0.5), x = (v) => left + (v - low) / (top - low) * (right - left);
    const zero = x(Math.max(low, Math.min(top, 0))), thick = Math.min(high - 4, 9);
    const limited = low < 0 ? Math.abs(value) >= 0.98 * (value < 0 ? -low : top) : false;
    g.fillStyle = C.line; g.fillRect(left, y - thick / 2, right - left, thick);
    g.fillStyle = limited ? C.bad : C.cool; g.fillRect(Math.min(zero, x(value)), y - thick / 2, Math.max(Math.abs(x(value) - zero), 1), thick);
    g.fillStyle = C.dim; g.textAlign = "left"; g.fillText(name.replaceAll("_", " "), 0, y);
    g.fillStyle = limited ? C.bad : C.text; g.textAlign = "right"; g.fillText(`${plain(value)} ${unit === "1" ? "" : unit}`, w, y);
  });
}

function tell(rows) {
  $("facts").replaceChildren(...rows.flatMap(([name, text, kind]) => {
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = name; dd.textContent = dd.title = text; dd.className = kind || "";
    return [dt, dd];
  }));
}

"use strict";
// The picture itself: the cursor's task, or an effector as it describes itself, in metres.

const EDGE = 0.5, AHEAD_S = 0.04, TRAIL = 25, ARROW_STEP = 0.04;
const calm = matchMedia("(prefers-reduced-motion: reduce)");       // then nothing flashes or trails
const canvas = $("task");
const trail = [];
let view = { turn: 0, tilt: 0 };                                  // how the eye was dragged round
let zoom = null;                                                  // so that nothing is cut off as it begins

function drawTask(frame, facts, flash, age, still) {
  const [g, w, h] = sized(canvas), side = facts ? facts.side : 6;
  const at = ([x, y]) => [(x + EDGE) * w, (EDGE - y) * h];
  for (let i = 1; i < side; i++) {
    stroke(g, [[i * w / side, 0], [i * w / side, h]], C.line, 1); stroke(g, [[0, i * h / side], [w, i * h / side]], C.line, 1);
  }
  if (!frame) return;
  const [tx, ty] = at(frame.target), r = frame.size * w - 3;
  g.fillStyle = C.goal; g.strokeStyle = C.cool; g.lineWidth = 2;
  g.beginPath(); g.roundRect(tx - r, ty - r, 2 * r, 2 * r, facts && facts.round ? r : Math.min(8, r / 3)); g.fill(); g.stroke();
  const keys = facts ? facts.keys : [];
  g.fillStyle = C.dim; g.textAlign = "center"; g.textBaseline = "middle"; g.font = `${Math.round(w / 30)}px Inter, system-ui, sans-serif`;
  keys.forEach((row, j) => [...row].forEach((key, i) => g.fillText(key === " " ? "␣" : key, (i + 0.5) * w / row.length, (j + 0.5) * h / keys.length)));
  if (flash && flash.age < 450 && !calm.matches) {
    const [x, y] = at(flash.where), a = 1 - flash.age / 450;
    g.globalAlpha = a; g.strokeStyle = flash.good ? C.good : C.bad; g.lineWidth = 4;
    g.beginPath(); g.arc(x, y, 16 + 34 * (1 - a), 0, 7); g.stroke(); g.globalAlpha = 1;
  }
  const ahead = still ? 0 : Math.min(age / 1000, AHEAD_S);         // between two frames it goes on as it went
  const [x, y] = at([frame.cursor[0] + frame.velocity[0] * ahead, frame.cursor[1] + frame.velocity[1] * ahead]);
  if (!calm.matches) trail.forEach((p, i) => { g.globalAlpha = 0.25 * (i + 1) / TRAIL; g.fillStyle = C.hot; g.beginPath(); g.arc(...at(p), 3 + 5 * i / TRAIL, 0, 7); g.fill(); });
  g.globalAlpha = 1;
  stroke(g, [[x, y], [x + frame.push[0] * 44, y - frame.push[1] * 44]], C.cool, 2.5);
  g.fillStyle = still ? C.dim : C.hot; g.beginPath(); g.arc(x, y, 10, 0, 7); g.fill();
  if (frame.stay > 0.05) { g.strokeStyle = C.text; g.lineWidth = 3; g.beginPath(); g.arc(x, y, 15, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * frame.stay); g.stroke(); }
}

// where the hand is that drives
function drawHand([hx, hy]) {
  const g = canvas.getContext("2d"), x = (hx + EDGE) * canvas.clientWidth, y = (EDGE - hy) * canvas.clientHeight;
  stroke(g, [[x - 9, y], [x + 9, y]], C.cool, 2); stroke(g, [[x, y - 9], [x, y + 9]], C.cool, 2);
}

// how much smaller everything but the surroundings must be to fit; where that is much, they lie beyond the picture anyway
function room(strokes, w, h) {
  const far = Math.max(...strokes.filter((s) => s.role !== "place").flatMap((s) => s.at.map(([x, y]) => Math.max(Math.abs(2 * x / w - 1), Math.abs(2 * y / h - 1)))));
  return far > 0.97 && far < 1.5 ? 0.97 / far : 1;
}

function drawScene(d) {
  const [g, w, h] = sized(canvas), [middle, span, turn, tilt] = d.look, k = (zoom || 1) * Math.min(w, h * 1.25) / span;
  const a = turn + view.turn, e = Math.max(-0.2, Math.min(1.5, tilt + view.tilt));
  const project = (p) => {
    const [x, y, z] = p.map((v, i) => v - middle[i]), ahead = y * Math.cos(a) - x * Math.sin(a);
    return [w / 2 + k * (x * Math.cos(a) + y * Math.sin(a)), h / 2 - k * (z * Math.cos(e) + ahead * Math.sin(e)), ahead * Math.cos(e) - z * Math.sin(e)];
  };
  const strokes = d.lines.map(([role, points, width]) => ({ role, width: width * k, at: points.map(project) }))
    .concat(d.balls.map(([role, point, radius]) => ({ role, ball: Math.max(radius * k, 1.5), at: [project(point)] })));
  if (zoom === null && (zoom = room(strokes, w, h)) < 1) return drawScene(d);
  for (const s of strokes) s.far = s.at.reduce((sum, p) => sum + p[2], 0) / s.at.length + (s.role === "place" ? 1e3 : 0);
  strokes.sort((s, t) => t.far - s.far);                           // what is far is painted first
  g.lineCap = g.lineJoin = "round";
  for (const s of strokes) {
    if (s.ball) {
      const [x, y] = s.at[0], r = s.ball;
      if (s.role === "limit" && r > 12) { g.strokeStyle = C.limit; g.setLineDash([4, 4]); g.lineWidth = 1; g.beginPath(); g.arc(x, y, r, 0, 7); g.stroke(); g.setLineDash([]); continue; }
      g.fillStyle = C[s.role]; g.beginPath(); g.arc(x, y, r, 0, 7); g.fill();
      if (r > 5) { g.strokeStyle = C.back; g.lineWidth = 1; g.stroke(); }
    } else {
      if (s.width > 4) stroke(g, s.at, C.back, s.width + 3);
      stroke(g, s.at, C[s.role], Math.max(s.width, s.role === "place" || s.role === "limit" ? 1 : 1.5));
    }
  }
  g.textAlign = "center"; g.textBaseline = "middle";
  for (const [role, point, text] of d.words) {
    const [x, y] = project(point);
    g.font = `${role === "body" ? 600 : 400} ${Math.round(Math.max(12, w / (text.length > 1 ? 38 : 24)))}px Inter, system-ui, sans-serif`;
    g.fillStyle = role === "place" ? C.dim : role === "body" ? C.text : C[role]; g.fillText(text, x, y);
  }
}

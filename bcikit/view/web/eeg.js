"use strict";
// EEG: the signal, what the decoder thinks, and what was answered.

const EEG_S = 4, EEG_UV = 50;                                     // shown at once; from one trace to the next
let scalp = [], marks = [], samples = 0, chances = [];

function heardEeg(f) {
  samples += f.eeg.length;
  for (const row of f.eeg) keep(scalp, row, EEG_S * f.rate);
  for (const [before, name] of f.marks) keep(marks, [samples - before, name], 100);
  if (f.chances) chances = f.chances;
}

function drawEeg(names, rate) {
  const [g, w, h] = sized($("eeg")), n = names.length, most = EEG_S * rate, left = 34, high = (h - 14) / n;
  const x = (i) => left + i / most * (w - left), start = samples - scalp.length;
  g.textBaseline = "middle"; g.fillStyle = C.dim;
  for (const [at, name] of marks) {
    if (at < start) continue;
    stroke(g, [[x(at - start), 0], [x(at - start), h - 14]], C.line, 1); g.fillText(name, x(at - start) + 2, h - 6);
  }
  names.forEach((name, j) => {
    const middle = scalp.reduce((sum, row) => sum + row[j], 0) / Math.max(scalp.length, 1), y0 = high * (j + 0.5);
    stroke(g, scalp.map((row, i) => [x(i), y0 - Math.max(-1, Math.min(1, (row[j] - middle) / EEG_UV)) * high]), C.cool, 1);
    g.fillStyle = C.dim; g.fillText(name, 1, y0);
  });
}

// a bar a choice, lit where it is asked for
function drawChances(wanted) {
  const [g, w, h] = sized($("chances")), high = Math.min(h / Math.max(chances.length, 1), 34), left = 52, right = w - 40;
  g.textBaseline = "middle";
  chances.forEach(([name, p], i) => {
    const y = high * (i + 0.5), thick = Math.min(high - 6, 14);
    g.fillStyle = C.line; g.fillRect(left, y - thick / 2, right - left, thick);
    g.fillStyle = name === wanted ? C.hot : C.cool; g.fillRect(left, y - thick / 2, p * (right - left), thick);
    g.fillStyle = C.dim; g.textAlign = "left"; g.fillText(name, 0, y);
    g.fillStyle = C.text; g.textAlign = "right"; g.fillText(`${Math.round(100 * p)} %`, w, y);
  });
}

function toldEeg(f) {
  if ($("choices").childElementCount !== f.choices.length) choose(f.choices);
  const last = f.trials[f.trials.length - 1], right = Math.round(f.accuracy * f.count), none = Math.round(f.unanswered * f.count);
  $("hero-name").textContent = "bits per minute, pauses counted";
  $("bits").textContent = f.count ? f.bits_per_min.toFixed(1) : "–";
  $("of").textContent = f.count ? `${right} of ${f.count} right` : "";
  $("about").textContent = `A simulated person answers by EEG of ${f.channels} electrodes: ${f.about}`;
  tell([
    ["asked → answered", last ? last[2] : "–", last && (last[0] ? "good" : "bad")],
    ["not answered in time", f.count ? `${none} of ${f.count}` : "–"],
    ["seconds an answer", f.count ? f.seconds_an_answer.toFixed(1) : "–"],
    ["decoder", f.decoder],
    ["latency, ms", f.p50 === null ? "–" : `median ${f.p50.toFixed(1)}, 99 % ${f.p99.toFixed(0)}`],
    ["safety", ...(f.board === "streaming" ? ["answers act", "good"] : [`nothing acts: data ${f.board}`, "bad"])],
    ["the person misses", `${(100 * f.lapse).toFixed(0)} %`],
    f.recording ? ["recording", "to XDF", "good"] : ["seed", f.seed],
  ]);
}

// a button a choice, which is asked next
function choose(names) {
  $("choices").replaceChildren(...names.map((name) => {
    const b = document.createElement("button");
    b.textContent = name; b.title = "Ask for this next"; b.onclick = () => say(name);
    return b;
  }));
}

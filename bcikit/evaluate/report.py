"""The scores as one HTML page with pictures that needs nothing beside it."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import FileTrouble, WrongUse
from .pictures import pictures

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #667080; --line: #d8dde3; --paper: #fbfbf9; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e6; --dim: #9aa4b2; --line: #3a4048; --paper: #16181b; --bad: #ff8a80; }
}
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem;
  margin: 3rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.7rem; line-height: 1.2; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .6rem; }
p.dim, td.dim, figcaption { color: var(--dim); } .bad { color: var(--bad); font-weight: 600; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
figure { margin: 1.2rem 0; } img { max-width: 100%; border-radius: 6px; }
.row { display: flex; flex-wrap: wrap; gap: 0 2.2rem; align-items: flex-start; } .row figure { flex: 1 1 16rem; }
.card { flex: 0 1 17rem; border-left: 3px solid #2f6f9f; padding: .1rem 0 .1rem 1rem; margin: .4rem 0; }
.card b { display: block; font-size: 2.3rem; line-height: 1.15; font-weight: 600; }
.card span { color: var(--dim); font-size: .9rem; }
@media (prefers-color-scheme: dark) { img { background: #fff; padding: .4rem; } }
"""
BLUE, GREY, RED = "#2f6f9f", "#a9b4c0", "#b3261e"


def write(result: Mapping[str, Any], folder: str | Path, data: str = "", root: str | Path | None = None) -> Path:
    """Write index.html into `folder`; with the data set that the scores are of, its classes are pictured too. Raises
    WrongUse without matplotlib, FileTrouble where it cannot be written."""
    try:
        import matplotlib
    except ImportError as error:
        raise WrongUse("A report with pictures needs matplotlib.", do="pip install 'bcikit[docs]'") from error
    matplotlib.use("Agg")
    place = Path(folder).expanduser() / "index.html"
    parts = [_head(result), _cards(result), _scores(result)]
    for name, forms in result["decoders"].items():
        parts.append(f"<h2>{html.escape(name)}</h2><div class='row'>")
        said = "Each person, offline (grey) and causal (blue); the dashed line is what shuffled labels reach in 95 of 100."
        parts.append(_figure(_people(forms, result["metric"]), said))
        said = "What was meant (rows) and what was decoded (columns), causal; share of the row, and trials."
        parts.append(_figure(_confusion(forms["causal"]), said))
        if curve := forms.get("curve"):
            said = "The causal score when only the first trials train, with its interval: would more training help?"
            parts.append(_figure(_learning(curve, forms["causal"]["chance"]["mean"], result["metric"]), said))
        parts.append("</div>")
        if "answered" in forms["causal"]:
            parts.append(_withheld(forms["causal"]))
        if "minutes" in forms["causal"]:
            parts.append(_continuous(forms))
    if result["compared"]:
        parts.append(_compared(result["compared"]))
    if data:
        parts.append("<h2>What the classes look like</h2>")
        parts += [_figure(figure, caption) for figure, caption in pictures(data, root, result["subjects"])]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("\n".join(parts) + "\n", encoding="utf-8")
    except OSError as error:
        raise FileTrouble(f"The report cannot be written to {place}.", f"{error.strerror}.") from None
    return place


def _head(result: Mapping[str, Any]) -> str:
    title, leaky = f"{result['data']}, {result['protocol']}", result.get("leaky", [])
    people = "1 person" if len(result["subjects"]) == 1 else f"{len(result['subjects'])} people"
    told = " With feedback: each trial's class was told behind it." if result.get("feedback") else ""
    said = f"Leaky: {html.escape(', '.join(leaky))} looks ahead. No person can get these scores."
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{html.escape(title)}</title><style>{STYLE}</style><h1>{html.escape(title)}</h1>"
        f"<p class='dim'>{people}. Score: {html.escape(result['metric'])}. <b>Causal</b> is what a"
        " person gets: filters that look back only, state carried from trial to trial. <b>Offline</b> is what papers"
        " score: filters that look both ways, trials shuffled where papers shuffle them. Intervals are 95 %."
        f" For research; not for medical purposes.{told}</p>" + (f"<p class='bad'>{said}</p>" if leaky else "")
    )


def _cards(result: Mapping[str, Any]) -> str:
    """What a person wants to know first: how good each decoder is live."""
    cards = []
    for name, forms in result["decoders"].items():
        s = forms["causal"]
        cards.append(
            f"<div class='card'>{html.escape(name)}<b>{s['mean']:.3f}</b><span>{html.escape(result['metric'])}, causal<br>"
            f"{s['ci'][0]:.3f} to {s['ci'][1]:.3f}; chance {s['chance']['mean']:.3f}<br>"
            f"offline {forms['offline']['mean']:.3f}</span></div>"
        )
    return f"<div class='row'>{''.join(cards)}</div>"


def _scores(result: Mapping[str, Any]) -> str:
    rows = []
    for name, forms in result["decoders"].items():
        for form in ("offline", "causal", "eight"):
            if form not in forms:
                continue
            s = forms[form]
            worst, its = next(iter(s["worst"].items()))
            alarm = " <span class='bad'>not above chance</span>" if s["p"] > 0.05 else ""
            said = {"eight": "causal, 8 channels"}.get(form, form)
            rows.append(
                f"<tr><td>{html.escape(name)}, {said}{alarm}</td><td><b>{s['mean']:.3f}</b></td>"
                f"<td>{s['ci'][0]:.3f} – {s['ci'][1]:.3f}</td><td>{html.escape(worst)} {its:.3f}</td>"
                f"<td>{s['spread']:.3f}</td>"
                f"<td>{s['chance']['mean']:.3f}</td><td>{s['p']:.2g}</td><td>{s['trials']}</td></tr>"
            )
    for p in result["published"]:
        rows.append(
            f"<tr><td class='dim'>published: {html.escape(str(p['what']))} ({html.escape(str(p['source']))})</td>"
            f"<td>{p['score']:g}</td>{'<td></td>' * 6}</tr>"
        )
    heads = ("", "mean", "interval", "worst person", "spread", "chance", "p", "trials")
    return f"<h2>Scores</h2><table><tr>{''.join(f'<th>{h}</th>' for h in heads)}</tr>{''.join(rows)}</table>"


def _withheld(s: Mapping[str, Any]) -> str:
    """What the surest decisions alone are worth."""
    rows = "".join(
        f"<tr><td>{a['share']:.0%}</td><td>{a['accuracy']:.3f}</td><td>{a['sure']:.2f}</td></tr>" for a in s["answered"]
    )
    heads = "".join(f"<th>{h}</th>" for h in ("answered, the surest first", "of these right", "from this probability on"))
    said = (
        f"Decisions withheld below a probability, causal. What is said is {s['calibration']:.2f} off what is right"
        f" (on average {s['said']:.2f}; Brier score {s['brier']:.3f})."
    )
    return f"<table><tr>{heads}</tr>{rows}</table><p class='dim'>{said}</p>"


def _continuous(forms: Mapping[str, Any]) -> str:
    rows = []
    for form in ("offline", "causal"):
        s = forms[form]
        latency = "–" if s["latency_s"] is None else f"{s['latency_s']:.1f} s"
        cells = (f"{s['hits']:.0%}", f"{s['wrong']:.0%}", latency, f"{s['false_positives_per_minute']:.2f}")
        rows.append(f"<tr><td>{form}</td>{''.join(f'<td>{c}</td>' for c in cells)}<td>{s['idle_minutes']:.1f}</td></tr>")
    heads = ("", "commanded right", "commanded wrong", "latency", "false positives a minute", "idle minutes")
    return f"<table><tr>{''.join(f'<th>{h}</th>' for h in heads)}</tr>{''.join(rows)}</table>"


def _learning(curve: Sequence[Mapping[str, Any]], chance: float, metric: str) -> Any:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(4.2, 2.8))
    n = [c["trials"] for c in curve]
    axes.fill_between(n, [c["ci"][0] for c in curve], [c["ci"][1] for c in curve], color=BLUE, alpha=0.18, linewidth=0)
    axes.plot(n, [c["mean"] for c in curve], color=BLUE, lw=2, marker="o", ms=5)
    axes.axhline(chance, color=RED, ls="--", lw=1)
    axes.set_xlabel("trials that trained")
    axes.set_ylabel(metric)
    axes.set_xlim(left=0)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _compared(pairs: Mapping[str, Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(pair)}</td><td>{c['difference']:+.3f}</td><td>{c['effect']:+.2f}</td><td>{c['p']:.2g}</td>"
        f"<td>{c['n']} {'people' if c['over'] == 'per_subject' else 'splits (not independent)'}</td></tr>"
        for pair, c in pairs.items()
    )
    heads = ("", "difference", "rank-biserial", "Wilcoxon p", "over")
    return f"<h2>Side by side, causal</h2><table><tr>{''.join(f'<th>{h}</th>' for h in heads)}</tr>{rows}</table>"


def _figure(figure: Any, caption: str) -> str:
    import matplotlib.pyplot as plt

    kept = io.BytesIO()
    figure.savefig(kept, format="png", dpi=130, bbox_inches="tight", transparent=True)
    plt.close(figure)
    picture = base64.b64encode(kept.getvalue()).decode()
    said = html.escape(caption)
    return f"<figure><img alt='{said}' src='data:image/png;base64,{picture}'><figcaption>{said}</figcaption></figure>"


def _people(forms: Mapping[str, Any], metric: str) -> Any:
    import matplotlib.pyplot as plt

    causal, offline = forms["causal"], forms["offline"]
    who = sorted(causal["per_subject"], key=lambda k: causal["per_subject"][k])
    figure, axes = plt.subplots(figsize=(4.2, 0.9 + 0.34 * len(who)))
    for i, name in enumerate(who):
        a, b = offline["per_subject"].get(name, np.nan), causal["per_subject"][name]
        axes.plot([a, b], [i, i], color=GREY, lw=2, zorder=1)
        axes.scatter([a], [i], color=GREY, s=42, zorder=2)
        axes.scatter([b], [i], color=BLUE, s=58, zorder=3)
    axes.axvline(causal["chance"]["p95"], color=RED, ls="--", lw=1)
    axes.set_yticks(range(len(who)), who)
    axes.set_ylim(-0.6, len(who) - 0.4)
    lowest = min(causal["chance"]["mean"], *causal["per_subject"].values(), *offline["per_subject"].values())
    axes.set_xlim(0.95 * lowest, None if "minutes" in causal else 1.01)
    axes.set_xlabel(metric)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure


def _confusion(s: Mapping[str, Any]) -> Any:
    import matplotlib.pyplot as plt

    counts = np.array(s["confusion"], float)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    n = len(counts)
    figure, axes = plt.subplots(figsize=(1.6 + 0.85 * n, 0.9 + 0.7 * n))
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i in range(n):
        for j in range(n):
            color = "white" if share[i, j] > 0.55 else "#1b1f24"
            axes.text(j, i, f"{share[i, j]:.0%}\n{int(counts[i, j])}", ha="center", va="center", color=color, fontsize=9)
    axes.set_xticks(range(n), s["classes"], rotation=25, ha="right")
    axes.set_yticks(range(n), s["classes"])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure

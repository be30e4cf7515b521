"""The pictures of docs/closed_loop.md, from what the bench prints, and the page as it looks. All of it is simulated.

bcikit bench loop --rows grid,refit --json > docs/pictures/loop.jsonl
bcikit bench loop --rows days --days 365 --json > docs/pictures/days.jsonl
python tools/pictures.py            # from these files, decoders.svg and days.svg beside them
python tools/pictures.py --page     # page.webp, by headless Chromium, after half a minute
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
PAGE_S = 35.0
BLUE, GREY, ORANGE, RED, GREEN = "#0b73c4", "#8b98ad", "#c46200", "#c92f2f", "#0b7f4b"
LOOK = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "legend.frameon": False,
    "svg.hashsalt": "bcikit",
    "svg.fonttype": "none",
}
TEACHERS = {
    "static": (RED, "no learning"),
    "aligned": ("#7a4fc9", "latents aligned"),
    "rti": (ORANGE, "RTI"),
    "prit": (BLUE, "PRI-T"),
    "known": (GREEN, "targets known"),
}
Line = dict[str, Any]


def rows(name: str) -> list[Line]:
    """The lines of a file that are figures."""
    lines = map(json.loads, (FOLDER / name).read_text().splitlines())
    return [line for line in lines if "mean" in line]


def decoders(lines: list[Line]) -> Any:
    """bits/s by the number of channels, each decoder a line, below what bounds them."""
    from matplotlib import pyplot as plt

    curves: dict[str, dict[int, Line]] = defaultdict(dict)
    for line in lines:
        if found := re.fullmatch(r"(.+), (\d+) channels", line["row"]):
            curves[{"grid": "steering"}.get(found[1], found[1])][int(found[2])] = line
    figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for line in lines:
        if line["row"].startswith("grid, ") and "channels" not in line["row"] and "delay" not in line["row"]:
            axes.axhline(line["mean"], color=GREY, linestyle="--", linewidth=1)
            name, at = line["row"].removeprefix("grid, ").replace("and ", "with "), (1, line["mean"])
            where: Any = {"xycoords": ("axes fraction", "data"), "xytext": (0, 2), "textcoords": "offset points"}
            axes.annotate(name, at, **where, ha="right", fontsize=8, color=GREY)
    colours = dict(zip(curves, (BLUE, GREY, ORANGE, GREEN, RED, "#7a3fa0"), strict=False))
    for k, (name, curve) in enumerate(curves.items()):
        at = sorted(curve)
        mean, low, high = ([pick(curve[n]) for n in at] for pick in (lambda x: x["mean"], _low, _high))
        spread = [[m - a for m, a in zip(mean, low, strict=True)], [b - m for m, b in zip(mean, high, strict=True)]]
        place = [n * 1.03 ** (k - len(curves) / 2) for n in at]
        axes.errorbar(place, mean, spread, marker="o", markersize=4, capsize=2, label=name, color=colours.get(name, GREY))
    ticks = sorted({n for curve in curves.values() for n in curve})
    axes.set(xscale="log", xlabel="channels", ylabel="bits/s", ylim=(0, 8), title="6 x 6 cells, simulated people")
    axes.set_xticks(ticks, [f"{n:,}" for n in ticks], minor=False)
    axes.minorticks_off()
    axes.legend(fontsize=8)
    return figure


def days(lines: list[Line]) -> Any:
    """Time to target over that of day 0, day after day."""
    from matplotlib import pyplot as plt

    curves: dict[str, list[tuple[int, Line]]] = defaultdict(list)
    for line in lines:
        if found := re.fullmatch(r"day (\d+), (\w+)", line["row"]):
            curves[found[2]].append((int(found[1]), line))
    figure, axes = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    for name, curve in curves.items():
        colour, said = TEACHERS.get(name, (GREY, name))
        at = [0, *(day for day, _ in curve)]
        axes.plot(at, [1.0, *(x["mean"] for _, x in curve)], color=colour, label=said)
        axes.fill_between(
            at, [1.0, *(_low(x) for _, x in curve)], [1.0, *(_high(x) for _, x in curve)], color=colour, alpha=0.2
        )
    axes.axhline(1.1, color=GREY, linestyle="--", linewidth=1)
    axes.set(xlabel="day", ylabel="time to target over day 0", yscale="log", title="192 channels, simulated people")
    ticks = [t for t in (1, 1.05, 1.1, 1.2, 1.5, 2, 3, 5, 10) if t <= axes.get_ylim()[1]]
    axes.set_yticks([t for t in ticks if t > 1.1 or axes.get_ylim()[1] < 2 or t == 1], minor=False)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.legend(fontsize=8)
    return figure


def _low(line: Line) -> float:
    return float(line["ci"][0])


def _high(line: Line) -> float:
    return float(line["ci"][1])


def page() -> None:
    """The demo's page, dark, once it has run for a while."""
    import time

    from bcikit.bench._browser import Browser
    from bcikit.bench._page import MOVES, demo

    browser = Browser(1280, 800)
    try:
        with demo() as address:
            browser.dark(True)
            browser.open(address)
            browser.until(MOVES, 30)
            time.sleep(PAGE_S)
            browser.picture(FOLDER / "page.webp")
    finally:
        browser.close()


def main() -> None:
    import matplotlib

    matplotlib.use("svg")
    with matplotlib.rc_context(LOOK):
        for source, draw in (("loop.jsonl", decoders), ("days.jsonl", days)):
            draw(rows(source)).savefig(FOLDER / f"{draw.__name__}.svg", metadata={"Date": None})


if __name__ == "__main__":
    page() if "--page" in sys.argv else main()

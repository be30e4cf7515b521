"""The page of the demo in a real browser, for what is timed and pictured."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ..core.errors import DeviceTrouble
from ._browser import Browser

RUNS = "typeof frame !== 'undefined' && frame !== null && running"
MOVES = f"{RUNS} && Math.hypot(...frame.velocity) > 0.01"
COUNT = """(() => {
  window.gaps = []; window.drawn_ = [];
  let last = 0, shown = null;
  const tick = (now) => {
    if (last) gaps.push(now - last);
    last = now;
    if (frame && frame.t !== shown) { shown = frame.t; drawn_.push([frame.at, performance.now()]); }
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
})()"""


@contextmanager
def demo(*words: str) -> Iterator[str]:
    """The address of a demo in a process of its own."""
    args = [sys.executable, "-m", "bcikit.cli.main", "demo", "--no-browser", *words]
    with subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            if "http" not in said:
                process.terminate()
                raise DeviceTrouble("The demo does not start.", (process.communicate()[1] or said).strip())
            yield said.split()[-1]
        finally:
            process.terminate()


def displayed(seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """ms between two pictures of the page, and ms from the end of a bin to the picture that shows its cursor. The simulated
    person steers; clocks are brought together by the shortest of many questions."""
    browser = Browser()
    try:
        with demo() as address:
            browser.open(address)
            browser.until(MOVES, 30)
            browser.ask(COUNT)
            time.sleep(seconds)
            gaps, drawn = browser.ask("gaps"), browser.ask("drawn_")
            offset = _offset(browser)
    finally:
        browser.close()
    at, when = np.array(drawn, float).reshape(-1, 2).T
    return np.array(gaps), when + offset - 1000 * at


def _offset(browser: Browser, questions: int = 50) -> float:
    """ms to add to the page's clock for the machine's monotonic one: half a way after the question was sent."""
    asked = []
    for _ in range(questions):
        began = time.monotonic()
        theirs = browser.ask("performance.now()")
        took = time.monotonic() - began
        asked.append((took, 1000 * (began + took / 2) - theirs))
    return min(asked)[1]


def opened(browser: Browser) -> float:
    """Seconds from the demo being started to its cursor moving on the page, in a browser that is open."""
    began = time.perf_counter()
    with demo() as address:
        browser.open(address)
        browser.until(MOVES, 30)
        return time.perf_counter() - began

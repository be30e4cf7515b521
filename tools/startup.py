"""How long it takes to start, beside what Python and NumPy take, in turns: to the first chunk of the synthetic board, to the
help, to an imported package.

    python tools/startup.py [ROUNDS]
    python tools/startup.py --page [ROUNDS]     from `bcikit demo` to its cursor moving on the page of an open Chromium
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from bcikit.bench._browser import Browser
from bcikit.bench._page import opened

BCIKIT = [sys.executable, "-m", "bcikit.cli.main"]


def runs(*words: str) -> Callable[[], float]:
    """Seconds that a command takes from its start to its end."""

    def once() -> float:
        began = time.perf_counter()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    return once


def first_chunk() -> float:
    """Seconds to the first line of JSON, which follows the first chunk."""
    began = time.perf_counter()
    process = subprocess.Popen([*BCIKIT, "stream", "--board", "synthetic", "--json"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    took = time.perf_counter() - began
    process.terminate()
    process.communicate()
    return took


WHAT: dict[str, Callable[[], float]] = {
    "bcikit stream --board synthetic --json: first chunk": first_chunk,
    "bcikit --help": runs(*BCIKIT, "--help"),
    "import bcikit": runs(sys.executable, "-c", "import bcikit"),
    "import numpy": runs(sys.executable, "-c", "import numpy"),
}


def main(rounds: int = 10) -> None:
    took = np.array([[once() for once in WHAT.values()] for _ in range(rounds + 1)])[1:]  # the first warms the disk's cache
    for name, mine in zip(WHAT, took.T, strict=True):
        ratio = np.median(mine / took[:, -1])
        print(f"{name:<52} median {np.median(mine):.3f} s, best {mine.min():.3f} s, {ratio:.1f} x NumPy")


def page(rounds: int = 5) -> None:
    browser = Browser()
    try:
        took = np.array([opened(browser) for _ in range(rounds + 1)])[1:]
    finally:
        browser.close()
    name = "bcikit demo: cursor moving on the page"
    print(f"{name:<52} median {np.median(took):.2f} s, best {took.min():.2f} s, worst {took.max():.2f} s (simulated)")


if __name__ == "__main__":
    (page if "--page" in sys.argv else main)(*map(int, (x for x in sys.argv[1:] if x != "--page")))

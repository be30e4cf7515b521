"""The side of a peer in another virtual environment; it imports nothing of bcikit, and scripts beside it import it by name.

On stdin a line of JSON says the work; then come lines: `first N`, `turn SECONDS`. Each is answered on stdout, which is for
the answers alone, by the shape of an array in a line, and its bytes (float64).
"""

import json
import os
import sys
import time
import warnings

import numpy as np
from scipy.signal import sosfilt, sosfilt_zi

OUT = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)  # whatever the peer prints
warnings.simplefilter("ignore")


def answer(array):
    array = np.ascontiguousarray(array, float)
    OUT.write(f"{json.dumps(list(array.shape))}\n".encode() + array.tobytes())
    OUT.flush()


def serve(start):
    """start(work, x) gives step(i), which does chunk i of the input x and gives rows of features or None."""
    work = json.loads(sys.stdin.readline())
    x = np.load(work["input"])
    step, at = start(work, x), 0
    for line in sys.stdin:
        what, number = line.split()
        if what == "first":
            rows = [y for y in map(start(work, x), range(int(number))) if y is not None]
            answer(np.concatenate(rows))
        elif what == "turn":
            took: list[float] = []
            now = time.perf_counter
            end = now() + float(number)
            while not took or now() < end:
                t0 = now()
                step(at)
                took.append(now() - t0)
                at += 1
            answer(took)


class Power:
    """The power of a band over the last hops, by SciPy and NumPy: rows (hops, channels), or None."""

    def __init__(self, work):
        self.sos, self.hop, self.hops = np.array(work["band_sos"]), work["hop"], work["hops"]
        self.zi, self.at, self.sum, self.old = None, 0, 0.0, []

    def __call__(self, y):
        if self.zi is None:
            self.zi = sosfilt_zi(self.sos)[:, :, None] * y[0]
        z, self.zi = sosfilt(self.sos, y, axis=0, zi=self.zi)
        out, done = [], 0
        while done < len(z):
            upto = min(done + self.hop - self.at % self.hop, len(z))
            self.sum = self.sum + (z[done:upto] ** 2).sum(axis=0)
            self.at += upto - done
            done = upto
            if self.at % self.hop == 0:
                self.old = [*self.old[1 - self.hops :], self.sum]
                self.sum = 0.0
                if len(self.old) == self.hops:
                    out.append(np.sum(self.old, axis=0) / (self.hop * self.hops))
        return np.array(out) if out else None

"""A simulated person sent over LSL, for the latency of the loopback: `python -m bcikit.bench._lsl_sender NAME`.

Each chunk is sent when its newest sample is due and stamped so. Ends when its input is closed."""

from __future__ import annotations

import sys
import threading

import numpy as np

from ..acquire.synthetic import Synthetic


def listen(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def main(name: str) -> None:
    import pylsl

    ended = threading.Event()
    with Synthetic(chunk=0.004) as board:
        stream = board.open()
        outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "EEG", len(stream.channels), stream.rate, "float32", name))
        threading.Thread(target=listen, args=(ended,), daemon=True).start()
        print("ready", flush=True)
        while not ended.is_set():
            c = board.read(0.1)
            if c is not None:
                for row, when in zip(c.data, np.atleast_1d(c.time_at(np.arange(len(c)), stream.rate)), strict=True):
                    outlet.push_sample(row.tolist(), float(when))


if __name__ == "__main__":
    main(sys.argv[1])

"""MNE-LSL's side of `bench peers`, run by the Python of its own environment.

A `StreamLSL` with the same sections as filters, acquired by hand. It filters what comes over LSL alone, so the loopback is
in its times."""

import os

import mne_lsl
import numpy as np
from _turns import Power, serve
from mne_lsl.lsl import StreamInfo, StreamOutlet
from mne_lsl.stream import StreamLSL

mne_lsl.set_log_level("ERROR")
MADE: list = []  # outlets and streams, which must not be collected


def start(work, x):
    """A new outlet, and a stream on it."""
    n, rate, channels = work["n"], work["rate"], x.shape[1]
    name = f"bcikit bench {os.getpid()} {len(MADE)}"
    info = StreamInfo(name, "eeg", channels, rate, "float32", name)
    info.set_channel_names([f"c{i}" for i in range(channels)])
    info.set_channel_types("eeg")
    info.set_channel_units("microvolts")
    outlet = StreamOutlet(info)
    stream = StreamLSL(bufsize=1.0, name=name).connect(acquisition_delay=None)
    for low, high, sos in zip((51.0, 1.0), (49.0, 40.0), work["filters"], strict=True):
        stream.filter(low, high, picks="eeg", iir_params={"sos": np.array(sos), "order": 4, "ftype": "butter"})
    power, came, rows = Power(work), [0], []

    def filtered(data, timestamps, info):
        came[0] += len(data)
        rows.append(power(data.astype(float)))
        return data, timestamps

    stream.add_callback(filtered)
    MADE.append((outlet, stream))

    def step(i):
        at, wanted = i * n % len(x), came[0] + n
        outlet.push_chunk(x[at : at + n])
        while came[0] < wanted:
            stream.acquire()
        out = [r for r in rows if r is not None]
        rows.clear()
        return np.concatenate(out) if out else None

    return step


if __name__ == "__main__":
    serve(start)

"""An LSL sender in a process of its own, for the tests: python lsl_sender.py '{"name": ..., "source_id": ...}'.

Sample k of a regular stream is taken at k / rate seconds of LSL's clock and its first channel says k modulo 2^20, so that a
receiver can be checked, also across a restart. Prints `ready`; ends when its input is closed.
mode: exact (stamp k / rate), chunk (push_chunk, stamped by liblsl), burst (one stamp for `block` samples), jitter, wall
(stamps are the time of day), markers (a text every 0.1 s), words (irregular numbers), silent.
"""

import json
import sys
import threading
import time

import numpy as np
import pylsl

spec = {
    "name": "bcikit test", "type": "EEG", "rate": 250.0, "n": 2, "format": "float32", "mode": "exact", "block": 5, "pad": 0,
    "channels": [], "drop": [], "actual": None, "unit": "", "scale": 1.0, "twin": False, "back": None,
    **json.loads(sys.argv[1]),
}  # fmt: skip
irregular = spec["mode"] in ("markers", "words")
info = pylsl.StreamInfo(
    spec["name"], spec["type"], spec["n"], 0.0 if irregular else spec["rate"], spec["format"], spec["source_id"]
)
if spec["channels"]:
    listed = info.desc().append_child("channels")
    for c in spec["channels"]:
        node = listed.append_child("channel")
        place = c.pop("location", None)
        for key, value in c.items():
            node.append_child_value(key, value)
        if place:
            sub = node.append_child("location")
            for axis, value in zip("XYZ", place, strict=True):
                sub.append_child_value(axis, str(value))
if spec["pad"]:
    info.desc().append_child_value("pad", "x" * spec["pad"])
outlet = pylsl.StreamOutlet(info)
twin = pylsl.StreamOutlet(info) if spec["twin"] else None
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
print("ready", flush=True)

rng = np.random.default_rng(1)
rate = spec["actual"] or spec["rate"]
block = spec["block"]
drop = set(spec["drop"])  # sample numbers since the beginning
k = begin = int(pylsl.local_clock() * rate) + 1
while not ended.is_set():
    if spec["mode"] == "silent":
        ended.wait()
        break
    if irregular:
        ended.wait(0.1)
        now = pylsl.local_clock()
        outlet.push_sample([f"cue {k}"] * spec["n"] if spec["format"] == "string" else [k % 100] * spec["n"], now)
        k += 1
        continue
    due = (k + block - 1) / rate
    while (left := due - pylsl.local_clock()) > 0 and not ended.wait(left):
        pass
    numbers = [i for i in range(k, k + block) if i - begin not in drop]
    k += block
    if not numbers:
        continue
    rows = np.zeros((len(numbers), spec["n"]))
    rows[:, 0] = [i % 2**20 for i in numbers]
    rows[:, 1:] = spec["scale"]
    stamps = np.array(numbers) / rate
    if spec["mode"] == "chunk":
        outlet.push_chunk(rows)
        continue
    if spec["mode"] == "burst":
        stamps[:] = pylsl.local_clock()
    elif spec["mode"] == "jitter":
        stamps += rng.exponential(0.004, len(stamps))
    elif spec["mode"] == "wall":
        stamps[:] = time.time()
    if spec["back"] is not None and numbers[0] - begin >= spec["back"]:
        stamps[0] -= 3.0
        spec["back"] = None
    for row, stamp in zip(rows.tolist(), stamps, strict=True):
        outlet.push_sample([int(v) for v in row] if spec["format"].startswith("int") else row, float(stamp))

"""OpenBCI text against a reader made of `csv` and `float`, and its losses against losses that were put in."""

from __future__ import annotations

import csv
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit.files._counter import unwrapped
from bcikit.files.read import read

# file: rows, EXG channels, rate in Hz, {row: samples lost before it}
GUI = {
    "gui-v2-no-timestamps.txt": (5000, 8, 250, {2162: 142, 3288: 1}),
    "gui-v3-eyes-closed-gap.txt": (5000, 8, 250, {601: 167 + 24 * 256}),
    "gui-v3-eyes-open-drops.txt": (8400, 8, 250, {7646: 1, 8165: 1}),
    "gui-v3-ganglion.txt": (4593, 4, 200, {}),
    "gui-v4.txt": (2500, 8, 250, {}),
    "gui-v5-cyton-native.txt": (1500, 8, 250, {}),
    "gui-v5-daisy-railed.txt": (640, 16, 125, None),
    "gui-v5-zero-first-row.txt": (2501, 8, 250, {}),
    "gui-v6.txt": (22490, 8, 250, {}),
}


def by_hand(path, n):
    """EXG of every row, as plain Python reads it."""
    with open(path, encoding="utf-8") as file:
        rows = [r for r in csv.reader(file) if r and r[0].strip()[:1].isdigit()]
    return np.array([[float(x) for x in r[1 : n + 1]] for r in rows]).astype(np.float32)


@pytest.mark.parametrize("name", GUI)
def test_every_header_version_gives_the_file_s_own_numbers(shared, name):
    rows, n, rate, lost = GUI[name]
    path = shared(f"openbci-gui/{name}")
    r = read(path)
    assert r.stream.rate == rate and len(r.data) == rows
    exg = [i for i, c in enumerate(r.stream.channels) if c.kind in ("eeg", "emg")]
    assert len(exg) == n and all(r.stream.channels[i].unit == "µV" for i in exg)
    assert r.data[:, exg].tobytes() == by_hand(path, n).tobytes()
    jumps = np.diff(r.index) - 1
    found = {int(i) + 1: int(jumps[i]) for i in np.flatnonzero(jumps)}
    if lost is None:
        assert list(found.values()) == [1]
    else:
        assert found == lost
    assert len(set(r.stream.names)) == len(r.stream.channels)
    assert r.stream.label.subjects and r.stream.label.recorded


def test_a_loss_longer_than_the_counter_is_told_by_the_clock(shared):
    """The index jumps by 168 modulo 256; the clock says 25 s more than the rows do."""
    r = read(shared("openbci-gui/gui-v3-eyes-closed-gap.txt"))
    assert abs((r.index[-1] + 1) / 250 - 45.225) < 0.3
    assert any("6311 samples were lost" in n for n in r.info["notes"])
    blind = read(shared("openbci-gui/gui-v2-no-timestamps.txt"))
    assert any("cannot be seen" in n for n in blind.info["notes"])


def test_the_same_signal_under_three_headers(shared):
    v6, v4, v5 = (read(shared(f"openbci-gui/gui-{n}.txt")) for n in ("v6", "v4", "v5-zero-first-row"))
    assert np.array_equal(v6.data[:2500, :8], v4.data[:, :8]) and np.array_equal(v5.data[1:, :8], v4.data[:, :8])
    assert v6.info["start"] == v4.info["start"] == v5.info["start"] == 1557936053.329, "milliseconds or seconds"
    assert [c.unit for c in v6.stream.channels if c.kind == "accel"] == ["g"] * 3
    names = read(shared("openbci-gui/gui-v3-eyes-open-drops.txt")).stream
    assert names.names[:8] == tuple("F3 Fz F4 C3 Cz C4 O1 I2".split()) and names.channels[0].position is not None


def test_a_long_recording_is_read_at_once(shared):
    path = shared("openbci-gui/gui-v6.txt")

    def cell_by_cell(path):
        return [[float(v) for v in line.split(",")[:12]] for line in path.read_text().splitlines() if line[:1].isdigit()]

    took = {f: [] for f in (read, cell_by_cell)}
    for _ in range(4):
        for f, seconds in took.items():
            begin = time.perf_counter()
            assert f(path)
            seconds.append(time.perf_counter() - begin)
    assert min(took[read]) < 4 * min(took[cell_by_cell])


def test_sd_card(shared):
    r = read(shared("openbci-sd/OBCI-01.TXT"))
    assert r.data.shape == (3282, 11) and r.stream.rate == 250 and (np.diff(r.index) == 1).all()
    assert not r.data[:, [0, 1, 4, 5, 6, 7]].any()
    assert r.data[0, 2] == np.float32((0xFB52DD - 2**24) * 4.5e6 / 24 / (2**23 - 1))
    assert r.data[0, 8:].tolist() == pytest.approx([-0.01, 0.46, 0.118]) and np.isnan(r.data[1, 8:]).all()
    text = read(shared("openbci-sd/SDconverted-2014-10-22_17-39-29.txt"))
    assert len(text.data) == 3471 and any("last line" in n for n in text.info["notes"])


def test_emg_of_a_ganglion(shared):
    r = read(shared("emg-openbci/mi-openbci/S02_S1R0.txt"))
    assert len(r.data) == 26_207 and r.stream.rate == 200 and (np.diff(r.index) == 1).all()
    assert [c.kind for c in r.stream.channels[:4]] == ["emg"] * 4


def numbers(index, board):
    """The packet numbers that boards give these samples."""
    if board == "cyton":
        return index % 256
    if board == "daisy":
        return index * 2 % 256
    place = index % 201
    return place if board == "ganglion" else np.where(place == 0, 0, 101 + (place - 1) // 2)


@settings(max_examples=60, deadline=None)
@given(
    board=st.sampled_from(["cyton", "daisy", "ganglion", "compressed"]),
    losses=st.lists(st.tuples(st.integers(700, 4000), st.integers(1, 9000)), max_size=3),
    seed=st.integers(0, 2**32 - 1),
)
def test_losses_that_were_put_in_are_found(board, losses, seed):
    """However long, in stamps that come in bursts and stall for up to 0.3 s."""
    rng = np.random.default_rng(seed)
    rate, n = (125.0 if board == "daisy" else 250.0), 5000
    index = np.arange(n + sum(length for _, length in losses))
    packet = index // 201 * 101 + (index % 201 + 1) // 2 if board == "compressed" else index
    places = []
    for at, length in sorted(losses):
        begin = at + sum(done for _, done in places)
        if not places or at - places[-1][0] > 1100:  # nearer than that no clock with stalls can tell them apart
            places.append((at, length))
            gone = (packet >= packet[begin]) & (packet < packet[begin + length])  # packets are lost whole
            index = index[~gone[index]]
    index = index[:n]
    seconds = index / rate
    seconds = np.maximum.accumulate(seconds + rng.uniform(0, 0.03, len(index)))
    for at in rng.integers(0, len(index), 4):  # the host sleeps; what came meanwhile is stamped when it wakes
        wake = seconds[at] + rng.uniform(0, 0.3)
        seconds[(seconds >= seconds[at]) & (seconds < wake)] = wake
    found, notes = unwrapped(
        numbers(index, board).astype(float), seconds, rate, rng.normal(size=(len(index), 2)), "g" in board
    )
    assert np.array_equal(found, index), (places, notes)


def test_a_counter_that_does_not_count_is_not_believed():
    rng = np.random.default_rng(1)
    index, notes = unwrapped(rng.integers(0, 256, 500).astype(float), None, 250.0, rng.normal(size=(500, 2)))
    assert np.array_equal(index, np.arange(500)) and "does not count" in notes[0]


def test_rows_that_come_twice_are_known_as_such():
    x = np.random.default_rng(2).normal(size=(600, 2)).astype(np.float32)
    rows = [*range(300), 298, 299, *range(300, 600)]
    index, notes = unwrapped(np.array(rows) % 256.0, np.arange(602) / 250, 250.0, x[rows])
    assert index.tolist() == rows and "repeated" in notes[0]
    restarted = np.array([*range(300), *range(298, 600)]) % 256.0  # other values under numbers that were there
    index, notes = unwrapped(restarted, np.arange(602) / 250, 250.0, np.random.default_rng(3).normal(size=(602, 2)))
    assert index.tolist() == list(range(602)) and "samples of their own" in notes[0]

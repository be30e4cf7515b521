"""Replay: the file's own bytes, at their time, with its gaps and events, and the faults that were asked for."""

from __future__ import annotations

import time

import numpy as np
import pytest

from bcikit.acquire.replay import Replay
from bcikit.core.clock import JumpClock, WallClock
from bcikit.core.errors import FileTrouble, WrongUse
from bcikit.core.find import parse
from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Recording
from bcikit.files.read import read
from tests.conftest import LATE_S

GUI = (
    "v2-no-timestamps v3-eyes-closed-gap v3-eyes-open-drops v3-ganglion v4 v5-cyton-native v5-daisy-railed v5-zero-first-row"
)
EVERY = [
    *(f"openbci-gui/gui-{n}.txt" for n in (*GUI.split(), "v6")),
    *(f"xdf/{n}.xdf" for n in ("minimal", "clock_resets", "empty_streams", "obci16_mi_assaf_test1")),
    "xdf/obci16_mi_assaf_test14_lost_samples.xdf",
    "mi-eegbci/S001R06.edf",
    "ssvep-exo/subject02_run1_raw.fif.gz",
    "openbci-mi/sub-2/sub-2_run-01_raw.fif.gz",
    "mi-openbci-xdf/sub-A/sub-A_run-01.xdf.gz",
    "p300-gtec/S3.npz",
    "self-paced-keys/self_paced_1s.npz",
    "visual-oddball/eeglab_data.set",
    "emg-openbci/mi-openbci/S02_S1REST.txt",
    "emg-openbci/neurosleeve/jose_0_0.csv",
    "brainflow-csv/ganglion-brainflow-30s.csv",
    "openbci-sd/OBCI-01.TXT",
    "openbci-sd/SDconverted-2014-10-22_17-39-29.txt",
]


def played(board, clock=None, limit=10**9):
    """Everything a board gives, on a clock that jumps."""
    board.clock = clock or JumpClock(100.0)
    with board:
        stream = board.open()
        chunks = []
        while sum(map(len, chunks)) < limit:
            c = board.read(0.1)
            if c is not None:
                chunks.append(c)
            elif board.status.state == "ended":
                break
        return Recording(stream, tuple(chunks))


def placed(r):
    return sorted((e.index, e.name, str(e.value)) for e in r.events)


@pytest.fixture
def table(tmp_path):
    """(path, values, index): 8 s at 250 Hz, two channels, one gap of 1 s, three cues."""
    x = np.random.default_rng(0).normal(0, 20, (2000, 2)).astype(np.float32)
    keep = np.r_[0:1000, 1250:2000]
    rows = [f"{i / 250:.3f},{x[i, 0]},{x[i, 1]},{'cue' if i in (100, 999, 1500) else ''}" for i in keep]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["time,C3,C4,marker", *rows, ""]))
    return str(path), x[keep], keep


@pytest.mark.parametrize("name", EVERY)
def test_stepping_a_replay_equals_running_the_file(shared, name):
    path = str(shared(name))
    stages = [parse("stage", "bandpass:low=1,high=40"), parse("stage", "notch")]
    offline, online = Pipeline(stages), Pipeline([type(s)(**s.settings()) for s in stages])
    whole = read(path)
    if whole.stream.rate <= 100:
        offline, online = Pipeline(), Pipeline()  # too slow for these filters
    ran = offline.run(whole)
    came = played(Replay(path, chunk=0.1))
    assert came.data.tobytes() == whole.data.tobytes() and np.array_equal(came.index, whole.index)
    assert placed(came) == placed(whole)
    online.start(came.stream)
    stepped = Recording(online.out, tuple(online.step(c) for c in came.chunks))
    assert stepped.data.tobytes() == ran.data.tobytes() and np.array_equal(stepped.index, ran.index)
    assert placed(stepped) == placed(ran)
    span = whole.time[-1] - whole.time[0]
    assert came.chunks[-1].time == pytest.approx(100 + span, abs=1e-6)


def test_events_gaps_and_times_travel_along(table):
    path, x, index = table
    r = played(Replay(path))
    assert r.data.tobytes() == x.tobytes() and np.array_equal(r.index, index)
    assert [(e.index, e.value) for c in r.chunks for e in c.events if c.first <= e.index < c.end] == [
        (100, "cue"),
        (999, "cue"),
        (1500, "cue"),
    ]
    assert r.time == pytest.approx(100 + index / 250)


def test_status_tells_gap_loss_and_end(table):
    board = Replay(table[0])
    board.clock = JumpClock()
    assert board.status.state == "connecting"
    board.open()
    states = []
    while (c := board.read(0.05)) is not None or board.status.state != "ended":
        states.append((round(board.clock.now(), 3), board.status.state))
        if c is not None:
            assert board.status.age_s < 0.05
    stale = [t for t, s in states if s == "stale"]
    assert stale and 4 + 0.24 < stale[0] < 4 + 0.35 and stale[-1] < 5.05
    assert board.status.lost == 250 and board.status.state == "ended" and board.status.rate_hz == pytest.approx(250)
    board.close()
    board.close()


def test_a_mark_lands_where_its_time_says(table):
    board = Replay(table[0], speed=2)
    board.clock = JumpClock(10.0)
    board.open()
    assert board.index_of(11.0) == (pytest.approx(500), 0.0)
    for _ in range(20):
        board.read(1.0)
    assert board.index_of(10.5)[0] == pytest.approx(250)


@pytest.mark.parametrize("speed, days", [(1, 3), (4, 1), (0.5, 1)])
def test_complaint_20_days_of_replay_stay_on_time(table, speed, days):
    """Complaint 20: deadlines are reckoned from the start, so nothing adds up."""
    board = Replay(table[0], loop=True, chunk=60, speed=speed)
    clock = board.clock = JumpClock()
    board.open()
    turns = days * 86_400 // 8
    for _ in range(2 * turns):
        c = board.read(1e9)
    assert clock.now() == pytest.approx(turns * 8 / speed - 0.004 / speed, abs=1e-6) == c.time
    assert c.end == turns * 2000


@pytest.mark.realtime
def test_the_wall_clock_paces(table):
    """Complaint 20: a player without a pace gives everything at once."""
    begin = time.monotonic()
    r = played(Replay(table[0], speed=4), WallClock())
    took = time.monotonic() - begin
    assert len(r.data) == 1750 and 1.99 <= took < 2 + LATE_S
    begin = time.process_time()
    assert len(played(Replay(table[0], speed=0), WallClock()).data) == 1750 and time.process_time() - begin < took


def test_a_reader_that_does_not_wait_is_not_given_the_future(table):
    board = Replay(table[0])
    board.clock = JumpClock(5.0)
    board.open()
    assert board.read(0.0) is None and board.read(0.03) is None
    assert board.clock.now() == pytest.approx(5.03)
    c = board.read(1.0)
    assert c.end == 10 and board.clock.now() == c.time == pytest.approx(5 + 9 / 250)


def test_a_loop_goes_on_counting(table):
    r = played(Replay(table[0], loop=True, chunk=0.4), limit=4000)
    assert np.array_equal(r.index[1750:3500], r.index[:1750] + 2000)
    assert r.data[1750:3500].tobytes() == table[1].tobytes()
    assert [e.index for e in r.events if e.index >= 2000][:3] == [2100, 2999, 3500]
    assert r.time[1750] == pytest.approx(108)


@pytest.mark.parametrize("chunk", [0.02, 0.3])
def test_faults_are_seeded_and_counted(table, chunk):
    path, x, index = table
    one, two = (played(Replay(path, drop=0.03, chunk=c, seed=3)) for c in (chunk, 0.1))
    assert one.data.tobytes() == two.data.tobytes() and np.array_equal(one.index, two.index), "whatever the chunks"
    lost = set(index.tolist()) - set(one.index.tolist())
    assert 20 < len(lost) < 100
    board = Replay(path, drop=0.03, chunk=chunk, seed=3)
    played(board)
    assert board.status.lost == 250 + len([i for i in lost if i > one.index[0] and i < one.index[-1]])
    assert placed(one) == placed(read(path)), "events are not lost with their sample"
    assert not np.array_equal(played(Replay(path, drop=0.03, seed=4)).index, one.index)
    keep = np.isin(index, one.index)
    assert one.data.tobytes() == x[keep].tobytes()


def test_each_fault_is_what_it_says(table):
    path, x, index = table
    at = (index / 250 >= 1) & (index / 250 < 1.5)
    for fault in ("nan", "rail", "flat"):
        y = played(Replay(path, **{fault: ("1:0.5",)})).data
        column = int(np.flatnonzero((y != x).any(axis=0))[0])
        assert np.array_equal(np.delete(y, column, 1), np.delete(x, column, 1)) and np.array_equal(y[~at], x[~at])
        bad = y[at, column]
        assert {"nan": np.isnan(bad).all(), "rail": (bad == np.float32(187500.02)).all(), "flat": np.ptp(bad) == 0}[fault]
    r = played(Replay(path, duplicate=0.05))
    assert len(r.data) > len(x) and np.array_equal(np.unique(r.index), index)
    line = Pipeline()
    assert line.run(r).data.shape[0] == line.run(read(path)).data.shape[0] and line.repeated == 0
    line.run(r)
    assert line.repeated == len(r.data) - len(x), "what comes twice is dropped and counted"
    r = played(Replay(path, jump=("1:-50", "6:1000")))
    assert r.index[249] == 249 and r.index[250] == 200 and r.index[-1] == 1999 + 950
    board = Replay(path, disconnect=("1:0.5",))
    board.clock = JumpClock()
    board.open()
    states = {}
    while board.read(0.05) is not None or board.status.state != "ended":
        states.setdefault(board.status.state, board.clock.now())
    assert 1.2 < states["reconnecting"] < 1.5 and board.status.lost == 125 + 250


@pytest.mark.parametrize(
    "text, said",
    [
        ("replay", "no file"),
        ("replay:file=absent.xdf", "There is no file"),
        ("replay:file=x,nan=1", "AT:SECONDS"),
        ("replay:file=x,jump=a:b", "AT:SAMPLES"),
        ("replay:file=x,flat=-1:2", "does not lie"),
        ("replay:file=x,speed=-1", "out of bounds"),
        ("replay:file=x,drop=2", "out of bounds"),
        ("replay:fiel=x", "file"),
    ],
)
def test_wrong_settings_are_told(text, said):
    with pytest.raises((WrongUse, FileTrouble), match=said):
        parse("board", text).open()


def test_the_label_is_the_recording_s(shared, table):
    board = Replay(table[0])
    assert played(board).stream.label.subjects == frozenset() and played(board).stream.label.recorded
    assert played(Replay(str(shared("p300-gtec/S1.npz")), speed=0), limit=10).stream.label.subjects == {"p300-gtec/S1"}

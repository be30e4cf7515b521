"""The benchmarks: the work is the same for all, the figures are those of what ran, and the command says what it promises."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from click.testing import CliRunner

from bcikit.acquire.rendered import BIN_S, Rendered
from bcikit.bench import _measure, _remote
from bcikit.bench._measure import Contender, difference, histogram, race
from bcikit.bench._rig import measure
from bcikit.bench._work import REFRACTORY_S, THRESHOLD_UV, Features, Work, alike, scipy_features
from bcikit.bench.throughput import ours
from bcikit.cli.bench import command
from bcikit.cli.main import main
from bcikit.core.clock import JumpClock
from bcikit.ethics.gate import Gate
from bcikit.preprocess.bandpass import Bandpass
from bcikit.preprocess.bandpower import Bandpower
from bcikit.simulate.played import SCALE, rendered

SMALL = Work(channels=24, chunk_s=0.001)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(_measure, "TURN_S", 0.005)
    monkeypatch.setattr(_measure, "WARM_S", 0.005)


def test_the_input_is_the_same_each_time_and_whole_bins_long():
    assert np.array_equal(rendered(8, 30_000, 600, seed=1), rendered(8, 30_000, 600, seed=1))
    assert not np.array_equal(rendered(8, 30_000, 600, seed=1), rendered(8, 30_000, 600, seed=2))
    assert SMALL.counts.dtype == np.int16 and len(SMALL.counts) % SMALL.bin == len(SMALL.counts) % SMALL.n == 0
    assert 10 < (SMALL.counts * SCALE).std() < 40


def test_features_are_what_one_counts_by_hand():
    """Crossing by crossing, in one piece, against bins made from pieces."""
    y = np.random.default_rng(0).normal(0, 40, (SMALL.bin * 3, 4))
    work = Work(channels=4)
    features = Features(work)
    rows = [r for a in range(0, len(y), 37) if (r := features(y[a : a + 37])) is not None]
    got = np.concatenate(rows)
    wait = round(REFRACTORY_S * work.rate)
    for c in range(4):
        free, counts = 0, np.zeros(3)
        for t in range(1, len(y)):
            if y[t, c] < THRESHOLD_UV <= y[t - 1, c] and t >= free:
                counts[t // work.bin] += 1
                free = t + wait
        assert np.array_equal(got[:, c], counts)
    assert np.allclose(got[:, 4:], (y.reshape(3, work.bin, 4) ** 2).mean(axis=1))


def test_bcikit_and_scipy_give_the_same_features():
    chunks = 3 * SMALL.bin // SMALL.n
    error, said = alike(ours(SMALL).first(chunks), scipy_features(SMALL).first(chunks))
    assert error is not None and error < 1e-5
    assert said.startswith("0 of ") and not said.startswith("0 of 0 ")


def test_a_wrong_result_is_told():
    a = np.ones((3, 8))
    b = a.copy()
    b[1, 1], b[2, 6] = 4.0, 1.5
    assert alike(b, a) == (0.5, "3 of 12 crossings differ")
    assert alike(a[:2], a)[0] is None and difference(a[:2], a) is None


def test_a_race_is_fair_and_its_ratio_that_of_the_work():
    def contender(name, seconds):
        def start():
            return lambda i: time.sleep(seconds)

        return Contender(name, start)

    slow, fast = race([contender("slow", 0.004), contender("fast", 0.001)], 0.1, 0.01)
    assert slow.ratio == 1.0 and 1.5 < fast.ratio < 6
    assert fast.us_p50 < fast.us_p99 <= fast.us_p999 <= fast.us_worst
    assert fast.real_time_factor > slow.real_time_factor > 0


def test_the_histogram_holds_every_value():
    ms = np.array([0.0, 0.03, 0.3, 0.31, 5.0, 1e6])
    lines = histogram(ms)
    assert sum(int(line.split("ms")[1].split()[0]) for line in lines) == len(ms)
    assert histogram(np.array([])) == [] and len(histogram(np.array([1.0]))) == 1


def test_the_rendered_board_gives_each_chunk_when_it_is_due_and_ends():
    board = Rendered(n=24, seconds=0.0025)
    board.clock = JumpClock(5.0)
    board.open()
    first, second = board.read(1.0), board.read(1.0)
    assert second.first == first.end == SMALL.n
    assert board.clock.now() == second.time == pytest.approx(5.0 + (2 * SMALL.n - 1) / SMALL.rate)
    assert board.read(0.0001) is None
    last = board.read(1.0)
    assert len(last) == SMALL.n // 2 and board.read(1.0) is None and board.status.state == "ended"
    assert np.array_equal(np.concatenate([first.data, second.data, last.data]), SMALL.counts[:75])


def test_the_rendered_board_goes_round_and_at_its_pace():
    board = Rendered(n=3, rate=1000.0, chunk=0.01, pace=4.0)
    board.clock = JumpClock()
    board.open()
    rounds = len(board.counts) // 10
    chunks = [board.read(1.0) for _ in range(rounds + 1)]
    assert np.array_equal(chunks[-1].data, chunks[0].data) and chunks[-1].first == len(board.counts)
    assert board.clock.now() == pytest.approx((chunks[-1].end - 1) / 4000.0)
    board = Rendered(n=3, pace=0.0)
    board.clock = JumpClock(2.0)
    board.open()
    assert [board.read(0.0).first for _ in range(3)] == [0, 30, 60] and board.clock.now() == 2.0


@pytest.mark.realtime
def test_latency_is_the_sum_of_its_parts(monkeypatch):
    monkeypatch.setattr("bcikit.bench._rig.WARM_S", 0.1)
    stages = [Bandpass(low=250, high=5000), Bandpower(bands=("250-5000",), window=BIN_S, hop=BIN_S)]
    found = measure(Rendered(n=24), stages, Gate(), 0.5)
    assert list(found.parts) == ["board and wake-up", "bandpass", "bandpower", "gate and effector"]
    assert len(found.ms) > 2 and abs(len(found.ms) - len(found.stalls) / 20) <= 1, "one command a bin"
    assert np.all(found.ms > 0) and all(v >= 0 for v in found.parts.values())
    assert found.dearest in found.parts and found.lost == 0


def lines(*args):
    result = CliRunner().invoke(command, [*args, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.output.splitlines()]


def test_throughput_as_json_ends_with_the_summary():
    machine, *rows, last = lines("throughput", "--channels", "16", "--seconds", "0.05")
    assert {"processor", "cores", "kernels", "numpy"} <= set(machine["machine"])
    assert {"channels", "rate_hz", "real_time_factor", "ratio_scipy", "ratio_ezmsg"} <= set(last)
    assert last["channels"] == 16 and last["rate_hz"] == 30_000 and last["real_time_factor"] > 0
    assert last["ratio_ezmsg"] is None, "ezmsg has no environment here"
    assert "memory" in last["input"]
    assert {"us_p50", "us_p99", "us_p999", "us_worst", "ratio"} <= set(rows[0])


def test_kernels_and_peers_check_their_numbers():
    *_, last = lines("kernels", "--channels", "40", "--seconds", "0.05")
    assert last["error"] < 1e-5 and last["silent_over_normal"] > 0
    *rows, last = lines("peers", "--seconds", "0.05")
    assert last["error"] < 1e-5 and last["cpu"] > 0
    flow = next(r for r in rows if r.get("name", "").startswith("BrainFlow"))
    assert flow["error"] < 1e-6 and "anew" in flow["note"]
    assert any("not set up" in r.get("note", "") for r in rows)


@pytest.mark.realtime
def test_your_own_rig_is_measured():
    *_, last = lines("latency", "--board", "synthetic:chunk=0.01", "--stage", "bandpass", "--seconds", "0.3")
    assert last["board"] == "synthetic" and last["costs_most"] in last["parts_ms"]
    assert list(last["parts_ms"]) == ["board and wake-up", "bandpass", "gate and effector"]


@pytest.mark.realtime
def test_the_worst_stall_stands_beside_an_idle_process():
    *rows, last = lines("jitter", "--channels", "16", "--seconds", "0.3")
    assert last["worst_ms"] > 0 and last["idle_worst_ms"] > 0 and last["lost"] == 0
    assert [r["name"] for r in rows if "name" in r][-1] == "a process that does nothing"


@pytest.mark.parametrize(
    "args",
    [
        ("throughput", "--channels", "many"),
        ("throughput", "--channels", "0"),
        ("kernels", "--seconds", "0"),
        ("kernels", "--rate", "1"),
        ("jitter", "--board", "synthetic"),
        ("speed",),
        ("latency", "--board", "synthetik"),
    ],
)
def test_wrong_use_is_told(args, capsys):
    assert main(["bench", *args]) == 2
    assert capsys.readouterr().err.strip()


def test_a_live_rig_needs_a_grant(capsys):
    assert main(["bench", "latency", "--board", "openbci:port=/dev/none", "--subject", "S1"]) == 3
    assert "bcikit consent grant S1" in capsys.readouterr().err


def test_a_peer_that_is_not_set_up_is_refused():
    assert not _remote.there("ezmsg")
    with pytest.raises(_remote.WrongUse, match="bench peers --setup"):
        _remote.ezmsg("ezmsg", SMALL)


def test_gate_tells_what_the_consent_layer_costs():
    *rows, last = lines("gate", "--seconds", "0.2")
    assert last["bench"] == "gate" and last["data"] == "simulated"
    assert 0 < last["send_us_p50"] < last["revoke_ms_p50"] * 1000 and last["sealed_real_time"] > 0
    assert {"a send through the Gate", "revoke"} <= {row.get("name") for row in rows}

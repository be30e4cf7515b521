"""The supervisor against an oracle of its own: whatever is commanded, the limits hold; whatever is wrong, it stops."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit import WrongUse
from bcikit.effectors._limits import parse
from bcikit.effectors._spec import CommandSpec, Felt
from bcikit.effectors._supervisor import Cause, Command, Seen, Supervisor
from bcikit.kernels import ramp
from bcikit.kernels._numpy import reach

SPEC = CommandSpec(("vx", "vy", "vz", "grip"), ("m/s", "m/s", "m/s", "1"), (0.0, 0.0, 0.0, 0.5), points=1)
LIMITS = (
    """
device = "probe"
period_s = 0.005
speed = 0.36
force = 40.0
torque = 30.0
modes = ["separation", "force"]
dead_man = true
persist_s = 0.5
rearm_s = 0.05
session_s = 60
[workspace]
low = [-0.1, -0.1, -0.1]
high = [0.1, 0.1, 0.1]
[[keep_out_sphere]]
center = [0.08, 0.08, 0.0]
radius = 0.04
[[keep_out_box]]
low = [-0.08, -0.08, -0.2]
high = [-0.05, -0.04, 0.2]
"""
    + "".join(
        f'[[channel]]\nname = "v{a}"\nunit = "m/s"\naxis = "{a}"\nlow = -0.2\nhigh = 0.2\n'
        f"acceleration = {acc}\njerk = {jerk}\n"
        for a, acc, jerk in (("x", 2.0, 60.0), ("y", 1.0, 10.0), ("z", 4.0, 400.0))
    )
    + '[[channel]]\nname = "grip"\nunit = "1"\norder = "position"\nlow = 0\nhigh = 1\n'
    + 'velocity = 2\nacceleration = 20\nsafe = "1"\n'
)
# as the oracle reads it, written down a second time by hand
LOW, HIGH = np.array([-0.2, -0.2, -0.2, 0.0]), np.array([0.2, 0.2, 0.2, 1.0])
FIRST, SECOND = np.array([2.0, 1.0, 4.0, 2.0]), np.array([60.0, 10.0, 400.0, 20.0])
SAFE = np.array([0.0, 0.0, 0.0, 1.0])
DT, PERIOD, STALE, HEARTBEAT = 0.005, 0.02, 0.12, 0.1
WAY_OUT_S = 1.2  # from any state, with these bounds, all is at its safe value after so long
HOSTILE = ("nan", "inf", "huge", "full", "oscillate", "length", "late", "replay", "random", "stuck", "dead", "thief")


def limits(tmp_path, text=LIMITS):
    path = tmp_path / "probe.toml"
    path.write_text(text)
    return parse(path)[0]


class Oracle:
    """Judges from outside, with arithmetic of its own: bounds, differences, places, and that whatever must stop does."""

    def __init__(self, copies):
        self.before = np.tile([0.0, 0.0, 0.0, 0.5], (copies, 1))
        self.slope = np.zeros((copies, 4))
        self.bad_for = np.zeros(copies)
        self.violations = 0

    def judge(self, y, points, must_stop):
        eps = 1e-6
        slope = (y - self.before) / DT
        bad = ~np.isfinite(y).all(axis=1)
        bad |= ((y < LOW - eps) | (y > HIGH + eps)).any(axis=1)
        bad |= (np.abs(slope) > FIRST + eps).any(axis=1)
        bad |= (np.abs(slope - self.slope) / DT > SECOND * (1 + 1e-6) + 1e-3).any(axis=1)
        bad |= np.linalg.norm(y[:, :3], axis=1) > 0.36
        bad |= (np.abs(points) > 0.1 + eps).any(axis=1)
        bad |= np.linalg.norm(points - [0.08, 0.08, 0.0], axis=1) < 0.04 - eps
        bad |= (
            (points[:, 0] > -0.08 + eps) & (points[:, 0] < -0.05 - eps)
            & (points[:, 1] > -0.08 + eps) & (points[:, 1] < -0.04 - eps)
        )  # fmt: skip
        self.bad_for = np.where(must_stop, self.bad_for + DT, 0.0)
        bad |= (self.bad_for > WAY_OUT_S) & (np.abs(y - SAFE) > 1e-6).any(axis=1)
        self.violations += int(bad.sum())
        self.before, self.slope = y.copy(), slope


def attack(rng, kind, tick, values, base, k):
    """(values, seq, lease, brain, written, alive) of a hostile decoder of each copy, at a tick of 20 ms."""
    now = base + tick * PERIOD
    v = values
    v = np.where((kind == 0)[:, None], np.where(rng.random((k, 4)) < 0.3, np.nan, v), v)
    v = np.where((kind == 1)[:, None], np.inf * np.sign(v), v)
    v = np.where((kind == 2)[:, None], 1e9 * v, v)
    v = np.where((kind == 3)[:, None], HIGH, v)
    v = np.where((kind == 4)[:, None], HIGH if tick % 2 else LOW, v)
    seq = np.full(k, tick + 1)
    brain = np.full(k, now)
    brain = np.where(kind == 6, now - rng.uniform(0, 0.4, k), brain)
    replayed = (kind == 7) & (rng.random(k) < 0.7)
    seq = np.where(replayed, np.maximum(seq - rng.integers(1, 50, k), 1), seq)
    brain = np.where(replayed, brain - 0.5, brain)
    alive = ~((kind == 10) & (rng.random(k) < 0.5))
    lease = np.where(kind == 11, rng.integers(0, 4, k), 1)
    return v, seq, lease, brain, np.full(k, now), alive


def hostile(sup, copies, seconds, seed, change=0.01):
    """Random sequences, one a copy, of hostile and good commands, faults of the device and its sensors; (oracle, moved).
    change: how often, of all ticks, a decoder becomes hostile in another way."""
    rng = np.random.default_rng(seed)
    oracle = Oracle(copies)
    kind = rng.integers(0, len(HOSTILE), copies)
    points = np.zeros((copies, 1, 3))
    values = rng.uniform(LOW * 1.5, HIGH * 1.5, (copies, 4))
    force, distance, heard = np.zeros(copies), np.full(copies, 5.0), np.zeros(copies)
    newest, alive, good = np.full(copies, -np.inf), np.zeros(copies, bool), np.zeros(copies, bool)
    newest_seq, moved = np.zeros(copies, int), np.zeros(copies, bool)
    command = None
    for step in range(round(seconds / DT)):
        now = 10.0 + step * DT
        if step % 4 == 0:
            tick = step // 4
            turn = rng.random(copies) < 0.08
            values = np.where((turn & (kind != 9))[:, None], rng.uniform(LOW * 1.5, HIGH * 1.5, (copies, 4)), values)
            kind = np.where(rng.random(copies) < change, rng.integers(0, len(HOSTILE), copies), kind)
            force = np.where(rng.random(copies) < 0.01, rng.uniform(0, 80, copies), force * 0.95)
            distance = np.where(rng.random(copies) < 0.02, rng.uniform(0, 2, copies), distance)
            distance = np.where(rng.random(copies) < 0.002, np.nan, distance)
            v, seq, lease, brain, written, live = attack(rng, kind, tick, values, 10.0, copies)
            short = tick % 7 == 0 and bool((kind == 5).any())
            if short:  # all of this tick's commands are too short
                v = v[:, :3]
            command = Command(v, np.array([seq, lease, live, brain, written], float))
            took = (seq > newest_seq) & (lease == 1) & (brain >= newest)
            newest, newest_seq = np.where(took, brain, newest), np.where(took, seq, newest_seq)
            alive = np.where(took, live, alive)
            fit = np.zeros(copies, bool) if short else (np.isfinite(v) & (np.abs(v) < 6)).all(axis=1)
            good = np.where(took, fit, good)
        silent = (np.arange(copies) % 17 == 0) & (step % 100 > 50)
        heard = np.where(silent, heard, now)
        y = sup.step(now, command, Seen(points, np.array([heard, force, 0 * force, distance])))
        must = (now - newest > STALE + 1e-9) | ~alive | ~good | (now - heard > HEARTBEAT + 1e-9)
        must |= ~(force <= 40.0) | ~(distance > 0.3)
        points = points + DT * y[:, None, :3]
        oracle.judge(y, points[:, 0], must)
        moved |= (np.abs(y[:, :3]) > 0.01).any(axis=1)
    return oracle, moved


@pytest.mark.parametrize("copies, seconds, change", [(1000, 2.0, 0.01), (120, 10.0, 0.0)])
def test_no_hostile_decoder_breaks_a_limit(tmp_path, copies, seconds, change):
    sup = Supervisor(limits(tmp_path), SPEC, PERIOD, copies=copies)
    sup.take(1)
    oracle, moved = hostile(sup, copies, seconds, seed=0, change=change)
    assert oracle.violations == 0
    assert moved.mean() > 0.5  # what never moves breaks nothing


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_no_hostile_decoder_breaks_a_limit_in_a_million_sequences(tmp_path):
    violations = 0
    for seed in range(100):
        sup = Supervisor(limits(tmp_path), SPEC, PERIOD, copies=10_000)
        sup.take(1)
        violations += hostile(sup, 10_000, 2.0, seed)[0].violations
    assert violations == 0


def test_the_oracle_sees_a_supervisor_without_its_bounds(tmp_path):
    for row, wide in ((3, 100.0), (2, 10.0)):  # of the bounds: the second derivative, the first
        sup = Supervisor(limits(tmp_path), SPEC, PERIOD, copies=200)
        sup.take(1)
        sup.bounds[row] *= wide
        assert hostile(sup, 200, 1.0, seed=1)[0].violations


def test_a_stop_ends_within_what_reach_says():
    rng = np.random.default_rng(0)
    k = 3000
    high, steep, bend = (np.exp(rng.normal(m, s, k)) for m, s in ((0, 1), (1, 1.5), (3, 2)))
    bounds = np.array([-high, high, steep, bend])
    v = a = np.zeros(k)
    for turn in range(30):
        target = rng.uniform(-1, 1, k) * high
        for _ in range(rng.integers(1, 60)):
            v, a = ramp(v, a, target, bounds, DT)
        back, forth = reach(v, a, bounds, DT)
        p, first, last, w, b = v * DT, v * DT, v * DT, v, a
        for _ in range(1500 if turn % 10 == 0 else 100):
            w, b = ramp(w, b, 0 * w, bounds, DT)
            p = p + w * DT
            first, last = np.minimum(first, p), np.maximum(last, p)
        assert np.all(first >= -back - 1e-12) and np.all(last <= forth + 1e-12)


class Rig:
    """One supervisor that is well commanded, until a test says otherwise."""

    def __init__(self, tmp_path, text=LIMITS, **more):
        self.sup = Supervisor(limits(tmp_path, text), SPEC, PERIOD, **more)
        self.sup.take(1)
        self.step, self.point = 0, np.zeros(3)
        self.felt = {"force": 0.0, "torque": 0.0, "distance": 5.0}
        self.wanted = np.array([0.02, 0.0, 0.0, 0.5])
        self.lease, self.alive, self.brain_late, self.deaf, self.silent = 1, True, 0.0, False, False
        self.heard, self.stopped_at, self.command = 10.0, None, None

    @property
    def now(self):
        return 10.0 + self.step * DT

    def run(self, seconds, stay=False):
        """The values of the last step; commands come every 20 ms, each a little different unless they are to stay."""
        for _ in range(round(seconds / DT)):
            if self.step % 4 == 0 and not self.deaf:
                wobble = 0.0 if stay else 1e-4 * (self.step % 3)
                brain = self.now - self.brain_late
                values = self.wanted + wobble * (self.wanted != 0)
                self.command = Command.of(values, self.step + 1, brain, self.now, self.lease, self.alive)
            if not self.silent:
                self.heard = self.now
            y = self.sup.step(self.now, self.command, Seen.of(Felt(self.point[None], **self.felt), self.heard))[0]
            self.point = self.point + DT * y[:3]
            self.step += 1
        return y

    def causes(self):
        return Cause(int(self.sup.cause[0]))


@pytest.fixture
def rig(tmp_path):
    made = Rig(tmp_path)
    assert made.run(0.5)[0] > 0.019
    return made


def test_the_newest_command_is_followed(rig):
    rig.wanted[:] = [-0.02, 0.03, 0.01, 0.7]
    assert np.allclose(rig.run(1.0), rig.wanted, atol=3e-4)


FAULTS = {
    "not_a_number": (lambda r: r.wanted.__setitem__(1, np.nan), Cause.NUMBERS),
    "absurdly_large": (lambda r: r.wanted.__setitem__(0, 1e9), Cause.NUMBERS),
    "too_short": (lambda r: setattr(r, "wanted", r.wanted[:3]), Cause.NUMBERS),
    "stale_brain_data": (lambda r: setattr(r, "brain_late", 0.3), Cause.STALE),
    "no_more_commands": (lambda r: setattr(r, "deaf", True), Cause.STALE),
    "switch_let_go": (lambda r: setattr(r, "alive", False), Cause.DEADMAN),
    "force": (lambda r: r.felt.update(force=41.0), Cause.FORCE),
    "force_unknown": (lambda r: r.felt.update(force=np.nan), Cause.FORCE),
    "torque": (lambda r: r.felt.update(torque=31.0), Cause.TORQUE),
    "person_near": (lambda r: r.felt.update(distance=0.2), Cause.DISTANCE),
    "person_unseen": (lambda r: r.felt.update(distance=np.nan), Cause.DISTANCE),
    "place_unknown": (lambda r: setattr(r, "point", np.full(3, np.nan)), Cause.WORKSPACE),
    "inside_a_keep_out": (lambda r: setattr(r, "point", np.array([0.08, 0.08, 0.0])), Cause.WORKSPACE),
    "device_silent": (lambda r: setattr(r, "silent", True), Cause.DEVICE),
    "held": (lambda r: r.sup.hold(), Cause.HELD),
    "parent_gone": (lambda r: r.sup.orphan.__setitem__(0, True), Cause.PARENT),
    "lease_given_back": (lambda r: r.sup.release(1), Cause.LEASE),
    "emergency_stop": (lambda r: r.sup.stop(), Cause.ESTOP),
    "session_cap": (lambda r: r.sup.session_s.__setitem__(0, 60.0), Cause.CAP),
    "daily_cap": (lambda r: r.sup.day_s.__setitem__(0, 14400.0), Cause.CAP),
}


def test_what_brakes_on_one_axis_does_not_slide_into_a_keep_out_on_another(tmp_path):
    rig = Rig(tmp_path)  # as copy 144 of 10,000 with seed 3, cut down to what matters: x and z brake, y goes on
    rig.point, rig.wanted = np.array([0.0126, 0.0235, 0.0817]), np.array([0.17, 0.26, -0.16, 0.5])
    nearest = np.inf
    for _ in range(160):
        rig.run(DT)
        nearest = min(nearest, float(np.linalg.norm(rig.point - [0.08, 0.08, 0.0])) - 0.04)
    assert 0 <= nearest < 0.002


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_is_wrong_stops_it(rig, fault):
    make, cause = FAULTS[fault]
    make(rig)
    y = rig.run(WAY_OUT_S + 0.3)
    assert cause in rig.causes()
    assert np.allclose(y, SAFE, atol=1e-9)


def test_a_command_that_never_changes_stops_it_and_one_that_changes_moves_it_again(rig):
    assert rig.run(0.4, stay=True)[0] > 0.019
    assert rig.run(1.5, stay=True)[0] == 0 and rig.causes() == Cause.PERSIST
    assert rig.run(0.5)[0] > 0.019


def test_rest_may_be_commanded_for_ever(rig):
    rig.wanted[:] = [0, 0, 0, 0.5]
    rig.run(3.0, stay=True)
    assert rig.causes() == 0


def test_replayed_commands_count_as_none(rig):
    old = rig.command
    rig.deaf = True
    rig.run(1.0)
    rig.command = Command.of([0.2, 0, 0, 0.5], 1_000_000, float(old.about[3, 0]) - 1, rig.now)  # a new number, old data
    assert np.allclose(rig.run(0.5)[:3], 0) and rig.sup.refused[0] > 0
    rig.command = Command.of([0.2, 0, 0, 0.5], 1, rig.now, rig.now)  # an old number
    assert np.allclose(rig.run(0.5)[:3], 0)


def test_data_from_the_future_are_refused(rig):
    rig.deaf = True
    rig.command = Command.of([0.2, 0, 0, 0.5], 10_000, rig.now + 60, rig.now)
    assert np.allclose(rig.run(0.45)[:3], 0)  # sooner than anything else would stop it


def test_the_second_controller_is_refused(rig):
    with pytest.raises(WrongUse, match="led by somebody else"):
        rig.sup.take(2)
    rig.lease = 2
    assert np.allclose(rig.run(1.5)[:3], 0) and rig.sup.refused[0] > 10


def test_an_emergency_stop_is_latched_until_a_person_resets_it(rig):
    rig.sup.stop()
    assert np.allclose(rig.run(1.5)[:3], 0)
    with pytest.raises(WrongUse, match="by a person"):
        rig.sup.reset(" ")
    assert rig.sup.reset("R. Ortiz") == "R. Ortiz reset estop"
    assert rig.run(0.5)[0] > 0.019


def test_it_moves_again_only_after_a_while_without_cause(rig):
    rig.sup.hold()
    rig.run(1.0)
    rig.sup.hold(False)
    assert rig.run(0.04)[0] == 0
    assert rig.run(0.3)[0] > 0.019


def test_a_person_who_comes_near_slows_it(rig):
    rig.wanted[:] = [0.0, 0.0, 0.1, 0.5]
    rig.felt["distance"] = 0.65
    assert 0.03 < rig.run(0.3)[2] < 0.051  # half the way from stop to slow


@pytest.mark.parametrize(
    "period, own, stale", [(0.02, None, 0.12), (0.5, None, 0.6), (2.0, None, 1.0), (0.02, 0.05, 0.05), (0.02, 0.9, 0.12)]
)
def test_stale_is_the_period_and_100_ms_and_a_file_only_tightens_it(tmp_path, period, own, stale):
    text = LIMITS if own is None else f"stale_s = {own}\n" + LIMITS
    assert Supervisor(limits(tmp_path, text), SPEC, period).stale_s == pytest.approx(stale)


def test_too_much_force_retracts_then_holds(tmp_path):
    rig = Rig(tmp_path, "retract_s = 0.3\nretract = [-0.05, 0.0, 0.0, 1.0]\n" + LIMITS)
    rig.run(0.5)
    rig.felt["force"] = 60.0
    assert rig.run(0.25)[0] == pytest.approx(-0.05)
    assert rig.run(0.5)[0] == 0


def test_same_calls_same_bytes(tmp_path):
    out = []
    for _ in range(2):
        sup = Supervisor(limits(tmp_path), SPEC, PERIOD, copies=50)
        sup.take(1)
        hostile(sup, 50, 1.0, seed=3)
        out.append(sup.value.tobytes() + sup.slope.tobytes())
    assert out[0] == out[1]

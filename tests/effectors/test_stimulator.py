"""The stimulator against a second implementation of every limit, written from the definitions in other units."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bcikit import Channel, Chunk, Status, Stream
from bcikit.core.errors import FileTrouble, WrongUse
from bcikit.core.label import SIMULATED
from bcikit.core.parts import Report
from bcikit.decode.map.touch import sensation
from bcikit.effectors import _dose
from bcikit.effectors._dose import Meter, Train
from bcikit.effectors._limits import packaged
from bcikit.effectors.feedback import Feedback
from bcikit.effectors.stimulator import Stimulator
from bcikit.testing import OpenGate

# area in m², current in A, charge in C, width in s; None: no limit of its own (copied by hand from stimulator.toml)
MICRO = {"area": 2e-9, "current": 1e-4, "charge": 2e-8, "density": 10.0, "k": 1.75, "width": 4e-4}
SURFACE = {"area": 4.15e-6, "current": 8e-3, "charge": None, "density": None, "k": 1.75, "width": 5e-4}
ELECTRODES = [MICRO] * 4 + [SURFACE]
NAMES = list(Stimulator.takes.names)


def excess(row, session=0.0, day=0.0):
    """The oracle: how far the worst of all quantities is above its limit (1 is at the limit), in SI units; inf where a
    train is no train. It shares no line with what it judges."""
    if not all(map(math.isfinite, row)) or min(row) < 0:
        return math.inf
    number, i1, w1, gap, i2, w2, rate, seconds = row
    if number % 1 or not 0 < number < 6 or 0 in (i1, w1, i2, w2, rate, seconds):
        return math.inf
    i1, i2, w1, w2, gap = i1 / 1e6, i2 / 1e6, w1 / 1e6, w2 / 1e6, gap / 1e6
    e = ELECTRODES[int(number) - 1]
    q1, q2 = i1 * w1, i2 * w2
    worst = [abs(q2 / q1 - 1) / 0.01, i1 / e["current"], i2 / e["current"], w1 / e["width"], w2 / e["width"]]
    for q in (q1, q2):
        density = q / e["area"]  # C/m²
        micro_coulomb, per_square_cm = q * 1e6, density * 1e6 / 1e4
        worst.append(micro_coulomb * per_square_cm / 10 ** e["k"])
        if e["charge"]:
            worst += [q / e["charge"], density / e["density"]]
    total = math.ceil(round(rate * seconds, 9)) * (q1 + q2)
    worst += [rate / 300, rate * (w1 + gap + w2) / 0.25, seconds / 5]
    worst += [(session * 1e-6 + total) / 3e-3, (day * 1e-6 + total) / 2e-2]
    return max(worst)


def draw(rng):
    """A random command: mostly near the limits, balanced more often than not, sometimes nonsense."""
    number = rng.integers(0, 8)
    macro = number == 5
    i1 = 10 ** rng.uniform(0, 4.3 if macro else 2.5)
    w1, gap = 10 ** rng.uniform(1, 3), 10 ** rng.uniform(0, 3)
    ratio = 10 ** rng.uniform(-0.7, 0.7)
    q = 1 + rng.choice([0.0, rng.normal(0, 0.01), rng.normal(0, 0.5)], p=[0.6, 0.25, 0.15])
    row = [float(number), i1, w1, gap, i1 / ratio * abs(q), w1 * ratio, 10 ** rng.uniform(0, 2.7), 10 ** rng.uniform(-3, 1)]
    if rng.random() < 0.1:
        row[rng.integers(0, 8)] = rng.choice([0.0, -1.0, -row[1], math.nan, math.inf, -math.inf, 1e12, 2.5])
    return row


def judged(count, seed):
    """(unsafe accepted, safe refused, accepted) among so many random commands."""
    rng = np.random.default_rng(seed)
    meter = Meter(_dose.read(packaged("stimulator")))
    unsafe = refused = accepted = 0
    for k in range(count):
        if k % 50 == 0:
            meter.session, meter.day = rng.uniform(0, 3200), rng.uniform(0, 21000)
        row = draw(rng)
        before = meter.session, meter.day
        taken = not meter.give(Train(*row))
        how = excess(row, *before)
        unsafe += taken and how > 1 + 1e-9
        refused += not taken and how < 1 - 1e-9
        accepted += taken
    return unsafe, refused, accepted


def test_nothing_unsafe_is_given_and_nothing_safe_refused():
    unsafe, refused, accepted = judged(20_000, seed=0)
    assert (unsafe, refused) == (0, 0)
    assert accepted > 1000  # a stimulator that refuses all is no proof


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_nothing_unsafe_is_given_and_nothing_safe_refused_in_a_million():
    unsafe, refused, _ = judged(1_000_000, seed=1)
    assert (unsafe, refused) == (0, 0)


SAFE = dict(zip(NAMES, sensation(0.5), strict=True))


@pytest.mark.parametrize("change, why", [
    ({"current": math.nan}, "not a number"),
    ({"rate": math.inf}, "not a number"),
    ({"current": -60.0}, "negative"),
    ({"back_current": 0.0}, "monophasic"),
    ({"back_width": 0.0}, "monophasic"),
    ({"back_width": 380.0}, "balance"),
    ({"electrode": 9.0}, "no such electrode"),
    ({"current": 101.0, "back_current": 50.5}, "current"),
    ({"width": 401.0, "back_current": 401 / 8.0}, "width"),
    ({"current": 90.0, "width": 400.0, "back_current": 90.0}, "charge a phase"),
    ({"rate": 301.0}, "rate"),
    ({"gap": 9000.0}, "duty"),
    ({"seconds": 5.1}, "length"),
    ({"electrode": 5.0, "current": 8000.0, "width": 500.0, "back_current": 8000.0, "back_width": 500.0}, "Shannon"),
])  # fmt: skip
def test_each_limit_refuses(change, why):
    meter = Meter(_dose.read(packaged("stimulator")))
    assert meter.refusal(Train(**SAFE)) == ""
    assert why in meter.refusal(Train(**(SAFE | change)))


@pytest.mark.parametrize("total, why", [("session", "session"), ("day", "day")])
def test_charge_of_the_session_and_the_day_is_counted(total, why):
    meter = Meter(_dose.read(packaged("stimulator")))
    setattr(meter, total, 2999.999 if total == "session" else 19999.999)
    assert why in meter.refusal(Train(**SAFE))


def test_density_is_a_limit_of_its_own():
    dose = _dose.read(packaged("stimulator"))
    dose.electrodes[0].density_uc_cm2 = 499.0
    assert "density" in Meter(dose).refusal(Train(**SAFE))  # 10 nC on 2000 µm²


def stimulator(tmp_path, **change):
    text = packaged("stimulator").read_text()
    for old, new in change.values():
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "own.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("old, new, said", [
    ("area_mm2 = 0.002\n", "", "area of its surface"),
    ("area_mm2 = 0.002", "area_mm2 = -1", "out of bounds"),
    ("area_mm2 = 0.002", "area_um2 = 2000", "no setting 'area_um2'"),
    ("area_mm2 = 0.002", 'area_mm2 = "2000 µm²"', "not a number"),
    ("charge_nc = 20.0\n", "", "does not hold below 1 mm²"),
    ("shannon_k = 1.75", "shannon_k = 1.9", "out of bounds"),
    ("day_uc = 20000.0\n", "", "charge of a session or a day"),
])  # fmt: skip
def test_a_file_that_leaves_open_what_is_safe_is_refused(tmp_path, old, new, said):
    text = packaged("stimulator").read_text().replace('name = "thumb"', 'name = "thumb"\nshannon_k = 1.75')
    assert old in text
    path = tmp_path / "own.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(WrongUse, match=said):
        _dose.parse(path)


def test_limits_of_ones_own_must_be_signed(tmp_path):
    path = stimulator(tmp_path)
    with pytest.raises(FileTrouble, match="not signed"):
        OpenGate().open(Stimulator(limits=str(path), lockstep=True), Stimulator.commands().stream)


def row(**change):
    return np.array([[float((SAFE | change)[n]) for n in NAMES]], np.float32)


def test_a_wrong_unit_is_refused_where_it_opens():
    units = list(Stimulator.takes.units)
    units[NAMES.index("current")] = "mA"
    channels = tuple(Channel(n, "aux", u) for n, u in zip(NAMES, units, strict=True))
    with pytest.raises(WrongUse, match="takes current in µA"):
        OpenGate().open(Stimulator(lockstep=True), Stream("s", 50.0, channels, label=SIMULATED))


def test_what_is_refused_is_not_given_and_ends_what_was_under_way():
    made = Stimulator(lockstep=True)
    permit = OpenGate().open(made, Stimulator.commands().stream)
    permit.send(Chunk(row(), 0))
    assert made.felt == pytest.approx(0.5) and made.reached[0] == pytest.approx(math.sqrt(50 / 1292))
    permit.send(Chunk(row(current=500.0), 1))
    assert made.train is None and (made.given, made.refused) == (1, 1) and "balance" in made.why


@pytest.mark.parametrize("act", [
    lambda s: s.safe(), lambda s: s.close(), lambda s: s.pulse(Report(1.0, Status("stale"), 1, (0, 0), (0, 0), {})),
])  # fmt: skip
def test_it_ends_at_once_when_it_must(act):
    made = Stimulator(lockstep=True)
    OpenGate().open(made, Stimulator.commands().stream).send(Chunk(row(), 0))
    act(made)
    assert made.train is None and made.felt == 0


def test_the_charge_of_the_day_survives_a_restart():
    for turn in (1, 2):
        made = Stimulator()
        permit = OpenGate().open(made, Stimulator.commands().stream)
        assert made._meter.day == pytest.approx(0.04 * (turn - 1))  # two pulses of twice 10 nC
        permit.send(Chunk(row(), 0))
        permit.close()


def test_touch_goes_to_the_person_and_back():
    made = Stimulator(lockstep=True)
    permit = OpenGate().open(made, Stimulator.commands().stream)
    for strength in (0.1, 0.5, 1.0, 3.0, 0.0, -1.0):
        permit.send(Chunk(sensation(strength)[None].astype(np.float32), 0))
        assert made.felt == pytest.approx(min(max(strength, 0), 1), abs=1e-6)


def test_feedback_is_smooth_bounded_and_zero_when_nobody_knows():
    shown = []
    made = Feedback(low=0, high=2, smooth=0.1)
    made.show = lambda s: shown.append(s.copy())
    stream = Stream("alpha", 50.0, (Channel("alpha", "power", "µV²"),), label=SIMULATED)
    permit = OpenGate().open(made, stream)
    permit.send(Chunk(np.full((5, 1), 1.0, np.float32), 0))
    assert shown[-1][0] == pytest.approx(0.5 * (1 - math.exp(-1)))
    permit.send(Chunk(np.full((100, 1), 9.0, np.float32), 5))
    assert 0.99 < shown[-1][0] <= 1
    permit.send(Chunk(np.full((1, 1), np.nan, np.float32), 105))
    assert shown[-1][0] == 0
    with pytest.raises(WrongUse, match="Nothing lies between"):
        Feedback(low=1, high=1)

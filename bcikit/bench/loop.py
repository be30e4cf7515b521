"""The simulated closed loop, scored: decoders side by side on the same people, implants and targets; days, and a bad night.

Everything here is simulated, from the parameters of `bcikit/simulate/loop_facts.py`; `parameters` is their hash. Gains are
tuned for every decoder in the same way, on other people than those who are scored: by simulating the person with the
calibrated decoder over the same GAINS (F. R. Willett et al., Sci. Rep. 9:8881, 2019, doi:10.1038/s41598-019-44166-7).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from ..decode.kinematics.steering import Steering
from ..kernels import one_thread
from ..simulate.loop_facts import fact, fingerprint
from ..simulate.population import Populations
from ..tasks._targets import Targets
from ..tasks.closed_loop import BLOCKS, DECODERS, PUBLISHED
from ..tasks.grid import Grid
from ..tasks.world import STEP_S, World
from ._many import Heard, Many, Networks, Told, Use, many
from .raw import raw, step

TEACHERS = ("static", "aligned", "rti", "prit", "known")  # of the row days, each also a row of its own
ROWS = ("grid", "click", "refit", "gate", "gru", "bins", "days", *TEACHERS, "minutes", "night", "step", "raw")
USE_S = 60.0  # for which a calibrated decoder is scored
DAY_S = 300.0  # of use a day, the least that is asked for
MORNING_S = 60.0  # of it before the first refit of the day; the second comes at the end
MINUTE_S = 60.0  # between two refits behind a bad night
TUNING = (101, 102, 103, 104, 105, 106)  # the people on whom gains are tuned
GAINS = (0.7, 0.85, 1.0, 1.2, 1.4, 1.7, 2.0)  # of the calibrated decoder, on top of its own speed
SETTLE_S = 20.0  # of use in which the person gets used to another gain
OURS: dict[str, Sequence[Any]] = {"hold_s": (0.1, 0.3, 1.0), "shrinkage": (0.3,)}
REFIT = DECODERS["refit"][1]
THEIRS: dict[str, Sequence[Any]] = {"shrinkage": (0.0, 0.3)}
HEARD = {"speed": (1.4, 2.0, 2.8, 4.0), "lag_s": (0.02, 0.04, 0.06, 0.08)}
SIDES = (6, 8, 10, 12, 16, 20)  # of grids on which a click selects
CLICKING: dict[str, Sequence[Any]] = {"side": (6, 8, 10), "gain": (0.85, 1.0, 1.2)}  # where clicks are decoded
STILL = (0.1, 0.2, 0.3)  # parts of a full speed below which a gate holds the cursor
CLICK_DWELL_S = 0.5  # a stay that ends a target while clicks are learnt
SHOWN = (0, 1, 2, 5, 10, 20, 30, 60, 90, 120, 180, 240, 300, 365)


def loop(rows: Sequence[str], seeds: Sequence[int], days: int = 60, seconds: float = 5.0) -> Iterator[dict[str, Any]]:
    """A dict a figure, as they are known."""
    yield {"simulated": True, "parameters": fingerprint(), "seeds": len(seeds), "tuned_on": len(TUNING)}
    made: dict[str, Callable[[Sequence[int]], Iterator[dict[str, Any]]]] = {
        "grid": grid,
        "refit": refit,
        "gate": gate,
        "gru": network,
        "bins": bins,
        "click": click,
        "days": lambda s: stays(s, days),
        **{t: partial(stays, days=days, teachers=(t,)) for t in TEACHERS},
        "minutes": minutes,
        "night": night,
        "step": lambda s: step(),
        "raw": lambda s: raw(s[0], seconds),
    }
    with one_thread():  # more of them would wait for each other
        for row in rows:
            yield from made[row](seeds)


# -- what one figure takes


def world(seeds: Sequence[int], units: int, step_s: float = STEP_S, perfect: bool = False) -> World:
    return World(seeds, units, Grid(seeds, step_s, fact("dwell_s")), step_s, perfect)


def scored(m: Many) -> np.ndarray:
    """(runs) bits a second of a calibrated decoder."""
    m.world.task.fresh()
    m.use(USE_S, keep=False)
    return m.world.task.bits_per_s()


def calibrated(
    seeds: Sequence[int],
    units: int,
    step_s: float = STEP_S,
    blocks: Any = BLOCKS,
    patience_s: float = math.inf,
    gain: float | None = None,
    **settings: Any,
) -> Many:
    """Calibrated as `Many.calibrate` does it; with a gain, the people get used to that before they are scored."""
    m = many(world(seeds, units, step_s), **settings)
    m.calibrate(blocks, patience_s)
    return m if gain is None else geared(m, gain)


def geared(m: Many, gain: float) -> Many:
    """The same at another gain, to which the people got used."""
    m.scale(gain)
    m.use(SETTLE_S, keep=False)
    return m


def every(over: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """All combinations."""
    return [dict(zip(over, values, strict=True)) for values in product(*over.values())]


def tuned(
    units: int, over: Mapping[str, Sequence[Any]], calibration: Mapping[str, Any] | None = None, **fixed: Any
) -> dict[str, Any]:
    """The settings, of all combinations of `over` and GAINS, with most bits a second for the people of TUNING."""
    settings = [{**fixed, **some} for some in every(over)]
    m = Many(world(TUNING * len(settings), units), [Steering(**s) for s in settings for _ in TUNING])
    m.calibrate(**calibration or {})
    bits = [scored(geared(deepcopy(m), gain)).reshape(len(settings), -1).mean(axis=1) for gain in GAINS]
    gain, best = np.unravel_index(int(np.argmax(bits)), (len(GAINS), len(settings)))
    return {**settings[int(best)], "gain": GAINS[int(gain)]}


def ceiling(seeds: Sequence[int]) -> np.ndarray:
    """(runs) bits a second of people who never look away, when the very push is decoded, at the best of some speeds."""
    tried = [many(world(seeds, 1, perfect=True), noiseless=True, speed=s) for s in (1.4, 2.0, 2.8, 4.0)]
    return np.max([scored(m) for m in tried], axis=0)


def interval(values: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Mean, and its 95 % interval by drawing the people anew."""
    v = np.asarray(values, float)
    rng = np.random.default_rng(seed)
    means = rng.choice(v, (2000, len(v))).mean(axis=1)
    return {"mean": float(v.mean()), "ci": [float(q) for q in np.percentile(means, (2.5, 97.5))]}


def ratio(got: np.ndarray, base: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """One mean over another, and its 95 % interval by drawing the people anew: nobody's 0 makes it infinite."""
    drawn = np.random.default_rng(seed).integers(len(got), size=(2000, len(got)))
    means = got[drawn].mean(axis=1) / np.maximum(base[drawn].mean(axis=1), 1e-9)
    return {"mean": float(got.mean() / max(base.mean(), 1e-9)), "ci": [float(q) for q in np.percentile(means, (2.5, 97.5))]}


# -- the rows


def grid(seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """6 x 6 cells, a stay selects: the decoder at two sizes, beside what the person could do at best; and what bounds it:
    people who look away at times and a decoder that takes its time, then the noise that no number of units averages out; and
    what a decoder of goals could do at best."""
    best = ceiling(seeds)
    yield {"row": "grid, noiseless person", **interval(best)}
    for name, exact in (("delay and pauses alone", True), ("and the noise that all units share", False)):
        settings = max(every(HEARD), key=lambda s: float(heard(TUNING, exact, **s).mean()))
        got = heard(seeds, exact, **settings)
        yield {"row": f"grid, {name}", **interval(got), "of_ceiling": ratio(got, best), "settings": settings}
    settings = max(every(HEARD), key=lambda s: float(told(TUNING, **s).mean()))
    got = told(seeds, **settings)
    yield {"row": "grid, every target told", **interval(got), "of_ceiling": ratio(got, best), "settings": settings}
    for units in (192, 1024):
        settings = tuned(units, OURS)
        got = scored(calibrated(seeds, units, **settings))
        yield {"row": f"grid, {units} channels", **interval(got), "of_ceiling": ratio(got, best), "settings": settings}


def heard(seeds: Sequence[int], exact: bool, **settings: float) -> np.ndarray:
    """(runs) bits a second where units without end are decoded."""
    m = Heard(world(seeds, 1), exact=exact, **settings)
    m.use(SETTLE_S, keep=False)
    return scored(m)


def told(seeds: Sequence[int], **settings: float) -> np.ndarray:
    """(runs) bits a second where the target is known, not decoded."""
    m = Told(world(seeds, 1), **settings)
    m.use(SETTLE_S, keep=False)
    return scored(m)


def click(seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Where a decoded click selects: grid and gain found on other people at 1,024 channels; before that what bounds it, each
    click being known: a person whose very push is decoded, then with the noise that no number of units averages out."""
    for name, exact in (("noiseless person", True), ("and the noise that all units share", False)):
        tried = every({"side": SIDES, **HEARD})
        settings = max(tried, key=lambda s: float(clicks_heard(TUNING, exact, **s).bits_per_s().mean()))
        yield {"row": f"click, {name}", **_selected(clicks_heard(seeds, exact, **settings)), "settings": settings}
    m = clicking(TUNING, 1024)
    settings = max(every(CLICKING), key=lambda s: float(scored(clicked_on(m, TUNING, **s)).mean()))
    for units in (1024, 4096):
        m = clicked_on(clicking(seeds, units), seeds, **settings)
        scored(m)
        yield {"row": f"click, {units} channels", **_selected(m.world.task), "settings": settings}


def _selected(task: Targets) -> dict[str, Any]:
    """Bits a second, and how many selections a minute they are made of."""
    a_minute = {name: float(n.mean() * 60 / task.seconds) for name, n in (("correct", task.correct), ("wrong", task.wrong))}
    return {**interval(task.bits_per_s()), **a_minute}


def clicks_heard(seeds: Sequence[int], exact: bool, side: int, **settings: float) -> Targets:
    """The task as it went where units without end are decoded, and clicks without error."""
    m = Heard(World(seeds, 1, Grid(seeds, STEP_S, None, side), perfect=exact), exact=exact, **settings)
    m.use(SETTLE_S, keep=False)
    scored(m)
    return m.world.task


def clicking(seeds: Sequence[int], units: int) -> Many:
    """People whose clicks are decoded; calibrated on a coarse grid, where a stay ends a target meanwhile."""
    m = many(World(seeds, units, Grid(seeds, STEP_S, CLICK_DWELL_S)))
    m.calibrate()
    use = m.use(USE_S)
    m.fit(use)
    m.learn_clicks(use)
    return m


def clicked_on(m: Many, seeds: Sequence[int], side: int, gain: float, still: float = 0.0) -> Many:
    """The same people on a grid of so many cells a side, where a click alone selects; `still`: as a part of full speed."""
    m = deepcopy(m)
    m.world.task, m.still = Grid(seeds, STEP_S, None, side), still * m.speed
    return geared(m, gain)


def refit(seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The decoder beside ReFIT-Kalman, as published and with a time constant that is set as ours is; and beside itself with
    what no decoder knows: the push itself, over five minutes. All tuned in the same way."""
    for units in (96, 192):
        theirs = tuned(units, THEIRS, PUBLISHED, **REFIT)
        base = scored(calibrated(seeds, units, **theirs, **PUBLISHED))
        yield {"row": f"ReFIT-Kalman, {units} channels", **interval(base), "settings": theirs}
        faster = tuned(units, OURS, PUBLISHED, **{name: value for name, value in REFIT.items() if name not in OURS})
        got = scored(calibrated(seeds, units, **faster, **PUBLISHED))
        name = f"ReFIT, time constant set, {units} channels"
        yield {"row": name, **interval(got), "ratio": ratio(got, base), "settings": faster}
        ours = tuned(units, OURS)
        m = calibrated(seeds, units, **ours)
        got = scored(m)
        yield {"row": f"steering, {units} channels", **interval(got), "ratio": ratio(got, base), "settings": ours}
        m.fit(m.use(DAY_S), "told")
        bound = scored(geared(m, ours["gain"]))
        yield {"row": f"told the push, {units} channels", **interval(bound), "ratio": ratio(bound, base)}


def gate(seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Slow velocities taken for no wish to move (`still`), beside the same decoder without that: where a stay selects, and
    where a decoded click does. Both tuned on other people."""
    for units in (96, 192, 1024):
        plain = tuned(units, OURS)
        base = scored(calibrated(seeds, units, **plain))
        over = {"still": [part * Steering.speed for part in STILL]}
        settings = tuned(units, over, **{name: plain[name] for name in OURS})
        got = scored(calibrated(seeds, units, **settings))
        yield {"row": f"gated, {units} channels", **interval(got), "ratio": ratio(got, base), "settings": settings}
    m, people = clicking(TUNING, 1024), clicking(seeds, 1024)
    bits: list[np.ndarray] = []
    for some in (every(CLICKING), every({**CLICKING, "still": STILL})):
        settings = max(some, key=lambda s: float(scored(clicked_on(m, TUNING, **s)).mean()))
        bits.append(scored(clicked_on(people, seeds, **settings)))
    base, got = bits
    yield {"row": "gated, clicks, 1024 channels", **interval(got), "ratio": ratio(got, base), "settings": settings}


def network(seeds: Sequence[int], units: int = 192) -> Iterator[dict[str, Any]]:
    """`gru` in place of the Kalman filter: it learns from the same calibration, moves the cursor for as long as a block of
    it, and learns again from all. Its gain is tuned as the others' are."""

    def learnt(people: Sequence[int]) -> Networks:
        m = Networks(world(people, units), [Steering() for _ in people])
        use = m.calibrate()
        m.learn(use)
        m.learn(use.then(m.use(BLOCKS[-1][0])))
        return m

    m = learnt(TUNING)
    gain = max(GAINS, key=lambda g: float(scored(geared(m, g)).mean()))
    got = scored(geared(learnt(seeds), gain))
    yield {"row": f"gru, {units} channels", **interval(got), "settings": {"gain": gain}}


def bins(seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Short bins win while steering, long ones offline (J. P. Cunningham et al., J. Neurophysiol. 105:1932-1949, 2011,
    doi:10.1152/jn.00503.2010)."""
    for step_s in (0.02, 0.05, 0.1, 0.2):
        m = calibrated(seeds, 96, step_s, gain=1.0)
        use = m.use(USE_S)
        r2 = [m.offline(use, run) for run in range(len(seeds))]
        yield {"row": f"bins of {1000 * step_s:.0f} ms", **interval(scored(m)), "offline_r2": interval(np.array(r2))}


def stays(seeds: Sequence[int], days: int, teachers: Sequence[str] = TEACHERS, units: int = 192) -> Iterator[dict[str, Any]]:
    """Day after day: no learning, latents aligned, RTI, PRI-T, every target known. Time to target over day 0's; `days` holds
    the mean of every day. All that learn live side by side, each with the same people; what does not learn lives the days
    alone that are shown, since the others leave nothing behind in it."""
    shown = sorted({day for day in SHOWN if 0 < day < days} | {days})
    for together in ([t for t in teachers if t != "static"], [t for t in teachers if t == "static"]):
        if together:
            yield from _lived(seeds, units, days, shown, together)


def _lived(
    seeds: Sequence[int], units: int, days: int, shown: Sequence[int], teachers: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """The lines of these teachers, each with people of its own."""
    m = many(world([*seeds] * len(teachers), units))
    use, each_run = m.calibrate(), np.repeat(teachers, len(seeds)).tolist()
    m.read_latents(use, [run for run, teacher in enumerate(each_run) if teacher == "aligned"])
    m.world.task.timeout_s = fact("timeout_s")  # what is never reached counts as so long
    m.use(DAY_S, keep=False)
    first = m.world.task.seconds_to_target()
    room = m.room(DAY_S)
    curves: dict[str, dict[int, float]] = {teacher: {} for teacher in teachers}
    for day in range(1, days + 1):
        m.world.neurons.tonight()
        if teachers == ["static"] and day not in shown:
            continue
        each = (_day(m, each_run, room) / first).reshape(len(teachers), -1)
        for teacher, now in zip(teachers, each, strict=True):
            curves[teacher][day] = float(now.mean())
            if day in shown:
                line = {"row": f"day {day}, {teacher}", **interval(now), "people": now.tolist()}
                yield line if day < days else {**line, "days": curves[teacher]}


def _day(m: Many, teachers: Sequence[str], use: Use) -> np.ndarray:
    """Five minutes of use, kept in `use`; what learns does so after the first, and at the end. (runs) mean seconds to a
    target."""
    m.world.task.fresh()
    if set(teachers) == {"static"}:
        m.use(DAY_S, keep=False)
    else:
        noon = round(MORNING_S / m.world.step_s)
        m.fit(m.live(use.part(0, noon)), teachers)
        m.live(use.part(noon, len(use.counts)))
        m.fit(use, teachers)
    return m.world.task.seconds_to_target()


def minutes(seeds: Sequence[int], days: int = 20, units: int = 96) -> Iterator[dict[str, Any]]:
    """A minute of use a day and few channels, where guesses are at their worst: PRI-T as it is, PRI-T that takes nothing
    back, and every target known; bits a second, the mean of the second half of the days."""
    teachers = np.repeat(["prit", "prit", "known"], len(seeds)).tolist()
    m = many(world([*seeds] * 3, units))
    m.calibrate()
    bits = []
    for _ in range(days):
        m.world.neurons.tonight()
        m.world.task.fresh()
        use = m.use(MINUTE_S / 2)
        for part in (0, MINUTE_S / 2):
            use = use.then(m.use(part)) if part else use
            for d in m.decoders[len(seeds) : 2 * len(seeds)]:
                vars(d).pop("before_", None)
            m.fit(use, teachers)
        bits.append(m.world.task.bits_per_s())
    late = np.mean(bits[days // 2 :], axis=0).reshape(3, -1)
    for name, now in zip(("PRI-T", "PRI-T without the guardian", "known"), late, strict=True):
        yield {"row": f"a minute a day, {units} channels, days {days // 2 + 1} to {days}, {name}", **interval(now)}


def night(seeds: Sequence[int], units: int = 192) -> Iterator[dict[str, Any]]:
    """A bad night takes part of the units, or a bank of channels falls silent: minute after minute of use, without labels,
    bits a second over those before."""
    well = calibrated(seeds, units)
    well.use(SETTLE_S, keep=False)
    before = np.maximum(scored(well), 0.1)
    for what, happens in (("bad night", Populations.shock), ("a bank lost", Populations.lose_bank)):
        m, known = deepcopy(well), None
        happens(m.world.neurons)
        for minute in range(1, 7):
            m.world.task.fresh()
            use = m.use(MINUTE_S)
            known = use if known is None else known.then(use)
            yield {"row": f"{what}, minute {minute}", **interval(m.world.task.bits_per_s() / before)}
            m.fit(known, "prit")

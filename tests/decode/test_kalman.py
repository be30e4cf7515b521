"""The Kalman decoder against the full recursion written out, and against what monkeys' decoders put out."""

from __future__ import annotations

import time

import numpy as np
import pytest

from bcikit.bench.kinematics import single_steps
from bcikit.core.errors import WrongUse
from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Chunk, Stream, recording
from bcikit.decode.kinematics.kalman import Kalman
from bcikit.decode.map.limit import Limit
from bcikit.simulate.neurons import Neurons


def model(units=12, d=3, seed=0):
    """A, W, C, R and means of a made-up movement."""
    rng = np.random.default_rng(seed)
    A = 0.9 * np.eye(d) + 0.03 * rng.standard_normal((d, d))
    L, N = rng.standard_normal((d, d)), rng.standard_normal((units, units))
    return A, L @ L.T / d, rng.standard_normal((units, d)), N @ N.T / units + np.eye(units), rng.random(units), rng.random(d)


def textbook(x, A, W, C, R, x_mean, y_mean):
    """Predict and update with the whole gain at every step (Wu 2006), from rest."""
    y, P, out = np.zeros(len(A)), W.copy(), []
    for row in x - x_mean:
        y, P = A @ y, A @ P @ A.T + W
        K = P @ C.T @ np.linalg.inv(C @ P @ C.T + R)
        y, P = y + K @ (row - C @ y), (np.eye(len(A)) - K @ C) @ P
        out.append(y + y_mean)
    return np.array(out)


def stream(n, rate=50.0):
    return Stream("counts", rate, tuple(Channel(f"u{k}", "spikes", "count") for k in range(n)))


def test_settled_it_is_the_full_filter():
    m = model()
    x = np.random.default_rng(1).standard_normal((400, 12))
    got = Kalman(outputs=("x", "y", "z")).solve(*m).predict(x)
    want = textbook(x, *m)
    assert np.abs(got[200:] - want[200:]).max() < 1e-10  # the gain's first steps are long forgotten
    assert np.abs(got[:3] - want[:3]).max() < 0.5 * np.abs(want).max()


def test_full_it_is_the_full_filter_from_the_first_bin_on():
    m = model()
    x = np.random.default_rng(1).standard_normal((60, 12))
    whole = Kalman(outputs=("x", "y", "z"), full=True).solve(*m)
    assert np.abs(whole.predict(x) - textbook(x, *m)).max() < 1e-12
    source = recording(stream(12), x.astype(np.float32))
    assert np.allclose(Pipeline([whole]).run(source, sizes=iter([7] * 9)).data, textbook(x, *m), atol=1e-5)
    lean = Kalman(full=True)
    lean.K_, lean.M_, lean.c_ = np.ones((2, 3)), np.eye(2), np.zeros(2)
    with pytest.raises(WrongUse, match="not its settled gain alone"):
        lean.predict(x[:, :3])


def test_what_is_slow_is_held_and_what_is_fast_goes_on():
    m = model()
    x = np.random.default_rng(1).standard_normal((400, 12))
    free, held = (Kalman(outputs=("x", "y", "z"), still=still).solve(*m).predict(x) for still in (0.0, 0.5))
    fast = np.linalg.norm(free, axis=1)
    left = np.linalg.norm(held, axis=1) / fast
    assert (left[fast < 0.2] < 0.03).all() and (left[fast > 1.5] > 0.98).all() and (fast < 0.2).any()
    assert np.allclose(held * fast[:, None], free * np.linalg.norm(held, axis=1)[:, None])


def test_fit_finds_the_model_that_made_the_data():
    A, W, C, R, x_mean, y_mean = model(seed=2)
    rng = np.random.default_rng(3)
    y = np.zeros((40_000, 3))
    for t in range(1, len(y)):
        y[t] = A @ y[t - 1] + np.linalg.cholesky(W) @ rng.standard_normal(3)
    x = y @ C.T + rng.standard_normal((len(y), 12)) @ np.linalg.cholesky(R).T + x_mean
    k = Kalman(outputs=("x", "y", "z"), shrinkage=0).fit(x, y + y_mean)
    assert np.abs(k.A_ - A).max() < 0.03 and np.abs(k.W_ - W).max() < 0.05 * W.max() and np.abs(k.C_ - C).max() < 0.05
    best = Kalman(outputs=("x", "y", "z")).solve(A, W, C, R, x_mean, y_mean).predict(x)
    error = [np.mean((z[500:] - y[500:] - y_mean) ** 2) for z in (k.predict(x), best)]
    assert error[0] < 1.02 * error[1] < 0.2 * y.var()


def test_step_and_predict_are_the_same_arithmetic():
    k = Kalman(outputs=("x", "y", "z"), root=True).solve(*model())
    x = np.random.default_rng(4).poisson(3, (300, 12)).astype(np.float32)
    out = k.start(stream(12))
    assert [c.kind for c in out.channels] == ["velocity"] * 3 and out.rate == 50
    got = np.concatenate([k.step(c).data for c in recording(stream(12), x).recut([1, 7, 0, 100])])
    assert got.tobytes() == k.predict(x).astype(np.float32).tobytes()


def test_a_diagonal_is_enough_where_there_is_no_more():
    A, W, C, _, *means = model()
    v = np.random.default_rng(9).uniform(1, 2, 12)
    one, two = (Kalman(outputs=("x", "y", "z")).solve(A, W, C, r, *means) for r in (v, np.diag(v)))
    assert one.K_ == pytest.approx(two.K_, rel=1e-12)


def test_runs_do_not_join():
    rng = np.random.default_rng(5)
    y = np.cumsum(rng.standard_normal((200, 2)), axis=0) * 0.05
    x = y @ rng.standard_normal((2, 9)) + 0.1 * rng.standard_normal((200, 9))
    jumps = np.concatenate([y, y + 100]), np.concatenate([x, x])
    whole = Kalman().fit(jumps[1], jumps[0])
    cut = Kalman().fit(jumps[1], jumps[0], runs=np.repeat([0, 1], 200))
    assert np.trace(cut.W_) < 1e-2 * np.trace(whole.W_)


def test_bins_with_nan_are_left_out_and_cut_the_run():
    rng = np.random.default_rng(5)
    y = np.cumsum(rng.standard_normal((400, 2)), axis=0) * 0.05
    x = y @ rng.standard_normal((2, 9)) + 0.1 * rng.standard_normal((400, 9))
    holed, kept = x.copy(), np.delete(np.arange(400), [0, 100, 101])
    holed[[0, 100, 101], [3, 4, 5]] = np.nan, np.inf, -np.inf
    want = Kalman().fit(x[kept], y[kept], runs=kept > 100)
    assert np.array_equal(Kalman().fit(holed, y).K_, want.K_)


def test_channels_that_tell_nothing_or_break():
    rng = np.random.default_rng(6)
    y = rng.standard_normal((500, 2)).cumsum(axis=0) * 0.05
    x = np.column_stack([y @ rng.standard_normal((2, 6)) + 0.2 * rng.standard_normal((500, 6)), np.full(500, 4.0)])
    for shrinkage in (0, 0.3, 1):
        k = Kalman(shrinkage=shrinkage).fit(x, y)
        assert np.isfinite(k.K_).all() and not k.K_[:, 6].any()
    k.start(stream(7))
    k.step(Chunk(x[:5].astype(np.float32), 0, 0.1))
    bad = x[4:5].astype(np.float32)
    bad[0, [2, 6]] = np.nan, np.inf
    held = k.step(Chunk(bad, 5, 0.12)).data
    want = k.predict(np.concatenate([x[:5].astype(np.float32), x[4:5].astype(np.float32)]))[-1]
    assert held[0] == pytest.approx(want, rel=1e-6)


def test_wrong_use_is_told():
    rng = np.random.default_rng(7)
    x, y = rng.standard_normal((50, 4)), rng.standard_normal((50, 2))
    for said, act in {
        "not fitted": lambda: Kalman().start(stream(4)),
        "fitted to 4 channels": lambda: Kalman().fit(x, y).start(stream(5)),
        "2 velocities; outputs names 1": lambda: setattr(k := Kalman().fit(x, y), "outputs", ("x",)) or k.predict(x),
        "4 channels; X is": lambda: Kalman().fit(x, y).predict(x[:, :3]),
        r"\(bins, 2\)": lambda: Kalman().fit(x, y[:, :1]),
        "from 5 bins": lambda: Kalman().fit(x[:5], y[:5]),
        "from 0 bins without NaN": lambda: Kalman().fit(x * np.nan, y),
        "do not vary": lambda: Kalman().fit(x, y * [1, 0]),
        "no inverse": lambda: Kalman(shrinkage=0).fit(np.column_stack([x, x]), y),
    }.items():
        with pytest.raises(WrongUse, match=said):
            act()


def test_one_step_of_4096_channels_takes_microseconds():
    k = Kalman(outputs=("a", "b", "c", "d"))
    k.solve(0.9 * np.eye(4), np.eye(4), np.random.default_rng(8).standard_normal((4096, 4)), np.full(4096, 9.0))
    k.start(stream(4096))
    chunks = [Chunk(np.ones((1, 4096), np.float32), i, 0.0) for i in range(2000)]
    took = []
    for c in chunks:
        begin = time.perf_counter_ns()
        k.step(c)
        took.append(time.perf_counter_ns() - begin)
    assert np.percentile(took, 10) < 40_000  # 7 µs on a quiet machine


def test_it_reads_the_simulated_implant_and_stays_within_limits():
    """Intention to spikes of 96 electrodes, binned, to velocity: fitted on a minute, tried on the next."""
    neurons, rng = Neurons(115, 30_000, seed=1), np.random.default_rng(0)
    wanted, counts, v = [], [], np.zeros(2)
    for _ in range(2 * 3000):  # bins of 20 ms; an intention that wanders, 1 rms in 0.5 s
        v = 0.96 * v + 0.28 * rng.standard_normal(2)
        neurons.intend(v)
        wanted.append(v)
        counts.append(np.bincount(neurons.spikes(20)[1], minlength=115))
    y, x = np.array(wanted), np.array(counts, np.float32)
    line = Pipeline([Kalman(unit="1/s").fit(x[:3000], y[:3000]), Limit(speed=1.5, acceleration=20)])
    got = line.run(recording(stream(115), x[3000:])).data
    assert line.out.rate == 50 and [c.kind for c in line.out.channels] == ["velocity"] * 2
    assert (np.hypot(*got.T) <= 1.5 + 1e-5).all()
    free = line.stages[0].predict(x[3000:])
    r2 = 1 - ((free - y[3000:]) ** 2).sum(axis=0) / (y[3000:] ** 2).sum(axis=0)
    assert (r2 > 0.8).all()


# -- what monkeys' own decoders put out (README of the data)


def test_the_monkeys_decoder_from_its_parameters(shared):
    import scipy.io

    m = scipy.io.loadmat(shared("m1-golub-bci/J20120305_reassociation.mat"), squeeze_me=True, struct_as_record=False)
    p = m[next(k for k in m if not k.startswith("_"))]
    own = (p.expParams if hasattr(p, "expParams") else m["expParams"]).intuitiveMapping
    fields = {n.lower(): np.asarray(getattr(own, n), float) for n in own._fieldnames if n not in ("description",)}
    A, Q, C, R = (fields[k] for k in "aqcr")
    k = Kalman(unit="mm/s").solve(A, Q, C, R)
    assert np.abs(k.K_ - fields["k"]).max() < 1e-9 * np.abs(fields["k"]).max()
    assert np.abs(k.M_ - fields["m1"]).max() < 1e-9


def test_a_monkeys_velocities_of_single_bins_from_its_model_for_both_maps(shared):
    errors = dict(single_steps(shared("m1-golub-bci/J20120305_reassociation.mat")))
    assert set(errors) == {"intuitive", "perturbed"} and all(0 < e <= 1e-6 for e in errors.values())


def test_the_monkeys_velocities_from_its_spikes(shared):
    with np.load(shared("m1-golub-bci/20131218_velocity_kf.npz")) as d:
        for which in ("intuitive", "perturbed"):
            g = {n: d[f"{which}_{n}"] for n in ("spikes", "vel", "vel_prev", "run", "M0", "M1", "M2")}
            k = Kalman(unit="mm/s")
            k.M_, k.K_, k.c_ = (np.asarray(g[n], float) for n in ("M1", "M2", "M0"))
            k.x_mean_, k.y_mean_ = g["spikes"].mean(axis=0), np.zeros(2)
            worst = 0.0
            for run in np.unique(g["run"]):
                at = g["run"] == run
                k.start(stream(87, 1 / 0.045))
                k._now[87:-1] = g["vel_prev"][at][0]  # where the stretch began
                got = k.step(Chunk(g["spikes"][at].astype(np.float32), 0, 0.0)).data
                worst = max(worst, float(np.abs(got - g["vel"][at]).max()))
            assert worst < 1e-6 * np.abs(g["vel"]).max()


def test_ten_minutes_of_reaching(shared):
    """Position and velocity as the state, on square-rooted counts: what the README of the data has for a Kalman filter."""
    with np.load(shared("m1-continuous/m1_stevenson_2011_first600s.npz")) as d:
        x, y = d["spike_counts"].astype(float), np.column_stack([d["hand_pos"], d["hand_vel"]])
    x = x[:, x.mean(axis=0) / 0.05 > 0.4]
    got, n = np.empty_like(y), len(y)
    for fold in range(5):
        a, b = fold * n // 5, (fold + 1) * n // 5
        rest = np.r_[0 : max(a - 20, 0), min(b + 20, n) : n]
        k = Kalman(outputs=("px", "py", "vx", "vy"), root=True, shrinkage=0).fit(x[rest], y[rest], runs=rest >= b)
        got[a:b] = k.predict(x[a:b])
    r2 = 1 - ((y - got) ** 2).sum(axis=0) / ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    assert (r2 > [0.84, 0.78, 0.64, 0.54]).all()

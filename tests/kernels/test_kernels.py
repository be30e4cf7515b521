"""The compiled loops against their NumPy twins and SciPy: values, cuts, silence, wrong arguments, speed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit import kernels
from bcikit.kernels import _numpy

compiled = pytest.mark.skipif(not kernels.COMPILED, reason="left out: no compiled kernels (BCIKIT_PURE or no compiler)")


def sets():
    """The instruction sets this processor has; '' where nothing is compiled."""
    if not kernels.COMPILED:
        return [""]
    found = []
    for name in ("base", "avx2", "avx512"):
        try:
            kernels._do.use(kernels._do.use(name))
            found.append(name)
        except ValueError:
            pass
    return found


@pytest.fixture(params=sets())
def instructions(request):
    if request.param:
        before = kernels._do.use(request.param)
    yield request.param
    if request.param:
        kernels._do.use(before)


def signal(n, c, seed=0):
    return np.random.default_rng(seed).standard_normal((n, c)).astype(np.float32)


def sections():
    from scipy.signal import butter

    return np.ascontiguousarray(butter(4, (300, 3000), "band", fs=30000, output="sos")[:, [0, 1, 2, 4, 5]])


def calls(x, seed=0):
    """Every kernel on x: name -> (of the kernels' module or its twin, a fresh run giving outputs and states)."""
    n, c = x.shape
    rng = np.random.default_rng(seed)
    coef, taps = sections(), rng.standard_normal((3, 5))
    angle = np.outer(np.arange(n) * 0.3, [1, 2])
    refs = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    base, rows = rng.standard_normal(c), np.arange(4, n)
    phases, weights = rows % 3, rng.standard_normal((n, 3))

    def biquads(do):
        y, state = np.empty_like(x), rng_state((4, 2, c))
        do.biquads(x, y, coef, state)
        return y, state

    def steered(do):
        y, state = np.empty_like(x), rng_state((2, 2, c))
        do.steered(x, y, refs, state, base, 0.98)
        return y, state

    def fir(do):
        y = np.empty((len(rows), c), np.float32)
        do.fir(x, y, rows, phases, taps)
        return (y,)

    def squares(do):
        sums = rng_state((c,))
        do.squares(x, sums)
        return (sums,)

    def weighted(do):
        sums = rng_state((3, c))
        do.weighted(x, weights, sums)
        return (sums,)

    return {f.__name__: f for f in (biquads, steered, fir, squares, weighted)}


def rng_state(shape):
    return np.random.default_rng(7).standard_normal(shape)


@compiled
@pytest.mark.parametrize("name", ["biquads", "steered", "fir", "squares", "weighted"])
@pytest.mark.parametrize("c", [1, 2, 3, 7, 8, 9, 16, 31, 32, 33, 70])
def test_compiled_and_numpy_agree(instructions, name, c):
    for n in (0, 1, 31, 32, 33, 100):
        if name == "fir" and n < 5:
            continue
        run = calls(signal(n, c))[name]
        for got, wanted in zip(run(kernels._do), run(_numpy), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=2e-6 if got.dtype == np.float32 else 1e-9, atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.lists(st.integers(0, 70), max_size=8), st.sampled_from(["biquads", "steered", "squares"]))
def test_any_cut_gives_the_same_bytes(c, cuts, name):
    x, coef = signal(200, c), sections()
    angle = np.outer(np.arange(200) * 0.3, [1, 2])
    refs, base = np.stack([np.cos(angle), np.sin(angle)], axis=-1), np.linspace(-1e4, 1e4, c)

    def run(edges):
        state = np.zeros({"biquads": (4, 2, c), "steered": (2, 2, c), "squares": (c,)}[name])
        out = []
        for a, b in pairwise(edges):
            if name == "biquads":
                out.append(kernels.biquads(x[a:b], coef, state))
            elif name == "steered":
                out.append(kernels.steered(x[a:b], refs[a:b], state, base, 0.97))
            else:
                kernels.squares(x[a:b], state)
        return b"".join(o.tobytes() for o in out), state.tobytes()

    edges = np.minimum(np.cumsum([0, *cuts]), 200).tolist()
    assert run([*edges, 200]) == run([0, 200])


def test_biquads_are_scipys_sosfilt(instructions):
    from scipy.signal import butter, sosfilt

    sos = butter(4, (1, 40), "band", fs=250, output="sos")
    x = signal(5000, 19) * 30 + np.linspace(-6e4, 6e4, 19, dtype=np.float32)
    got = kernels.biquads(x, np.ascontiguousarray(sos[:, [0, 1, 2, 4, 5]]), np.zeros((4, 2, 19)))
    wanted = sosfilt(sos, x.astype(float), axis=0)
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6 * np.abs(wanted).max())


def test_a_steered_notch_at_rest_is_scipys_iirnotch(instructions):
    from scipy.signal import iirnotch, lfilter

    fs, f, width = 250.0, 50.0, 2.0
    b, a = iirnotch(f, f / width, fs)
    x = signal(3000, 11)
    angle = (2 * np.pi * f / fs * np.arange(3000))[:, None]
    refs = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    got = kernels.steered(x, refs, np.zeros((1, 2, 11)), np.zeros(11), float(b[0]))
    np.testing.assert_allclose(got, lfilter(b, a, x.astype(float), axis=0), rtol=0, atol=1e-6)


def test_fir_is_scipys_upfirdn(instructions):
    from scipy.signal import firwin, upfirdn

    up, down, x = 3, 2, signal(300, 9)
    h = firwin(40, 0.3)
    length = -(-len(h) // up)
    taps = np.ascontiguousarray(np.pad(h, (0, length * up - len(h))).reshape(length, up).T)
    k = np.arange(-(-(length - 1) * up // down), 300 * up // down)
    got = kernels.fir(x, k * down // up, k * down % up, taps)
    np.testing.assert_allclose(got, upfirdn(h, x.astype(float), up, down, axis=0)[k], rtol=0, atol=1e-6)


@compiled
def test_wrong_arguments_are_refused():
    do, x, coef = kernels._do, signal(10, 4), sections()
    good = [x, np.empty_like(x), coef, np.zeros((4, 2, 4))]
    wrong = {
        "type": (0, x.astype(float)),
        "axes": (0, x[0]),
        "order": (0, np.asfortranarray(x)),
        "rows": (1, np.empty((9, 4), np.float32)),
        "sections": (2, coef[:3]),
        "columns": (2, np.ascontiguousarray(coef[:, :4])),
        "channels": (3, np.zeros((4, 2, 3))),
        "nothing": (0, None),
    }
    locked = np.empty_like(x)
    locked.flags.writeable = False
    wrong["read-only"] = (1, locked)
    for why, (i, value) in wrong.items():
        with pytest.raises((TypeError, ValueError, BufferError)):
            do.biquads(*[value if j == i else a for j, a in enumerate(good)])
            pytest.fail(why)
    with pytest.raises(TypeError):
        do.biquads(*good[:3])
    with pytest.raises(TypeError):
        do.steered(x, np.empty_like(x), np.zeros((10, 1, 2)), np.zeros((1, 2, 4)), np.zeros(4), "wide")
    with pytest.raises(ValueError, match="fit"):
        do.steered(x, np.empty_like(x), np.zeros((10, 17, 2)), np.zeros((17, 2, 4)), np.zeros(4), 0.9)
    with pytest.raises(ValueError, match="no sse9"):
        do.use("sse9")


def test_a_place_outside_the_samples_is_refused():
    x, taps = signal(10, 4), np.ones((1, 3))
    for row in (1, 10, -1):
        with pytest.raises(ValueError):
            kernels.fir(x, np.array([row]), np.array([0]), taps)
    with pytest.raises((ValueError, IndexError)):
        kernels.fir(x, np.array([5]), np.array([1]), taps)


def _median_seconds(jobs, rounds):
    """Median time of each job, run in turn so that a busy machine slows all alike."""
    times = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            begin = time.perf_counter()
            job()
            times[name].append(time.perf_counter() - begin)
    return {name: float(np.median(t)) for name, t in times.items()}


@compiled
def test_a_channel_gone_silent_is_not_slow(instructions):
    coef, loud, silent = sections(), signal(30, 256), np.zeros((30, 256), np.float32)
    ready, fading = np.zeros((4, 2, 256)), np.empty((4, 2, 256))

    def fade():
        fading[:] = 1e-308  # decays into denormal numbers at once
        kernels.biquads(silent, coef, fading)

    t = _median_seconds({"loud": lambda: kernels.biquads(loud, coef, ready), "silent": fade}, 200)
    assert t["silent"] < 3 * t["loud"], t  # without flushing it is some 50 times as long


@compiled
def test_nobody_elses_arithmetic_changes():
    kernels.biquads(signal(10, 4), sections(), np.zeros((4, 2, 4)))
    tiny = np.array([5e-324])
    assert (tiny * 1.0)[0] == 5e-324 and (np.array([2.2250738585072014e-308]) / 2)[0] > 0


@compiled
def test_others_run_during_long_work():
    x, coef, seen = signal(200_000, 32), sections(), []
    worker = threading.Thread(target=lambda: seen.append(kernels.biquads(x, coef, np.zeros((4, 2, 32)))))
    worker.start()
    turns = 0
    while worker.is_alive():
        turns += 1
    worker.join()
    assert len(seen) == 1 and turns > 10


@compiled
@pytest.mark.skipif("avx2" not in sets(), reason="left out: this processor has no AVX2")
def test_biquads_are_much_faster_than_scipy():
    from scipy.signal import butter, sosfilt

    sos, x = butter(4, (300, 3000), "band", fs=30000, output="sos"), signal(30, 1024)
    coef, state = sections(), np.zeros((4, 2, 1024))
    wide, zi = np.ascontiguousarray(x.T, float), np.zeros((4, 1024, 2))
    jobs = {"own": lambda: kernels.biquads(x, coef, state), "scipy": lambda: sosfilt(sos, wide, axis=1, zi=zi)}
    t = _median_seconds(jobs, 100)
    assert t["scipy"] > 4 * t["own"], t  # 7 to 10 times on an idle machine


def test_without_the_compiled_loops_numpy_does_the_work():
    code = (
        "import numpy as np; from bcikit import kernels; from bcikit.preprocess.bandpass import Bandpass;"
        "from bcikit.core.stream import *; s = Stream('s', 250.0, (Channel('C3'),)); b = Bandpass(); b.start(s);"
        "x = np.random.default_rng(0).standard_normal((500, 1)).astype('f');"
        "print(kernels.COMPILED, *b.step(Chunk(x, 0)).data[::50, 0])"
    )
    outs = []
    for pure in ("0", "1"):
        env = {**os.environ, "BCIKIT_PURE": pure}
        run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        outs.append(run.stdout.split())
    assert outs[1][0] == "False"
    np.testing.assert_allclose(np.array(outs[0][1:], float), np.array(outs[1][1:], float), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("c", [1, 2, 3, 8, 13, 22, 40])
def test_logarithms_of_matrices_are_those_of_their_eigenvalues(instructions, c):
    rng = np.random.default_rng(c)
    x = rng.standard_normal((37, c, 3 * c)) * np.logspace(-2, 2, c)[:, None]
    C, white = x @ x.swapaxes(1, 2), np.eye(c) * 0.3 + 0.01
    w, V = np.linalg.eigh(white @ C @ white)
    wanted = (V * np.log(w)[:, None]) @ V.swapaxes(1, 2)
    basis = np.broadcast_to(np.eye(c), C.shape).copy()
    got = kernels.logs(C, white, basis)
    np.testing.assert_allclose(got, wanted, atol=1e-7)  # of a condition of 1e8
    np.testing.assert_allclose(basis @ basis.swapaxes(1, 2), np.broadcast_to(np.eye(c), C.shape), atol=1e-12)
    np.testing.assert_allclose(kernels.logs(C, white, basis), wanted, atol=1e-7)  # from where the last one ended
    assert all(kernels.logs(C[i : i + 1], white).tobytes() == got[i].tobytes() for i in range(len(C)))
    flat = C.copy()
    flat[:, 0], flat[:, :, 0] = 0, 0  # a dead channel's logarithm is low, not infinite
    assert np.isfinite(kernels.logs(flat, white)).all()
    assert kernels.logs(C[:0], white).shape == (0, c, c)


def test_blas_is_held_to_one_thread_and_let_go():
    from threadpoolctl import threadpool_info

    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = threads()
    with kernels.one_thread():
        assert set(threads()) <= {1}
    assert threads() == before


@compiled
def test_ramps_are_those_of_numpy_and_arrays_that_do_not_fit_are_refused():
    rng, dt = np.random.default_rng(0), 0.005
    for shape in ((7,), (1, 1), (500, 9)):
        high, steep, bend = (np.exp(rng.normal(m, 1.5, shape[-1])) for m in (0, 1, 3))
        value, target, slope = (rng.uniform(-1.2, 1.2, shape) * most for most in (high, high, steep))
        value[..., 0], slope[..., -1] = target[..., 0], 0.0
        bounds, wanted = np.array([-high, high, steep, bend]), np.empty((2, *shape))
        _numpy.ramp(value, slope, target, bounds, dt, wanted)
        np.testing.assert_allclose(kernels.ramp(value, slope, target, bounds, dt), wanted, rtol=1e-12, atol=1e-12)
        with pytest.raises(ValueError, match="fit"):
            kernels.ramp(value, slope[..., :0], target, bounds, dt)
        with pytest.raises(ValueError, match="fit"):
            kernels.ramp(value, slope, target, bounds[:3], dt)


@compiled
def test_who_is_guided_goes_where_numpy_guides():
    rng, k, n, dt = np.random.default_rng(3), 2000, 7, 0.005
    high, steep, bend = rng.uniform(0.1, 0.4, n), rng.uniform(1, 4, n), rng.uniform(10, 90, n)
    bounds = np.array([-high, high, steep, bend])
    moves = np.array([[0, 1, 2, 4, 5, 6], [0, 0, 0, 1, 1, 2], [0, 1, 2, 0, 1, 2]])
    fence = np.array([[-0.4], [0.4]]) * np.ones(6)
    spheres, boxes = np.array([[0.2, 0.1, 0.0, 0.1]]), np.array([[-0.3, -0.3, -0.3, -0.1, -0.2, 0.3]])
    pairs = np.array([[0, 1], [1, 2]])
    value, slope, target = (rng.uniform(-1, 1, (k, n)) * most for most in (high, steep, high))
    points = rng.uniform(-0.45, 0.45, (k, 3, 3))
    points[0, 1], points[1, 0, 2] = np.nan, np.inf
    around = moves, fence, spheres, boxes, pairs, 0.15, 0.02, dt
    wanted = np.empty((2, k, n))
    with np.errstate(invalid="ignore"):
        _numpy.guide(value, slope, target, points, bounds, *around, wanted)
    got = np.array(kernels.guide(value, slope, target, points, bounds, *around))
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)
    free = np.array(kernels.ramp(value, slope, target, bounds, dt))
    for fewer in ((moves, 9 * fence, spheres[:0], boxes[:0], pairs[:0]), (moves[:, :0], fence[:, :0], *around[2:5])):
        assert np.array_equal(kernels.guide(value, slope, target, np.ones((k, 3, 3)), bounds, *fewer, *around[5:]), free)
    led = (got != free).any(axis=0)
    assert led[:, moves[0]].any(axis=0).all() and 0.01 < led.mean() < 0.5 and not led[:, 3].any()
    for wrong in (
        (moves + 7, *around[1:]),
        (moves, fence[:, :3].copy(), *around[2:]),
        (*around[:4], pairs + 2, *around[5:]),
    ):
        with pytest.raises(ValueError, match="fit"):
            kernels.guide(value, slope, target, points, bounds, *wrong)


@compiled
def test_what_a_supervisor_hears_is_what_numpy_hears():
    rng, k, n = np.random.default_rng(1), 400, 3
    own, asked = np.zeros((10, k)), np.zeros((k, n))
    own[1], own[4:7] = rng.integers(0, 3, k), -np.inf
    twin, its = own.copy(), asked.copy()
    for now in np.arange(1.0, 40.0):
        about = np.array([rng.integers(now - 2, now + 2, k), rng.integers(0, 3, k), rng.random(k) < 0.5,
                          now + rng.uniform(-2, 0.1, k), now + rng.uniform(-2, 0.1, k)])  # fmt: skip
        values = rng.choice([0.0, 1.0, 5.0, np.nan, np.inf], (k, n), p=[0.5, 0.44, 0.02, 0.02, 0.02])
        kernels.hear(own, asked, about, values, np.zeros(n), np.full(n, 2.0), np.zeros(n), now, now + 0.01)
        _numpy.hear(twin, its, about, values, np.zeros(n), np.full(n, 2.0), np.zeros(n), now, now + 0.01)
        np.testing.assert_array_equal(own, twin)
        np.testing.assert_array_equal(asked, its)
    assert (own[0] > 0).mean() > 0.5 and own[8].all()
    with pytest.raises(ValueError, match="fit"):
        kernels.hear(own, asked, about[:4], values, np.zeros(n), np.full(n, 2.0), np.zeros(n), now, now)


@compiled
def test_what_is_judged_is_what_numpy_judges():
    rng, k = np.random.default_rng(2), 500
    own, state, told = (rng.choice([-1.0, 0.0, 1.0, 2.0, np.nan, np.inf], (n, k)) for n in (10, 4, 4))
    points, bits = rng.uniform(-1, 1, (k, 2, 3)), 1 << np.arange(16)
    points[0, 0, 0], points[1, 1, 1] = np.nan, np.inf  # nobody knows where
    for m, boxes in ((0, 2), (1, 0), (3, 2), (0, 0)):
        spheres, low = rng.uniform(0.1, 0.5, (m, 4)), rng.uniform(-1, 0, (boxes, 3))
        rules = spheres, np.hstack([low, low + 0.7]), bits, rng.choice([-1.0, 0.0, 1.0], 16)
        rules[3][15] = 1e-9
        wanted = np.empty(k, np.int64)
        with np.errstate(invalid="ignore"):
            _numpy.judge(own, state, told, points, *rules, 1.5, wanted)
        got = kernels.judge(own, state, told, points, *rules, now=1.5)
        np.testing.assert_array_equal(got, wanted)
        assert (got[:2] & bits[15]).all() and ((got[2:] & bits[15]) > 0).any() == bool(m or boxes)
        assert all(0 < ((got & bit) > 0).sum() < k for bit in bits[:15])
    with pytest.raises(ValueError, match="fit"):
        kernels.judge(own, state[:3], told, points, *rules, now=1.5)

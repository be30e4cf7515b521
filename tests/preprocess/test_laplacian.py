"""Current source density, against MNE's of the same electrodes, and against what a sphere's harmonics must give."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit import WrongUse
from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Stream, recording
from bcikit.files.montage import TEN_TWENTY, positions
from bcikit.preprocess._sphere import interpolation, middle
from bcikit.preprocess.laplacian import Laplacian

MANY = (*TEN_TWENTY, "FC1", "FC2", "CP1", "CP2", "FC5", "FC6", "CP5", "CP6", "AF3", "AF4", "PO3", "PO4", "Oz")


def cap(names=MANY):
    return Stream("cap", 250.0, tuple(Channel(n, position=positions()[n]) for n in names))


def test_it_agrees_with_mne():
    import mne

    x = np.random.default_rng(0).standard_normal((100, len(MANY))).astype(np.float32) * 20
    info = mne.create_info(list(MANY), 250.0, "eeg")
    p = {n: np.array(positions()[n]) for n in MANY}
    raw = mne.io.RawArray(x.T.astype(float), info, verbose="error")
    raw.set_montage(mne.channels.make_dig_montage(p, coord_frame="head"), verbose="error")
    c = middle(np.array(list(p.values())))
    wanted = mne.preprocessing.compute_current_source_density(raw, sphere=(*c, 0.095), lambda2=1e-5, stiffness=4)
    got = Pipeline([Laplacian()]).run(recording(cap(), x)).data
    wanted = wanted.get_data().T
    scale = np.sum(got * wanted) / np.sum(wanted**2)  # MNE takes the radius from the electrodes
    assert 0.8 < scale < 1.3
    assert np.abs(got / scale - wanted).max() < 0.02 * np.abs(wanted).max()


def test_it_does_not_depend_on_the_reference():
    x = np.random.default_rng(1).standard_normal((50, len(MANY))).astype(np.float32)
    a = Pipeline([Laplacian()]).run(recording(cap(), x)).data
    b = Pipeline([Laplacian()]).run(recording(cap(), x - x[:, 3:4] + 7)).data
    assert np.abs(a - b).max() < 1e-4 * np.abs(a).max()


def test_of_a_dipole_field_it_is_twice_the_field_on_a_unit_sphere():
    """The harmonics of degree 1 are eigenfunctions of the Laplacian with eigenvalue -2."""
    rng = np.random.default_rng(2)
    at = rng.standard_normal((120, 3))
    at /= np.linalg.norm(at, axis=1, keepdims=True)
    from bcikit.preprocess._sphere import laplacian

    got = laplacian(at, 4, 0.0) @ at[:, 2]
    assert np.corrcoef(got, 2 * at[:, 2])[0, 1] > 0.99
    assert abs(np.sum(got * at[:, 2]) / np.sum(2 * at[:, 2] ** 2) - 1) < 0.05
    other = rng.standard_normal((9, 3))
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    assert np.allclose(interpolation(at, other, 4, 0.0) @ at[:, 2], other[:, 2], atol=0.01)


def test_what_it_cannot_place_or_is_too_little_is_refused():
    with pytest.raises(WrongUse, match="where E1"):
        Laplacian().start(Stream("x", 250.0, tuple(Channel(f"E{i}") for i in range(1, 7))))
    with pytest.raises(WrongUse, match="four electrodes"):
        Laplacian().start(cap(("C3", "C4")))

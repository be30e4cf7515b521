"""Topographies, against MNE's three-shell sphere (brain, skull, scalp) and what is known of the head."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.files.montage import TEN_TWENTY, positions
from bcikit.simulate.facts import FACTS
from bcikit.simulate.head import CENTRE, EARS, below, directions, eyes

RADIUS = 0.0956
SCALP = [*TEN_TWENTY, "Oz", "Fpz", "FC1", "FC2", "CP1", "CP2", "FC5", "FC6", "CP5", "CP6"]


def three_shells(electrode: str, depth_m: float) -> np.ndarray:
    """Potential at SCALP of a radial dipole `depth_m` below an electrode, against linked ears, by MNE."""
    import mne

    names = [*SCALP, *EARS]
    places = dict(zip(names, directions(names) * RADIUS + CENTRE, strict=True))
    info = mne.create_info(names, 250, "eeg")
    with info._unlock():
        info["dev_head_t"] = mne.Transform("meg", "head")
    info.set_montage(mne.channels.make_dig_montage(places, coord_frame="head"))
    sphere = mne.make_sphere_model(
        CENTRE, RADIUS, relative_radii=(0.87, 0.92, 1.0), sigmas=(0.33, 0.0042, 0.33), verbose=False
    )
    up = directions([electrode])[0]
    at = CENTRE + up * (RADIUS - depth_m)
    dipole = mne.Dipole([0.0], at[None], [1e-8], up[None], [100.0])
    forward, _ = mne.make_forward_dipole(dipole, sphere, info, trans=None, verbose=False)
    gain = forward["sol"]["data"] @ np.array([up]).T if forward["sol"]["data"].shape[1] == 3 else forward["sol"]["data"]
    gain = gain[:, 0]
    return gain[:-2] - gain[-2:].mean()


@pytest.mark.parametrize("electrode", ["C3", "C4", "Pz", "O1", "Fz"])
def test_a_cortical_source_looks_as_through_three_shells(electrode):
    ours = below(SCALP, electrode)
    theirs = three_shells(electrode, 0.02)
    assert SCALP[int(np.argmax(ours))] == electrode
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99


def test_the_sphere_fits_the_electrodes():
    r = np.linalg.norm(np.array([positions()[n] for n in TEN_TWENTY]) - CENTRE, axis=1)
    assert np.ptp(r) < 0.025 and abs(r.mean() - RADIUS) < 0.001


def test_left_mirrors_right():
    left, right = below(["C3", "C4", "Cz"], "C3"), below(["C4", "C3", "Cz"], "C4")
    assert left == pytest.approx(right, rel=0.15, abs=0.02 * left[0])


def test_a_blink_falls_off_from_the_eyes():
    seen = dict(zip(SCALP, eyes(SCALP), strict=True))
    front = (seen["Fp1"] + seen["Fp2"]) / 2
    assert seen["Fz"] / front == pytest.approx(0.4, abs=0.15)
    fact = FACTS["blink_cz"]
    assert fact.low < seen["Cz"] / front < fact.high
    assert seen["Cz"] / front == pytest.approx(fact.value, rel=0.1)
    assert abs(seen["O1"]) / front < 0.06 and abs(seen["O2"]) / front < 0.06

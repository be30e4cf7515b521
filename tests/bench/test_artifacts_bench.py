"""What artefact removal leaves: the mixture is as it says, and ours leave less than doing nothing, and than peers left."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.bench.artifacts import KINDS, asr, measured, mixed, mne_regression, ocular


@pytest.mark.parametrize("kind", KINDS)
def test_the_mixture_has_the_ratio_that_it_says_and_a_calm_minute(kind):
    m = mixed(kind, -3.0, 1)
    artefact = m.raw - m.clean
    loud = np.abs(artefact).max(axis=1) > 1e-6 * np.abs(artefact).max()
    assert 10 * np.log10(np.mean(m.clean[loud] ** 2) / np.mean(artefact[loud] ** 2)) == pytest.approx(-3, abs=1e-6)
    assert not artefact[: m.calm].any() and 0.05 < loud[m.calm :].mean() < 0.95


def test_causal_removal_of_eyes_comes_up_to_a_regression_that_sees_the_whole_recording():
    m = mixed("eyes", -4.0, 0)
    nothing, (rrmse, correlation, last) = measured(m, m.raw), measured(m, ocular(m))
    assert rrmse < 0.5 * nothing[0] and correlation > nothing[1]
    assert last <= measured(m, mne_regression(m))[2]


def test_muscles_are_taken_and_the_eeg_is_left():
    m = mixed("muscles", -4.0, 0)
    rrmse, correlation, _ = measured(m, asr(m))
    assert rrmse < 0.25 * measured(m, m.raw)[0] and correlation > 0.98

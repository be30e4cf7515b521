"""Sets that are published as MATLAB files: made files of each card's layout, with known answers, scored by the command."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bcikit.cli.main import main
from bcikit.core.errors import WrongUse
from bcikit.evaluate.data import trials

savemat = pytest.importorskip("scipy.io").savemat
RNG = np.random.default_rng(0)


def cell(items):
    made = np.empty((1, len(items)), object)
    made[0] = items
    return made


def answered(n, channels, rate, onsets, labels, span, classes=2):
    """(samples, channels): noise, and for `span` s behind each onset (samples from 0) 12 Hz on the channel of its class."""
    x = RNG.standard_normal((n, channels))
    wave = 4 * np.sin(2 * np.pi * 12 * np.arange(round(span * rate)) / rate)
    for at, label in zip(onsets, labels, strict=True):
        x[at : at + len(wave), label - 1] += wave[: n - at]
    return x


def graz(folder, name, cells, cue, channels, classes, trials=8):
    """A01T.mat, B01T.mat: a cell of recordings, those for the eyes first, without trials."""
    its = [{"X": RNG.standard_normal((500, channels)), "trial": [], "y": [], "fs": 250.0, "classes": [], "artifacts": []}]
    for _ in range(cells):
        y = np.arange(trials) % classes + 1
        begin = 250 + 2000 * np.arange(len(y))
        x = answered(2000 * len(y) + 500, channels, 250, begin + round(cue * 250), y, 4.0)
        its.append({"X": x, "trial": begin + 1, "y": y, "fs": 250.0, "classes": cell(["a"] * classes), "artifacts": 0 * y})
    savemat(folder / name, {"data": cell(its)}, do_compression=True)


def speller(channels):
    """A01.mat of BNCI2014_008: `y` tells for each sample what is lit."""
    y = np.zeros(24 + 120 * 64, np.uint8)
    kinds = (np.arange(120) % 6 == 0) + 1
    x = RNG.standard_normal((len(y) + 256, len(channels)))
    for k, kind in enumerate(kinds):
        y[24 + 64 * k : 24 + 64 * k + 32] = kind
        x[24 + 64 * k + 64 : 24 + 64 * k + 128, 1] += 6 * (kind == 2) * np.hanning(64)
    y = np.r_[y, np.zeros(256, np.uint8)]
    return {"X": x, "y": y[:, None], "y_stim": y[:, None], "trial": [25], "channels": cell(list(channels))}


def riccio(folder):
    savemat(folder / "A01.mat", {"data": speller("Fz Cz Pz Oz P3 P4 PO7 PO8".split())})


def arico(folder):
    names = "Fz FCz Cz CPz Pz Oz F3 F4 C3 C4 CP3 CP4 P3 P4 PO7 PO8".split()
    savemat(folder / "A01S.mat", {"data": cell([speller(names) for _ in range(3)])})


def cho(folder):
    n = 7 * 512
    marks = np.zeros((1, 12 * n))
    marks[0, 1024::n] = 1
    left, right = (answered(12 * n, 68, 512, 1024 + n * np.arange(12), [side] * 12, 3.0).T for side in (1, 2))
    eeg = {"imagery_left": left, "imagery_right": right, "imagery_event": marks, "srate": 512.0, "frame": [-2000, 5000]}
    savemat(folder / "s01.mat", {"eeg": eeg}, do_compression=True)


def openbmi(kind, parts, channels, y, begin, x):
    fields = {"x": x.astype(np.float32), "t": (begin + 1)[None], "fs": 1000, "y_dec": y[None], "chan": cell(channels)}
    return {f"EEG_{kind}_{part}": fields for part in parts}


def lee(kind):
    channels = [f"E{k}" for k in range(60)] + ["C3", "C4"]

    def write(folder):
        for session in (1,) if kind == "ERP" else (1, 2):
            if kind == "ERP":
                y, begin = np.where(np.arange(60) % 6 == 0, 1, 2), 500 + 215 * np.arange(60)
                x = RNG.standard_normal((begin[-1] + 2000, 62))
                for at in begin[y == 1]:
                    x[at + 250 : at + 500, :4] += 6 * np.hanning(250)[:, None]
            else:
                y = np.arange(12) % (4 if kind == "SSVEP" else 2) + 1
                begin = 1000 + 5000 * np.arange(len(y))
                x = answered(begin[-1] + 6000, 62, 1000, begin, y, 4.0)
            its = openbmi(kind, ("train", "test") if kind == "ERP" else ("train",), channels, y, begin, x)
            savemat(folder / f"sess{session:02}_subj01_EEG_{kind}.mat", its, do_compression=True)

    return write


def flicker(rate, n, onset, hz, blocks, channels):
    """(targets, channels, samples, blocks)"""
    t = (np.arange(n) - onset) / rate
    waves = np.array([np.sin(2 * np.pi * f * t) * (t >= 0) for f in hz])
    return RNG.standard_normal((len(hz), channels, n, blocks)) + waves[:, None, :, None]


def nakanishi(folder):
    savemat(folder / "s1.mat", {"eeg": flicker(256, 1114, 38, (9.25, 11.25, 13.25), 15, 8)})


def wang(folder):
    savemat(folder / "S1.mat", {"data": flicker(250, 1500, 125, (8, 9), 6, 64).transpose(1, 2, 0, 3)})


SETS = {  # how it is made; decoder; runs; causal trials that are scored; channels
    "BNCI2014_001": (
        lambda f: [graz(f, f"A01{k}.mat", 6, 2.0, 25, 4) for k in "TE"], "tangent", 12, 96, 22
    ),
    "BNCI2014_004": (
        lambda f: [graz(f, f"B01{k}.mat", n, 3.0, 6, 2) for k, n in (("T", 3), ("E", 2))], "tangent", 5, 10, 3
    ),
    "BNCI2014_008": (riccio, "toeplitz_lda", 1, 36, 8),
    "BNCI2014_009": (arico, "toeplitz_lda", 3, 108, 16),
    "Cho2017": (cho, "tangent", 1, 7, 64),
    "Lee2019_MI": (lee("MI"), "tangent", 2, 8, 62),
    "Lee2019_ERP": (lee("ERP"), "toeplitz_lda", 2, 120, 62),
    "Lee2019_SSVEP": (lee("SSVEP"), "tangent", 2, 8, 62),
    "Nakanishi2015": (nakanishi, "cca", 15, 45, 8),
    "Wang2016": (wang, "cca", 6, 12, 64),
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_made_files_of_a_published_set_are_read_by_its_card_and_scored(name, tmp_path, capsys):
    write, decoder, n, scored, channels = SETS[name]
    write(tmp_path)
    runs = trials(name, tmp_path)
    assert len(runs) == n
    assert len(runs[0].recording.stream.channels) == channels
    args = ["evaluate", "--data", name, "--root", str(tmp_path), "--decoder", decoder, "--json"]
    assert main(args) == 0
    said = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    print(name, said["offline"]["mean"], said["causal"]["mean"], said["causal"]["trials"])
    assert said["causal"]["trials"] == scored
    assert said["offline"]["mean"] > 0.9 and said["causal"]["mean"] > 0.9


def test_a_run_that_lies_there_in_two_formats_is_not_taken_twice(tmp_path):
    for name in ("A01T.mat", "A01T.gdf"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(WrongUse, match="hold the same run"):
        trials("BNCI2014_001", tmp_path)

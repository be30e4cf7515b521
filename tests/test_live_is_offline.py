"""Every kind of recording, replayed through the command line, filtered and recorded: the bytes of the offline run."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit import Pipeline, WrongUse, stage
from bcikit.cli import main as cli
from bcikit.files.read import read

RECORDINGS = [
    *(f"openbci-gui/{n}.txt" for n in (
        "gui-v2-no-timestamps", "gui-v3-eyes-closed-gap", "gui-v3-eyes-open-drops", "gui-v3-ganglion", "gui-v4",
        "gui-v5-cyton-native", "gui-v5-daisy-railed", "gui-v5-zero-first-row", "gui-v6")),
    *(f"xdf/{n}.xdf" for n in (
        "minimal", "clock_resets", "empty_streams", "obci16_mi_assaf_test1", "obci16_mi_assaf_test14_lost_samples")),
    "brainflow-csv/ganglion-brainflow-30s.csv",
    "emg-openbci/mi-openbci/S02_S1R0.txt",
    "mi-eegbci/S001R06.edf",
    "openbci-sd/OBCI-01.TXT",
    "p300-gtec/S1.npz",
    "self-paced-keys/self_paced_1s.npz",
    "ssvep-exo/subject01_run1_raw.fif.gz",
    "openbci-mi/sub-1/sub-1_run-01_raw.fif.gz",
    "mi-openbci-xdf/sub-A/sub-A_run-01.xdf.gz",
    "visual-oddball/eeglab_data.set",
]  # fmt: skip


# What must be told from outside of files that do not say it themselves (their READMEs): as `replay` and as `read` call it.
TOLD = {"ganglion-brainflow-30s.csv": ("device=ganglion", {"board": "ganglion"})}


@pytest.mark.parametrize("name", RECORDINGS)
def test_what_is_recorded_of_a_replay_equals_the_offline_run(shared, tmp_path, capfd, name):
    path = shared(name)
    file = tmp_path / "out.xdf"
    word, told = TOLD.get(path.name, ("", {}))
    source = read(path, **told)
    opts = ["--opt", word] if word else []
    words = ["stream", "--board", "replay", "--opt", f"file={path}", *opts, "--opt", "speed=0",
             "--stage", "bandpass:low=1,high=40", "--stage", "notch", "--record", str(file), "--json"]  # fmt: skip
    code = cli.main(words)
    said = capfd.readouterr().err
    stages = [stage("bandpass", low=1, high=40), stage("notch")]
    if source.stream.rate <= 2:  # nothing of 1 Hz and more is in it: both refuse
        with pytest.raises(WrongUse):
            Pipeline(stages).run(source)
        assert code == 2 and "bandpass:low=1" in said and not file.exists()
        return
    assert code == 0, said
    offline = Pipeline(stages).run(source)
    got = read(file)
    assert got.data.tobytes() == offline.data.tobytes()
    assert np.array_equal(got.index, offline.index)

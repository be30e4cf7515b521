"""At tier 2 of a policy another package's decoder is scored, trained and run, and never loaded into the process at hand."""

from __future__ import annotations

import json
import sys
import textwrap

import pytest
from joblib.externals.loky import get_reusable_executor

from bcikit.cli import main as cli
from bcikit.core import find
from bcikit.ethics import sandbox
from bcikit.ethics.consent import Consent

from .conftest import write_set

if why := sandbox.available():
    pytest.skip(f"left out: {why}", allow_module_level=True)

GUESS = """
from dataclasses import dataclass
import numpy as np
from bcikit.decode._decoder import Decoder
def tried(f):
    try:
        f(); return True
    except OSError:
        return False
IMPORTED = tried(lambda: open({file!r}, "a").write("imported"))
@dataclass(eq=False)
class Guess(Decoder):
    def learn(self, X, y, groups):
        self.got_ = IMPORTED or tried(lambda: open({file!r}, "a").write("secret"))
        self.spread_ = np.array([X[y == k].std(axis=(0, 2)) for k in range(2)])
    def decide(self, x):
        d = np.exp(-np.abs(self.spread_ - x.std(axis=1)).sum(axis=1))
        return np.array([1.0, 0.0]) if self.got_ else d / d.sum()
"""


@pytest.fixture
def leak(tmp_path, plugged):
    """The decoder `guess`, as if it were installed; the file that it tries to write to."""
    file = tmp_path / "leak"
    plugged("guess", "Guess", GUESS.format(file=str(file)))
    get_reusable_executor().shutdown(wait=True)  # processes of earlier tests do not know it
    Consent().use_policy("version = 1\ntier = 2\n")
    yield file
    find.GUARDS.clear()


def test_another_package_s_decoder(leak, tmp_path, capfd):
    folder = tmp_path / "set"
    card = write_set(folder, subjects="A", sessions="1", runs="12")
    data = ["--data", str(card), "--root", str(folder)]
    for jobs in ("1", "2"):
        assert cli.main(["evaluate", *data, "--decoder", "guess", "--protocol", "next-run", "--json", "--jobs", jobs]) == 0
        said = json.loads(capfd.readouterr().out.splitlines()[-1])
        assert said["causal"]["mean"] == 1.0, "it got something, or decided otherwise than outside"
    out = tmp_path / "model"
    assert cli.main(["train", *data, "--decoder", "guess", "--out", str(out)]) == 0
    session = f"""
        [board]
        use = "replay"
        file = "{folder}/sub-A/ses-1/run-2.npz"
        speed = 0
        [decoder]
        use = "model"
        folder = "{out}"
        every = 0.5
        [[sinks]]
        use = "jsonl"
        """
    (tmp_path / "s.toml").write_text(textwrap.dedent(session))
    assert cli.main(["run", str(tmp_path / "s.toml")]) == 0
    assert not leak.exists() and "guess_part" not in sys.modules

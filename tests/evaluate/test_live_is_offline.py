"""Live is offline, to the byte: for every stage and decoder that is found, and for whole lines through `evaluate`."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
import pytest

from bcikit.core.find import parts
from bcikit.core.pipeline import Pipeline
from bcikit.decode._decoder import Decoder
from bcikit.evaluate._line import cut_causal, line
from bcikit.evaluate.data import trials
from bcikit.evaluate.protocols import fit, stepped
from bcikit.testing import cases

STAGES = parts("stage")
DEEP = all(find_spec(name) for name in ("torch", "onnx", "onnxruntime"))
DECODERS = [name for name, cls in STAGES.items() if issubclass(cls, Decoder)]


def network(cls):
    """Whether its module is written on that of the networks."""
    return any(
        getattr(v, "__module__", "") == "bcikit.decode.deep._network" for v in vars(sys.modules[cls.__module__]).values()
    )


def test_the_law_of_any_cut_holds_for_every_stage_and_decoder_with_no_exception():
    """The law itself is tests/test_laws.py::test_stage and test_any_cut_that_hypothesis_finds; here: nobody is left out."""
    seen = {name: list(cases(cls)) for name, cls in STAGES.items()}
    left_out = [name for name, its in seen.items() for case in its if "any_cut_same_bytes" in case.stage.exempt]
    made = [name for name, cls in STAGES.items() if issubclass(cls, Pipeline)]  # of other stages: of a model's, of a line's
    unseen = [name for name, its in seen.items() if not its and name not in made]
    networks = [name for name in unseen if network(STAGES[name])]
    foreign = ["braindecode"]  # made of another library's networks; tests/decode/test_braindecode.py tries it as it runs
    assert not left_out and unseen == (foreign if DEEP else networks)
    assert len(DECODERS) >= 4 and len(STAGES) > 30
    told = f", but {', '.join(unseen)}, left out: they need Braindecode or the extra deep" if unseen else ", 100 %"
    print(f"live against offline: {len(STAGES)} stages, {len(DECODERS)} of them decoders{told}")


@pytest.mark.parametrize("name", ["pyriemann:MDM", "pyriemann:TangentSpace+sklearn:LogisticRegression", "tangent"])
def test_a_line_scored_trial_by_trial_is_the_line_that_runs_live(tagged, name):
    runs = [r for r in trials(*tagged) if r.subject == "A"]
    whole = line(name, runs)
    cuts = [cut_causal(whole, r.recording) for r in runs]
    decoder = fit(whole, runs, cuts, {0: np.arange(12), 1: np.arange(12)}, ["left", "right"])
    scored = stepped(decoder, cuts[3], np.arange(len(cuts[3].y)))
    rng = np.random.default_rng(5)
    for _ in range(3):
        live = Pipeline([*line(name, runs).stages[:-1], decoder])
        sizes = iter(rng.integers(0, 400, 10_000).tolist())
        assert live.run(runs[3].recording, sizes=sizes).data.tobytes() == scored.tobytes()

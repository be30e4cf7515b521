"""Parts of other packages: found by their entry point, made again from their recipe, and told what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit import Channel, Chunk, Pipeline, Stream, WrongUse, build
from bcikit.core.find import part, where

DOUBLE = """
from bcikit import Stage

class Double(Stage):
    def rows(self, x):
        return 2 * x
"""


def test_a_stage_of_another_package_is_a_stage_like_ours(plugged):
    plugged("double", "Double", DOUBLE)
    assert where("stage")["double"] == "double_part:Double"
    line = build(Pipeline([part("stage", "double").make({})]).recipe())
    assert [type(s).__name__ for s in line.stages] == ["Double"]


def test_an_entry_point_whose_name_is_not_its_parts_is_refused(plugged):
    """Its recipe would say a name that nothing finds."""
    plugged("twice", "Double", DOUBLE)
    with pytest.raises(WrongUse, match="calls itself 'double'"):
        part("stage", "twice")


def test_a_fault_of_another_package_is_not_called_ours(plugged, capfd):
    from bcikit.cli.main import _theirs, _told

    plugged("faulty", "Faulty", DOUBLE.replace("Double", "Faulty").replace("2 * x", "1 / 0"))
    line = Pipeline([part("stage", "faulty").make({})])
    line.start(Stream("s", 100.0, (Channel("C3"),)))
    with pytest.raises(ZeroDivisionError) as raised:
        line.step(Chunk(np.ones((3, 1), np.float32), 0))
    assert _told(raised.value) == 1
    said = capfd.readouterr().err
    assert "fault of the stage 'faulty', which the package faulty_part brings" in said and "of bcikit" not in said
    assert _theirs(ValueError("ours")) == ""

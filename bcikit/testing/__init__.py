"""The laws: what every board, stage and sink must keep, to be applied to any part, ours or yours.

    from bcikit.testing import STAGE_LAWS, cases
    @pytest.mark.parametrize("law", STAGE_LAWS.values(), ids=STAGE_LAWS)
    def test_my_stage(law):
        for case in cases(MyStage):
            law(case)

A law takes a `Case` (a part's example and an input) and raises AssertionError. Cuts are lists of chunk lengths; tests let
Hypothesis choose them. A part that cannot keep a law says so in `exempt = {"law's name": "reason"}`.
"""

from ._boards import BOARD_LAWS
from ._case import Case, cases, noise
from ._sinks import SINK_LAWS, OpenGate
from ._stages import STAGE_LAWS

__all__ = ["BOARD_LAWS", "SINK_LAWS", "STAGE_LAWS", "Case", "OpenGate", "cases", "noise"]

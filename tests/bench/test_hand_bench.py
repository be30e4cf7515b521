"""The bench of the hand: it goes the way that was decided, and what is counted is its movement."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.bench import hand
from bcikit.core.label import SIMULATED
from bcikit.core.stream import Channel, Stream, recording


@pytest.mark.parametrize("way", [-1, 0, 1])
def test_the_hand_goes_the_way_that_was_decided(way):
    assert hand._one(SIMULATED, way) == way


def test_a_choice_moves_the_hand_once_and_rest_does_not():
    words = ("idle", "left hand", "right hand")
    stream = Stream("p", 1 / hand.HOP_S, tuple(Channel(w, "probability", "") for w in words), label=SIMULATED)
    p = np.tile([0.9, 0.05, 0.05], (100, 1))
    p[40:50] = 0.05, 0.05, 0.9
    found, chosen = hand._movements(hand.Seen(recording(stream, p), []), 0.8)
    assert chosen == 1 and [way for _, way in found] == [1] and 8 < found[0][0] < 10

"""BrainFlow's own driver, as the tests of the emulators use it."""

from __future__ import annotations

import contextlib
import time


@contextlib.contextmanager
def driver(board_id, **settings):
    """A prepared session. settings: of BrainFlow's input parameters."""
    from brainflow.board_shim import BoardShim, BrainFlowInputParams

    BoardShim.disable_board_logger()
    params = BrainFlowInputParams()
    for name, value in settings.items():
        setattr(params, name, value)
    board = BoardShim(board_id, params)
    board.prepare_session()
    try:
        yield board
    finally:
        board.release_session()


def until(true, seconds=30.0):
    """Wait for a condition, to a deadline."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "nothing came in time"
        time.sleep(0.01)

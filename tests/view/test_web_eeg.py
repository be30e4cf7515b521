"""People with EEG on the page: what is asked, the signal, what the decoder makes of it; with and without a browser."""

from __future__ import annotations

import queue
import threading

import pytest

from bcikit.bench._page import RUNS
from bcikit.bench.eeg import calibrated
from bcikit.core.clock import JumpClock
from bcikit.files.read import read
from bcikit.tasks.asked import task_of
from bcikit.view.web.eeg import EegLive
from bcikit.view.web.server import serve

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")


@pytest.fixture(scope="module")
def lamps():
    """A model of a person who looks at lamps, told how far it is; made once."""
    told = []
    model = calibrated(task_of("ssvep", seed=1), 0.03, told.append)
    assert len(told) > 50 and told == sorted(told) and 0.9 < told[-1] < 1.1
    return lambda its, lapse, told: model


@pytest.mark.realtime
def test_eeg_is_seen_with_what_is_asked_and_what_the_decoder_makes_of_it(browser, lamps):
    said = queue.Queue()
    server = threading.Thread(target=serve, args=(live := EegLive("ssvep", 1, lamps), 0, False, said.put))
    server.start()
    try:
        browser.open(said.get(timeout=60).split()[-1])
        browser.until(f"{RUNS} && chances.length && scalp.length > 500", 40)
        for name in ("eeg", "chances", "task"):
            drawn = f"document.getElementById('{name}')"
            pixels = f"{drawn}.getContext('2d').getImageData(0, 0, {drawn}.width, {drawn}.height).data"
            browser.until(f"{pixels}.some(v => v > 0)")
        browser.until("facts && facts.count > 0", 60)
        buttons = "[...document.querySelectorAll('#choices button')].map(b => b.textContent).join()"
        assert browser.ask(buttons) == "9 Hz,12 Hz,15 Hz"
        browser.press("stop")
        browser.until("!running")
        assert not browser.errors
    finally:
        live.ended()
        server.join(20)
    assert not server.is_alive() and "answers were right" in said.get(timeout=5)


def test_a_person_answers_by_eeg_and_may_be_asked_for_something(lamps, tmp_path):
    path, got, over = tmp_path / "eeg.xdf", [], threading.Event()
    live = EegLive("ssvep", 1, lamps, seconds=60, record=str(path), clock=JumpClock())

    def tell(frame):
        got.append(frame)
        if frame.get("wanted") and not any("wished" in f for f in got):
            frame["wished"] = True
            live.do("15 Hz")  # what comes after this

    live.tell, live.ended = tell, over.set
    live.start()
    assert over.wait(60) and got[-1] == {"state": "ended", "note": ""}
    live.close()
    use = [f for f in got if f.get("phase") == "use"]
    assert {len(row) for f in use for row in f["eeg"]} == {8}
    assert sum(len(f["eeg"]) for f in use) == 60 * 250
    assert {name for f in use for name, _ in f.get("chances", [])} == {"9 Hz", "12 Hz", "15 Hz", "rest"}
    wanted = list(dict.fromkeys(f["wanted"] for f in use if f["wanted"]))
    assert [a.wanted for a in live._task.answers][1] == "15 Hz" in wanted
    told = [f["facts"] for f in use if "facts" in f][-1]
    assert told["count"] >= 3 and told["bits_per_min"] >= 0 and "answers were right (simulated)" in live.last_word()
    kept = read(path)
    assert sum(map(len, kept.chunks)) == 60 * 250 and "asked 15 Hz" in [e.name for e in kept.events]


def test_while_it_is_paused_nothing_is_asked_by_eeg(lamps):
    live, got, over = EegLive("ssvep", 1, lamps, seconds=20, clock=JumpClock()), [], threading.Event()

    def tell(frame):
        got.append(frame)
        live.do("go" if len(got) > 250 else "pause")

    live.tell, live.ended = tell, over.set
    live.start()
    assert over.wait(60)
    live.close()
    prompts = [f["drawing"]["words"][-1][2] for f in got[:-1]]
    assert got[200]["held"] and prompts[200] == "paused" and not any(f["wanted"] for f in got[:250])
    assert not got[-2]["held"] and prompts[-1].startswith(("next", "look"))


def test_stop_breaks_off_a_calibration():
    def endless(task, lapse, told):
        while True:
            told(0.5)

    live, over = EegLive("mi", 1, endless), threading.Event()
    live.tell = lambda frame: over.set() if frame.get("state") == "stopped" else live.do("stop")
    live.start()
    assert over.wait(60)
    live.close()

"""The page of the demo in a real browser: it loads, targets are hit, stop stops, the link comes back."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

from bcikit.bench._page import RUNS
from bcikit.bench._page import demo as page
from bcikit.cli.main import main
from bcikit.core.clock import JumpClock
from bcikit.core.errors import DeviceTrouble, WrongUse
from bcikit.core.pipeline import Pipeline
from bcikit.decode.kinematics.steering import Steering
from bcikit.effectors._door import tell
from bcikit.effectors.cursor import Cursor
from bcikit.files.read import read
from bcikit.tasks.play import CursorDemo, ceiling
from bcikit.tasks.shipped import shipped
from bcikit.testing._sinks import OpenPermit
from bcikit.view.web.cursor import CursorLive as Live
from bcikit.view.web.effector import EffectorLive
from tests.conftest import LATE_S

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")


@pytest.fixture(scope="module")
def demo():
    with page() as address:
        yield address


@pytest.mark.realtime
def test_targets_are_hit_and_every_panel_is_drawn(demo, browser):
    began = time.monotonic()
    browser.open(demo)
    browser.until(RUNS)
    assert time.monotonic() - began < 5 + LATE_S
    browser.until("facts && facts.correct >= 3", 30)
    for name in ("task", "history", "against", "map", "raster", "latency"):
        drawn = f"document.getElementById('{name}')"
        pixels = f"{drawn}.getContext('2d').getImageData(0, 0, {drawn}.width, {drawn}.height).data"
        browser.until(f"{pixels}.some(v => v > 0)")
    assert browser.ask("document.body.innerText.includes('simulated')")
    assert not browser.errors


@pytest.mark.realtime
def test_stop_is_immediate_and_start_begins_again(demo, browser):
    browser.open(demo)
    browser.until(RUNS)
    browser.press("stop")
    browser.until("!running")
    assert browser.ask("document.getElementById('phase').textContent") == "stopped"
    where = browser.ask("String(frame.cursor)")
    time.sleep(0.3)
    assert browser.ask("String(frame.cursor)") == where
    browser.press("stop")  # now it says Start
    browser.until(RUNS)
    assert not browser.errors


@pytest.mark.realtime
def test_pause_night_and_the_link_that_is_cut(demo, browser):
    browser.open(demo)
    browser.until(RUNS)
    browser.press("pause")
    browser.until("held")
    where = browser.ask("String(frame.cursor)")
    time.sleep(0.3)
    assert browser.ask("String(frame.cursor)") == where
    browser.press("pause")
    browser.until("!held")
    for act in ("night", "recalibrate"):
        browser.press(act)
    browser.until("facts && facts.day === 1")
    browser.ask("socket.close()")
    browser.until("document.getElementById('link').className === 'off'")
    browser.until("document.getElementById('link').className === ''")
    t = browser.ask("frame.t")
    browser.until(f"frame.t > {t} + 0.2")
    assert not browser.errors


@pytest.mark.realtime
def test_you_drive_by_the_mouse_through_simulated_neurons(demo, browser):
    browser.open(demo)
    browser.until(RUNS)
    browser.press("drive")
    box = browser.ask(
        "(() => { const b = document.getElementById('task').getBoundingClientRect(); return [b.left, b.top, b.width]; })()"
    )
    browser.until("facts && facts.drives")
    for corner in ((0.9, 0.1), (0.1, 0.9)):
        browser.move(box[0] + corner[0] * box[2], box[1] + corner[1] * box[2])
        x, y = corner[0] - 0.5, 0.5 - corner[1]
        browser.until(f"Math.hypot(frame.cursor[0] - {x}, frame.cursor[1] - {y}) < 0.15", 25)
    browser.press("drive")
    assert not browser.errors


@pytest.mark.realtime
@pytest.mark.parametrize("browser", [(1280, 800), (820, 1180), (390, 844)], indirect=True, ids=["desk", "tablet", "phone"])
def test_nothing_is_cut_off(demo, browser, tmp_path):
    browser.open(demo)
    browser.until(RUNS)
    browser.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000
    wide = browser.ask("document.documentElement.scrollWidth <= innerWidth")
    square = browser.ask("Math.abs(canvas.clientWidth - canvas.clientHeight) <= 1 && canvas.clientWidth > 300")
    cut = browser.ask(
        "[...document.querySelectorAll('button, dd, figcaption')]"
        ".filter(e => e.getBoundingClientRect().right > innerWidth).map(e => e.textContent).join()"
    )
    assert wide and square and not cut
    if browser.ask("innerWidth > innerHeight"):
        assert browser.ask("document.documentElement.scrollHeight <= innerHeight")


@pytest.mark.realtime
def test_an_effector_is_shown_and_its_stop_latches_in_the_supervisor(browser):
    with page("drones") as address:
        browser.open(address)
        browser.until(RUNS)
        browser.until("frame.cause === 'none' && Math.hypot(...frame.orders.map(o => o[4])) > 0.05", 20)
        for name in ("task", "against", "map", "raster", "orders"):
            drawn = f"document.getElementById('{name}')"
            browser.until(
                f"{drawn}.getContext('2d').getImageData(0, 0, {drawn}.width, {drawn}.height).data.some(v => v > 0)", 5
            )
        browser.press("stop")
        browser.until("!running")
        assert browser.ask("frame.cause") == "estop"
        assert browser.ask("Math.max(...frame.orders.map(o => Math.abs(o[4])))") == 0
        browser.press("stop")  # now it says Start
        browser.until("running && frame.cause === 'none'", 20)
        assert browser.ask("document.getElementById('recalibrate').offsetParent === null")
        assert not browser.errors


@pytest.mark.realtime
def test_what_takes_decisions_is_shown_without_a_brain_or_a_supervisor(browser):
    with page("speller") as address:
        browser.open(address)
        browser.until(RUNS)
        browser.until("frame.drawing.words.some(w => w[2] === 'he_')", 10)
        assert browser.ask("document.getElementById('map').offsetParent === null")
        assert not browser.errors


@pytest.mark.realtime
def test_the_arrow_keys_drive_too(demo, browser):
    browser.open(demo)
    browser.until(RUNS)
    browser.press("drive")
    browser.until("facts && facts.drives")
    for _ in range(8):
        browser.call("Input.dispatchKeyEvent", type="keyDown", key="ArrowLeft")
    browser.until("frame.push[0] < -0.2")
    browser.press("drive")
    browser.until("!facts.drives")
    assert not browser.errors


def get(address, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.realtime
def test_nobody_without_the_token_or_from_another_site_gets_in(demo):
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    home, token = demo.split("/?token=")
    assert get(demo) == 200
    assert get(home) == get(f"{home}/app.js") == get(f"{home}/?token=x{token}") == 403
    assert get(demo, Host="evil.example") == 403
    live = home.replace("http", "ws") + "/live"
    for address, more in ((live, {}), (f"{live}?token={token}", {"origin": "http://evil.example"})):
        with pytest.raises(InvalidStatus):
            connect(address, **more)
    with connect(f"{live}?token={token}") as ws:
        ws.send("not JSON")
        ws.send(json.dumps({"hand": ["a"]}))
        ws.send(json.dumps({"do": "__class__"}))
        assert "cursor" in json.loads(ws.recv(timeout=5))


def test_nothing_is_fetched_from_outside():
    from bcikit.view.web.server import FILES, HERE

    for name in ("index.html", *FILES):
        text = (HERE / name).read_text(encoding="utf-8")
        assert "http" not in text.replace("ws://${location.host}", ""), name


# -- without a browser: the loop behind the page


def frames(live):
    """All frames of a demo that has an end, on a clock that jumps."""
    got, over = [], threading.Event()
    live.tell, live.ended = got.append, over.set
    live.start()
    assert over.wait(60)
    live.close()
    return got


def test_the_shipped_calibration_steers_at_once():
    got = frames(Live(CursorDemo(seconds=20), calibrate=False, clock=JumpClock()))
    assert {f["phase"] for f in got[:-1]} == {"use"}
    assert [f["facts"]["bits"] for f in got if "facts" in f][-1] > 3.5
    assert got[-1] == {"state": "ended", "note": ""}


@pytest.mark.parametrize("task, choices", [("center-out", 0), ("pursuit", 0), ("fitts", 0), ("keyboard", 40)])
def test_every_task_is_shown_with_its_own_score(task, choices):
    live = Live(CursorDemo(seconds=12, task=task), calibrate=False, clock=JumpClock())
    got = frames(live)
    told = [f["facts"] for f in got if "facts" in f][-1]
    assert told["choices"] == choices and told["round"] == (not choices) and told["side"] == 0
    assert told["correct"] >= 3 and told["now"] > (1 if choices else 10)  # bits a second, or targets a minute
    assert "".join(told["keys"]) == getattr(live._loop.task, "keys", "")


def test_another_implant_is_calibrated_first():
    got = frames(Live(CursorDemo(64, 4, 2, seconds=1), calibrate=False, clock=JumpClock()))
    assert got[0]["phase"] == "watch" and got[-2]["phase"] == "use" and len(got[0]["counts"]) == 64
    told = {f["phase"]: f["facts"]["now"] for f in got if "facts" in f}
    assert told["watch"] is told["calibrate"] is None and told["use"] is not None  # the computer's hits are nobody's bits


def test_from_30_khz_no_night_passes():
    live, got = Live(CursorDemo(32, 4, seconds=None, raw=True), calibrate=False, clock=JumpClock()), []
    over = threading.Event()

    def tell(frame):
        got.append(frame)
        if len(got) == 40:
            live.do("night")
        if len(got) == 80:
            live.do("stop")
        if "state" in frame:
            over.set()

    live.tell = tell
    live.start()
    assert over.wait(60) and got[-1] == {"state": "stopped", "note": ""}
    live.close()
    told = [f["facts"] for f in got if "facts" in f]
    assert told[-1]["raw"] and told[-1]["features"] == "crossings" and told[-1]["day"] == 0 and len(got[0]["counts"]) == 32
    assert any(set(f["counts"]) > {"0"} for f in got[:-1])


def test_a_hand_that_is_not_heard_of_pushes_nowhere():
    clock = JumpClock()
    live = Live(CursorDemo(16, 4, seconds=1), calibrate=True, clock=clock)
    live.hand(0.5, 0.0, True)
    push, pressed = live.push(live.made().cursor.place)
    assert push.tolist() == [1.0, 0.0] and pressed
    clock.sleep_until(1.0)
    assert not live.push(live.made().cursor.place)[0].any()
    live.hand(0.5, 0.0, False)
    live.leave()
    assert not live.push(live.made().cursor.place)[0].any()


def test_a_scenario_is_played_trial_after_trial_and_ends():
    live = EffectorLive("kick", 0, seconds=4.5, clock=JumpClock())
    got = frames(live)
    assert got[-1] == {"state": "ended", "note": ""}
    assert [o.success for o in live.outcomes] == [True] * len(live.outcomes) and len(live.outcomes) >= 2
    times = {f["drawing"]["look"][1] for f in got[:-1]}
    assert times == {2.4} and "of kick succeeded (simulated)" in live.last_word()


def test_a_stop_is_the_supervisors_and_all_comes_to_rest():
    live, got, over = EffectorLive("gates", 0, seconds=None, clock=JumpClock()), [], threading.Event()

    def tell(frame):
        got.append(frame)
        if len(got) == 60:
            live.do("stop")
        if "state" in frame:
            over.set()

    live.tell = tell
    live.start()
    assert over.wait(60) and got[-1]["state"] == "stopped"
    live.close()
    speeds = [max(abs(o[4]) for o in f["orders"]) for f in got[:-1]]
    assert speeds[58] > 0.05 and speeds[-1] == 0 and got[-2]["cause"] == "estop"


def test_another_program_stops_what_is_shown_and_a_person_starts_it_on_the_page():
    live, got, stop = EffectorLive("gates", 0, seconds=None, clock=JumpClock()), [], threading.Event()

    def frame(told):
        got.append(told)
        if len(got) == 60:
            assert tell("drones")["latched"] == "none"
            with pytest.raises(WrongUse, match="on a page"):
                tell("drones", reset="Ada")
            assert tell("drones", stop=True)["latched"] == "estop"
        if "state" in told:
            stop.set()

    live.tell = frame
    live.start()
    assert stop.wait(60) and got[-1]["state"] == "stopped"
    live.close()
    assert got[-2]["cause"] == "estop" and max(abs(o[4]) for o in got[-2]["orders"]) == 0
    with pytest.raises(DeviceTrouble, match="No supervisor"):
        tell("drones")


def test_a_persons_hand_goes_through_the_simulated_neurons():
    clock = JumpClock()
    live, got = EffectorLive("drones", 0, seconds=6, clock=clock), []
    live.drives, over = True, threading.Event()

    def tell(frame):
        got.append(frame)
        live.hand(-0.5, 0.0, False)  # far to the left, all the time

    live.tell, live.ended = tell, over.set
    live.start()
    assert over.wait(60)
    live.close()
    assert np.allclose(got[200]["push"], [-1, 0, 0])
    assert got[200]["drawing"]["look"][0][0] < -0.5  # metres; the person alone would fly to the right


def test_what_was_recorded_from_the_page_replays_to_the_same_bytes(tmp_path):
    path = tmp_path / "page.xdf"
    live, steps = Live(CursorDemo(seconds=34, record=str(path)), calibrate=False, clock=JumpClock()), 0

    def tell(frame):
        nonlocal steps
        steps += 1
        if steps == 1500:
            live.do("recalibrate")
        if steps == 1600:
            live.do("shock")

    over = threading.Event()
    live.tell, live.ended = tell, over.set
    live.start()
    assert over.wait(60) and live.error is None
    live.close()
    decoder, cursor = Steering(), Cursor()
    decoder.restore(shipped(1024, 1))
    line = Pipeline([decoder])
    again = line.run(read(path))
    assert [e.name for e in again.events].count("recalibrate") == 1
    assert decoder.K_.tobytes() == live._loop.decoder.K_.tobytes() != shipped(1024, 1)["K_"].tobytes()
    cursor.open(again.stream, OpenPermit(cursor))
    for chunk in again.chunks:
        cursor.send(chunk)
    assert cursor.place.tobytes() == live._loop.cursor.place.tobytes() and cursor.place.any()


def test_a_task_that_has_no_bits_is_told_in_throughput(capsys):
    assert main(["demo", "--headless", "--task", "fitts", "--channels", "16", "--seconds", "5"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"\d+ targets, throughput [\d.]+ bits/s \(simulated\)", last)
    assert ceiling(CursorDemo(task="fitts"), 1.0) is None and ceiling(CursorDemo(task="keyboard"), 5.0) > 1


def test_a_file_that_exists_is_not_recorded_over(tmp_path, capsys):
    (tmp_path / "old.xdf").write_bytes(b"old")
    assert main(["demo", "--no-browser", "--record", str(tmp_path / "old.xdf"), "--seconds", "1"]) == 4
    assert "old.xdf" in capsys.readouterr().err and (tmp_path / "old.xdf").read_bytes() == b"old"


@pytest.mark.parametrize(
    "words, said",
    [
        (["cupp"], "nothing to show called 'cupp'"),
        (["kick", "--days", "3", "--json"], "--days, --json does not go with kick"),
        (["--json"], "goes with --headless"),
        (["p300", "--channels", "96"], "--channels does not go with p300"),
        (["--raw", "--days", "1"], "--days goes without --raw"),
        (["--raw", "--channels", "16"], "32 electrodes"),
        (["--decoder", "best"], "prit"),
    ],
)
def test_what_a_page_cannot_do_is_said(words, said, capsys):
    assert main(["demo", "--no-browser", *words]) == 2
    assert said in capsys.readouterr().err

"""Headless Chromium, spoken to by its own protocol: enough to load a page, press, ask, and take a picture."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


class Browser:
    """A window of this size. `errors` gathers what the console and the page complain of."""

    def __init__(self, width: int = 1280, height: int = 800) -> None:
        from websockets.sync.client import connect

        program = next((p for n in NAMES if (p := shutil.which(n))), None)
        if program is None:
            pytest.skip("left out: no Chromium is installed (apt-get install chromium)")
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--remote-debugging-port=0", f"--user-data-dir={self.folder.name}", f"--window-size={width},{height}",
             "about:blank"], stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.count, self.errors, self.held = 0, [], ExitStack()
        try:
            self.socket = self.held.enter_context(connect(self._page(), max_size=None))
            for domain in ("Runtime", "Log", "Page"):
                self.call(f"{domain}.enable")
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
            self.call("Emulation.setDeviceMetricsOverride", **metrics)
        except BaseException:
            self.close()
            raise

    def _page(self) -> str:
        """The address at which its one page is spoken to."""
        for line in self.process.stderr:
            if found := re.search(r"ws://([\d.:]+)/", line):
                with urllib.request.urlopen(f"http://{found[1]}/json") as answer:
                    return next(p for p in json.load(answer) if p["type"] == "page")["webSocketDebuggerUrl"]
        pytest.skip("left out: Chromium does not start here")

    def call(self, method: str, **params):
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": params}))
        while True:
            said = json.loads(self.socket.recv(timeout=30))
            if said.get("id") == self.count:
                assert "error" not in said, said
                return said["result"]
            self._note(said)

    def _note(self, said) -> None:
        kind, params = said.get("method"), said.get("params", {})
        if kind == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"].get("text", "") + str(params["exceptionDetails"].get("exception")))
        elif kind == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])
        elif kind == "Runtime.consoleAPICalled" and params["type"] == "error":
            self.errors.append(str(params["args"]))

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)

    def ask(self, expression: str):
        """The value of an expression of JavaScript."""
        got = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in got, got["exceptionDetails"]
        return got["result"].get("value")

    def until(self, expression: str, seconds: float = 20.0):
        """Wait until it is true, and give its value."""
        end = time.monotonic() + seconds
        while not (value := self.ask(expression)):
            assert time.monotonic() < end, f"{expression} was not true within {seconds} s"
            time.sleep(0.05)
        return value

    def press(self, element: str) -> None:
        self.ask(f"document.getElementById({element!r}).click()")

    def move(self, x: float, y: float) -> None:
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        self.held.close()
        self.process.terminate()
        self.process.wait(10)
        self.process.stderr.close()
        self.folder.cleanup()

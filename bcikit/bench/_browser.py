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
from typing import Any

from ..core.errors import DeviceTrouble, WrongUse

NAMES = ("chromium", "chromium-browser", "google-chrome")
PHONE_PX = 600


class Browser:
    """A window of this size. `errors` gathers what the console and the page complain of. Raises WrongUse where there is no
    Chromium or no library to speak to it, DeviceTrouble where it does not start or answer."""

    def __init__(self, width: int = 1280, height: int = 800) -> None:
        program = next((p for n in NAMES if (p := shutil.which(n))), None)
        if program is None:
            raise WrongUse("No Chromium is here.", do="apt-get install chromium")
        try:
            from websockets.sync.client import connect
        except ModuleNotFoundError as error:
            raise WrongUse("A browser is spoken to by the library websockets.", do='pip install "bcikit[web]"') from error
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--remote-debugging-port=0", f"--user-data-dir={self.folder.name}", f"--window-size={width},{height}",
             "about:blank"], stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.count, self.held = 0, ExitStack()
        self.errors: list[str] = []
        try:
            self.socket = self.held.enter_context(connect(self._page(), max_size=None))
            for domain in ("Runtime", "Log", "Page"):
                self.call(f"{domain}.enable")
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < PHONE_PX}
            self.call("Emulation.setDeviceMetricsOverride", **metrics)
        except BaseException:
            self.close()
            raise

    def _page(self) -> str:
        """The address at which its one page is spoken to."""
        for line in self.process.stderr or ():
            if found := re.search(r"ws://([\d.:]+)/", line):
                with urllib.request.urlopen(f"http://{found[1]}/json") as answer:
                    return str(next(p for p in json.load(answer) if p["type"] == "page")["webSocketDebuggerUrl"])
        raise DeviceTrouble("Chromium does not start here.")

    def call(self, method: str, **params: Any) -> Any:
        """A command of the DevTools protocol, and its result."""
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": params}))
        while True:
            said = json.loads(self.socket.recv(timeout=30))
            if said.get("id") == self.count:
                if "error" in said:
                    raise DeviceTrouble(f"Chromium refuses {method}.", str(said["error"]))
                return said["result"]
            self._note(said)

    def _note(self, said: dict[str, Any]) -> None:
        kind, params = said.get("method"), said.get("params", {})
        if kind == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"].get("text", "") + str(params["exceptionDetails"].get("exception")))
        elif kind == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])
        elif kind == "Runtime.consoleAPICalled" and params["type"] == "error":
            self.errors.append(str(params["args"]))

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)

    def ask(self, expression: str) -> Any:
        """The value of an expression of JavaScript."""
        got = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in got:
            raise DeviceTrouble(f"The page cannot say {expression}.", str(got["exceptionDetails"]))
        return got["result"].get("value")

    def until(self, expression: str, seconds: float = 20.0) -> Any:
        """Wait until it is true, and give its value. Raises DeviceTrouble where it does not become so."""
        end = time.monotonic() + seconds
        while not (value := self.ask(expression)):
            if time.monotonic() > end:
                raise DeviceTrouble(f"{expression} was not true within {seconds} s.")
            time.sleep(0.02)
        return value

    def press(self, element: str) -> None:
        self.ask(f"document.getElementById({element!r}).click()")

    def move(self, x: float, y: float) -> None:
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def dark(self, on: bool) -> None:
        """As a person who has asked for dark pages, or light ones."""
        value = "dark" if on else "light"
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}])

    def picture(self, path: Path) -> None:
        """As PNG, or WebP where the name ends so."""
        kind = "webp" if path.suffix == ".webp" else "png"
        more = {"quality": 80} if kind == "webp" else {}
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format=kind, **more)["data"]))

    def close(self) -> None:
        self.held.close()
        self.process.terminate()
        self.process.wait(10)
        if self.process.stderr:
            self.process.stderr.close()
        self.folder.cleanup()

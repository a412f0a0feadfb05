"""A headless Chromium, driven over the pipe of its DevTools protocol with nothing but the standard library."""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)

_SECONDS = 60


class Browser:
    """One page. `requests` are the addresses that it asked for, `errors` what the console complained of."""

    def __init__(self, folder: Path) -> None:
        to_browser, self._writing = os.pipe()
        self._reading, from_browser = os.pipe()
        # The protocol's pipes are descriptors 3 and 4 of the browser; out of the way first.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (to_browser, from_browser)]
        log = os.open(folder / "chromium.log", os.O_WRONLY | os.O_CREAT, 0o600)
        arguments = [
            CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}",
            "about:blank",
        ]  # fmt: skip
        actions = [(os.POSIX_SPAWN_DUP2, ends[0], 3), (os.POSIX_SPAWN_DUP2, ends[1], 4)]
        actions += [(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
        self._process = os.posix_spawn(CHROMIUM, arguments, os.environ, file_actions=actions, setsid=True)
        for end in (*ends, to_browser, from_browser, log):
            os.close(end)
        self._left, self._last, self._session = b"", 0, None
        self.requests, self.errors = [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """End the browser and all its children."""
        os.killpg(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        os.close(self._writing)
        os.close(self._reading)

    def call(self, method: str, **parameters):
        """The answer to one command; events that come before it are noted."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + _SECONDS
        while True:
            received = self._receive(until)
            if received.get("id") == self._last:
                assert "error" not in received, received
                return received["result"]
            self._note(received)

    def open(self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Load a file and wait until its pictures are there."""
        self.requests.clear()
        self.errors.clear()
        self.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.as_uri())
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")

    def resize(self, width: int, height: int) -> None:
        """The size of the window in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def run(self, script: str):
        """The value of an expression; promises are awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Until an expression is true."""
        until = time.monotonic() + _SECONDS
        while not self.run(condition):
            assert time.monotonic() < until, f"never: {condition}"
            time.sleep(0.02)

    def press(self, key: str, *, shift: bool = False) -> None:
        """A key goes down and up; named as DOM names it."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" else {"text": " "} if key == " " else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, modifiers=8 * shift, **text)

    def point(self, x: float, y: float) -> None:
        """The mouse goes to a place in the window."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """A PNG of the page."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]))

    def _receive(self, until: float):
        pieces = [self._left]
        while b"\0" not in pieces[-1]:
            ready, _, _ = select.select([self._reading], [], [], max(0.0, until - time.monotonic()))
            assert ready, "the browser does not answer"
            pieces.append(os.read(self._reading, 1 << 20))
            assert pieces[-1], "the browser is gone"
        message, _, self._left = b"".join(pieces).partition(b"\0")
        return json.loads(message)

    def _note(self, event) -> None:
        method, about = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(about["exceptionDetails"].get("exception", {}).get("description", "exception"))
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            self.errors.append(str([part.get("value") for part in about["args"]]))
        elif method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.errors.append(about["entry"]["text"])

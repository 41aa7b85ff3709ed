"""A headless Chromium, spoken to over a pipe by the DevTools protocol: what a page does there."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)
LONGEST_S = 60  # of one answer, on a busy machine


def executable() -> str | None:
    """The browser, or None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@dataclass
class Seen:
    """What happened while a page was open: its messages, and the addresses it asked for."""

    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


class Browser:
    """To be used in a `with`. One page, which can be given another size and another look."""

    def __enter__(self) -> "Browser":
        self.folder = tempfile.TemporaryDirectory(prefix="browser")
        theirs_in, self.write_to = os.pipe()
        self.read_from, theirs_out = os.pipe()

        def take_pipes() -> None:  # the protocol reads 3 and writes 4
            low, high = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(low, 3)
            os.dup2(high, 4)

        self.process = subprocess.Popen(
            [executable(), *FLAGS, f"--user-data-dir={self.folder.name}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=take_pipes,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.buffer, self.number, self.seen, self.session = b"", 0, Seen(), None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.write_to)
        os.close(self.read_from)
        for _ in range(20):  # until its helpers are gone too
            try:
                self.folder.cleanup()
                return
            except OSError:
                time.sleep(0.1)

    def call(self, method: str, **parameters: object) -> dict:
        """The answer to a command of the protocol."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def _next(self) -> dict:
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.read_from], [], [], LONGEST_S)
            assert ready, f"the browser said nothing for {LONGEST_S} s"
            part = os.read(self.read_from, 1 << 20)
            assert part, "the browser ended"
            self.buffer += part
        text, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(text)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, method: str | None, parameters: dict) -> None:
        if method == "Network.requestWillBeSent":
            self.seen.requests.append(parameters["request"]["url"])
        elif method == "Log.entryAdded":
            self.seen.messages.append(parameters["entry"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.seen.messages.append(str(parameters["args"]))
        elif method == "Runtime.exceptionThrown":
            self.seen.messages.append(parameters["exceptionDetails"]["text"])

    def open(self, path: Path, width: int = 1280, look: str = "light", media: str = "") -> Seen:
        """Opens a file; what happened until it was complete."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        features = [{"name": "prefers-color-scheme", "value": look}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)
        self.seen = Seen()
        self.call("Page.navigate", url=path.resolve().as_uri())
        until = time.monotonic() + LONGEST_S
        while self.value("document.readyState + location.protocol") != "completefile:":
            assert time.monotonic() < until, f"{path} does not open"
        self.value("new Promise(done => setTimeout(done, 300))")  # for what comes late
        return self.seen

    def value(self, expression: str) -> object:
        """Of a JavaScript expression, a promise's when it is there."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        return found["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """The whole page as PNG."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

"""A headless Chromium, spoken to over a pipe by the DevTools protocol: what a page does there."""

import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync")
FLAGS += ("--disable-background-networking", "--disable-component-update")
FLAGS += ("--disable-dev-shm-usage", "--remote-debugging-pipe")
MESSAGES = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
LONGEST_S = 60  # of one answer, on a busy machine


def executable() -> str | None:
    """The browser, or None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page, used in a `with`: `messages` and `requests` since it was opened."""

    def __enter__(self) -> "Browser":
        self.folder = tempfile.TemporaryDirectory(prefix="browser", ignore_cleanup_errors=True)
        theirs_in, self.write_to = os.pipe()
        self.read_from, theirs_out = os.pipe()
        # the protocol reads 3 and writes 4
        shell = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out} > /dev/null 2>&1'
        command = [executable(), *FLAGS, f"--user-data-dir={self.folder.name}", "about:blank"]
        self.process = subprocess.Popen(
            ["bash", "-c", shell, "bash", *command], pass_fds=(theirs_in, theirs_out)
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.buffer, self.number, self.session = b"", 0, None
        self.messages, self.requests = [], []
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
        self.folder.cleanup()

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
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        elif message.get("method") in MESSAGES:
            self.messages.append(str(message["params"]))
        return message

    def open(self, path: Path, width: int, look: str, media: str) -> None:
        """Opens a file, and waits until it is complete."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        features = [{"name": "prefers-color-scheme", "value": look}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)
        self.messages, self.requests = [], []
        self.call("Page.navigate", url=path.resolve().as_uri())
        until = time.monotonic() + LONGEST_S
        while self.value("document.readyState + location.protocol") != "completefile:":
            assert time.monotonic() < until, f"{path} does not open"
        self.value("new Promise(done => setTimeout(done, 300))")  # for what comes late

    def value(self, expression: str) -> object:
        """Of a JavaScript expression, a promise's when it is there."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        return found["result"].get("value")

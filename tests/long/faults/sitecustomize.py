"""Causes a fault in a Python process at a point that is the same in every run.

Python imports this module at its start, in every process that has its folder in PYTHONPATH. The
variable FAULT, JSON, says what to do:
    script   the process: what one of its arguments ends with, such as als.py or dvc
    point    a kind and a name: call NAME, a function of stages/ of this name; size BYTES, a file
             would grow beyond it; import NAME; rename NAME, something becomes it; after-rename
             NAME, the next event after that
    act      kill, term, int (these signals); limit (no file may grow any more); at size, the
             process is killed
    target   who gets the signal: self, dvc, group (all that dvc has started, and itself)
    mark     the file that is made when the fault comes, which it does once

Whatever a process does goes past an audit hook of Python, in the same order each time; only files
that other libraries write do not, and these a limit of the size of files reaches.
"""

import json
import os
import resource
import signal
import sys
import threading
from pathlib import Path

SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "int": signal.SIGINT}


class Fault:
    """A fault; see the module docstring."""

    def __init__(self, script: str, point: str, act: str, target: str, mark: str) -> None:
        self.script, self.act, self.target, self.mark = script, act, target, mark
        self.kind, _, self.name = point.partition(" ")
        self.is_next = False

    def arm(self) -> None:
        if not any(argument.endswith(self.script) for argument in sys.orig_argv):
            return
        if self.kind == "size":  # ends the process in the middle of any write
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            limit(int(self.name))
            Path(self.mark).touch()
        elif self.kind == "call":
            threading.setprofile(self.profile)
            sys.setprofile(self.profile)
        else:
            sys.addaudithook(self.audit)

    def profile(self, frame: object, event: str, _: object) -> None:
        code = frame.f_code
        if (event, code.co_name) == ("call", self.name) and "/stages/" in code.co_filename:
            self.come()

    def audit(self, event: str, arguments: tuple) -> None:
        if self.is_next:
            self.is_next = False
            self.come()
        elif self.is_here(event, arguments):
            if self.kind.startswith("after-"):
                self.is_next = True
            else:
                self.come()

    def is_here(self, event: str, arguments: tuple) -> bool:
        if self.kind == "import":
            return event == "import" and arguments[0] == self.name
        return event == "os.rename" and self.name in str(arguments[1])

    def come(self) -> None:
        try:
            os.close(os.open(self.mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        if self.act == "limit":
            limit(0)
        elif self.target == "group":
            os.killpg(0, SIGNALS[self.act])
        else:
            os.kill(os.getpid() if self.target == "self" else dvc(), SIGNALS[self.act])


def limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def dvc() -> int:
    """Return the dvc process, which is the parent or grandparent of this one."""
    pid = os.getppid()
    while "dvc" not in Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0"):
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid


if "FAULT" in os.environ:
    Fault(**json.loads(os.environ["FAULT"])).arm()

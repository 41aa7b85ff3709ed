"""Runs git, DVC and stages as processes that end when the calling script ends."""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

from core.script import InputError

PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def git(*arguments: str) -> str:
    result = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if result.returncode:
        reason = (result.stderr.strip() or "failed").splitlines()[-1]
        raise InputError(f"git {arguments[0]}: {reason}")
    return result.stdout.removesuffix("\n")


def dvc(*arguments: str) -> str:
    return python("-m", "dvc", *arguments)


def python(*arguments: str, folder: Path | None = None) -> str:
    """Run this Python with arguments and return its output. Raises InputError if it fails.

    On Linux, the process ends when the calling script is killed.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PATH": path},
        preexec_fn=PRCTL and (lambda: PRCTL(1, signal.SIGKILL)),  # PR_SET_PDEATHSIG
        check=False,
    )
    if result.returncode:
        raise InputError(reason_in(result.stdout))
    return result.stdout


def reason_in(output: str) -> str:
    """Return the last line of the failed stage, which precedes DVC's lines, or DVC's line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no output"]
    errors = [number for number, line in enumerate(lines) if line.startswith("ERROR: ")]
    if errors and "failed to run" in lines[errors[0]]:
        return lines[errors[0] - 1]
    return lines[errors[0] if errors else -1].removeprefix("ERROR: ")

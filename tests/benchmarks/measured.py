"""Runs the real `dvc repro` and reports time and memory of every stage (Linux)."""

import contextlib
import re
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil

from clone import Clone

SAMPLE_S = 0.02
STAGE = re.compile(r"stages/(\w+)\.py$")


def _stage_of(process: psutil.Process) -> str | None:
    """`als` for `python stages/als.py`, None for other processes."""
    found = (STAGE.search(argument) for argument in process.cmdline())
    return next((match[1] for match in found if match), None)


def _peak_mb(process: psutil.Process) -> float:
    """Largest resident memory so far, MB of 10^6 bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) * 1024 / 1e6


def repro(clone: Clone, *arguments: str) -> pd.DataFrame:
    """One row for each process of a stage, in the order they began, and `dvc` for what is left of
    the whole: stage, seconds (wall, of the process, to within SAMPLE_S), peak_mb (float64).

    RuntimeError with the output where dvc fails.
    """
    began: dict[psutil.Process, tuple[str, float]] = {}
    seen: dict[psutil.Process, float] = {}
    peak: dict[psutil.Process, float] = {}
    output = clone.folder.parent / "repro.log"
    with output.open("w+", encoding="utf-8") as file:
        start = time.time()
        dvc = psutil.Popen(
            [sys.executable, "-m", "dvc", "repro", *arguments],
            cwd=clone.folder,
            env=clone.environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        dvc_peak = 0.0
        while dvc.poll() is None:
            with contextlib.suppress(psutil.Error, OSError, TypeError):
                dvc_peak = max(dvc_peak, _peak_mb(dvc))
            for process in dvc.children(recursive=True):
                with contextlib.suppress(psutil.Error, OSError, TypeError):
                    # a process that a stage forks has the stage's command line until it execs
                    is_new = process not in began and process.parent() not in began
                    if is_new and (stage := _stage_of(process)):
                        began[process] = stage, process.create_time()
                    if process in began:
                        peak[process] = max(peak.get(process, 0.0), _peak_mb(process))
                        seen[process] = time.time()
            time.sleep(SAMPLE_S)
        end = time.time()
    if dvc.returncode:
        raise RuntimeError(output.read_text(encoding="utf-8"))
    rows = [
        (stage, seen.get(process, first) - first, peak.get(process, 0.0))
        for process, (stage, first) in sorted(began.items(), key=lambda entry: entry[1][1])
    ]
    rows.append(("dvc", end - start - sum(seconds for _, seconds, _ in rows), dvc_peak))
    return pd.DataFrame(rows, columns=["stage", "seconds", "peak_mb"])

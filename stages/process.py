"""Imported first by every stage, before the libraries that take a while to load.

1. Waiting threads of OpenMP spin shortly, then sleep. Threads that spin on take the cores from
   those they wait for as soon as anything else runs beside them: LightGBM on 2 shared cores took
   five times as long. OpenMP reads both settings when it is loaded.
2. Under DVC on Linux the stage dies with dvc, or a killed run's stage could overwrite what a later
   run has made.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def is_orphan() -> bool:
    """Whether the parent is gone: another process, of another group or process 1, stands for it."""
    parent = os.getppid()
    if parent == 1:  # dvc itself in some containers
        return b"dvc" not in Path("/proc/1/cmdline").read_bytes()
    return os.getpgid(parent) != os.getpgrp()


os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # of GNU's OpenMP; a few microseconds
if "DVC_STAGE" in os.environ and sys.platform.startswith("linux"):
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if is_orphan():
        sys.exit(f"{Path(sys.argv[0]).stem}: dvc is gone; nothing was written")

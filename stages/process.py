"""Imported first by every stage, before the libraries that take a while to load.

1. Waiting threads of OpenMP spin shortly, then sleep. Threads that spin on take the cores from
   those they wait for as soon as anything else runs beside them: LightGBM on 2 shared cores took
   five times as long. OpenMP reads both settings when it is loaded.
2. Under DVC on Linux 5.3 or later the stage ends with dvc, or a killed run's stage could overwrite
   what a later run has made.
"""

import os
import select
import threading
from pathlib import Path

SHELLS = {"sh", "bash", "dash", "ash", "busybox", "ksh", "zsh", "fish"}


def pid_of_dvc() -> int:
    """The parent's, or the grandparent's where the shell that DVC starts stays between them."""
    parent = os.getppid()
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{parent}/status").read_text().splitlines()
    )
    return int(status["PPid"]) if status["Name"].strip() in SHELLS else parent


def end_with(pidfd: int) -> None:
    """Waits for the end of a process, and ends this one."""
    select.select([pidfd], [], [])
    os._exit(1)


os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # of GNU's OpenMP; a few microseconds
if "DVC_STAGE" in os.environ and hasattr(os, "pidfd_open"):
    try:
        watched = os.pidfd_open(pid_of_dvc())
    except (OSError, ValueError):  # the kernel or its sandbox has no such call, or dvc is gone
        pass
    else:
        threading.Thread(target=end_with, args=(watched,), daemon=True).start()

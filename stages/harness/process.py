"""Imported first by every stage, before the libraries that take a while to load.

1. BLAS rounds alike on every machine. numpy and scipy each bring an OpenBLAS that chooses its
   kernel by the processor, and another kernel, like another number of threads, adds up in another
   order: the last bits of ALS differ, and the ranker makes other models of them. So the kernel is
   the same wherever there is AVX2, and works with one thread. numpy's own vector code beyond AVX2
   is switched off for the same reason. The libraries read these settings when they are loaded.
2. Waiting threads of OpenMP spin shortly, then sleep. Threads that spin on take the cores from
   those they wait for as soon as anything else runs beside them: LightGBM on 2 shared cores took
   five times as long. OpenMP reads both settings when it is loaded.
3. Under DVC on Linux 5.3 or later the stage ends with dvc, or a killed run's stage could overwrite
   what a later run has made.
4. What can end a script while it still imports ends it in one line: an interrupt, and the Python
   of another environment. So nothing beyond the standard library is imported here, and an old
   Python can read this module.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from pathlib import Path
from types import FrameType, TracebackType

SHELLS = {"sh", "bash", "dash", "ash", "busybox", "ksh", "zsh", "fish"}
PROMISED_KERNEL = "Haswell"  # of OpenBLAS: that of the published results
OLDEST_PYTHON = (3, 11)
STAGES = Path(__file__).resolve().parents[1]


def kernel_for(cpuinfo: str) -> str | None:
    """The OpenBLAS kernel to pin on the processor that /proc/cpuinfo describes.

    Haswell needs AVX2 and FMA, Nehalem runs on any x86-64 of the last fifteen years; neither has
    blocks that depend on the size of a cache. None on other processors (arm64), where OpenBLAS
    has neither.
    """
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return PROMISED_KERNEL if {"avx2", "fma"} <= set(value.split()) else "Nehalem"
    return None


def pin_kernel() -> str | None:
    """Pins the kernel unless the environment names one, as some machines need; the one in force,
    None where nothing is pinned.
    """
    try:
        kernel = kernel_for(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    except OSError:  # not Linux
        return None
    if kernel is not None:
        os.environ.setdefault("OPENBLAS_CORETYPE", kernel)
        os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", "X86_V4 AVX512_ICL AVX512_SPR")
    return os.environ.get("OPENBLAS_CORETYPE")


def kernel_note() -> str | None:
    """One line where results may differ from the published ones in their last bits, else None."""
    if (KERNEL or "").lower() == PROMISED_KERNEL.lower():
        return None
    return (
        f"the BLAS kernel is {KERNEL or 'not pinned on this machine'}, not {PROMISED_KERNEL}: the "
        "last bits of the results may differ from those published (README.md, Limits)"
    )


def script_name() -> str:
    """What a line on stderr begins with."""
    return Path(sys.argv[0]).stem


def interrupted() -> str:
    """The line of a script that was interrupted, which exits with 130."""
    return f"{script_name()}: interrupted; no half-written output is left"


def end_at_once(number: int, frame: FrameType | None) -> None:
    """Of an interrupt while libraries are imported, of which some would swallow an exception, or
    make another one of it. Nothing is written yet.
    """
    print(interrupted(), file=sys.stderr, flush=True)
    os._exit(130)


def other_environment(reason: str) -> str:
    """The line of a script that runs on a Python without what the project needs, as it does where
    dvc is called by its path.
    """
    return (
        f"{script_name()}: {sys.executable} {reason}: activate the environment that has"
        " requirements.txt installed (. .venv/bin/activate), and run it again"
    )


def say_what_is_missing(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """A line in place of the traceback of a missing package; what sys.excepthook calls."""
    if issubclass(kind, ModuleNotFoundError) and not is_own_module(error.name):
        print(other_environment(f"has no package {error.name}"), file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def is_own_module(name: str | None) -> bool:
    """Whether a module, by its dotted name, is one of this repository; None is none that is
    missing.
    """
    first = (name or "harness").partition(".")[0]
    return (STAGES / first).exists() or (STAGES / f"{first}.py").exists()


def pid_of_dvc() -> int:
    """The parent's, or the grandparent's where the shell that DVC starts stays between them."""
    parent = os.getppid()
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{parent}/status").read_text().splitlines()
    )
    return int(status["PPid"]) if status["Name"].strip() in SHELLS else parent


def is_dvc(pid: int) -> bool:
    """Whether this process is dvc, or a program that runs it, and not the one that the processes
    of a dvc that has ended are handed to. That is process 1 or stands in another process group; dvc
    has the stage in its own, and is process 1 in some containers.
    """
    arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    is_named_so = any(os.path.basename(argument) == b"dvc" for argument in arguments)
    return is_named_so or (pid != 1 and os.getpgid(pid) == os.getpgrp())


def end_with_dvc() -> None:
    """Ends this process when dvc ends, and at once where it has ended already. Does nothing where
    the kernel, or its sandbox, has no means for it.
    """
    if not Path("/proc/self").exists():
        return
    try:
        pid = pid_of_dvc()
        if not is_dvc(pid):
            os._exit(1)
        pidfd = os.pidfd_open(pid)
        if pid_of_dvc() != pid:  # it has ended meanwhile
            os._exit(1)
    except (FileNotFoundError, ProcessLookupError):
        os._exit(1)
    except (OSError, ValueError):
        return
    threading.Thread(target=wait_and_end, args=(pidfd,), daemon=True).start()


def wait_and_end(pidfd: int) -> None:
    """Waits for the end of a process, and ends this one."""
    select.select([pidfd], [], [])
    os._exit(1)


sys.excepthook = say_what_is_missing
script = Path(sys.argv[0]).resolve()
is_script = script.parent == STAGES and script.is_file()  # "-c" is a name, too
if is_script and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, end_at_once)  # until run_script() takes over
if sys.version_info < OLDEST_PYTHON:
    version, oldest = (".".join(map(str, of[:2])) for of in (sys.version_info, OLDEST_PYTHON))
    sys.exit(other_environment(f"is Python {version}, not {oldest} or newer"))
KERNEL = pin_kernel()
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # of GNU's OpenMP; a few microseconds
if "DVC_STAGE" in os.environ and hasattr(os, "pidfd_open"):
    end_with_dvc()

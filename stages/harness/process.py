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
"""

import os
import select
import threading
from pathlib import Path

SHELLS = {"sh", "bash", "dash", "ash", "busybox", "ksh", "zsh", "fish"}
PROMISED_KERNEL = "Haswell"  # of OpenBLAS: that of the published results


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


KERNEL = pin_kernel()
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # of GNU's OpenMP; a few microseconds
if "DVC_STAGE" in os.environ and hasattr(os, "pidfd_open"):
    try:
        watched = os.pidfd_open(pid_of_dvc())
    except (OSError, ValueError):  # the kernel or its sandbox has no such call, or dvc is gone
        pass
    else:
        threading.Thread(target=end_with, args=(watched,), daemon=True).start()

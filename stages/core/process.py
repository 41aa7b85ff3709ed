"""Set up the process of a script. Imported first: libraries read these settings when they load.

1. BLAS: kernels and numbers of threads add up in different orders, so the last bits of ALS would
   differ, and the ranker would train other models. We pin one OpenBLAS kernel and one thread, and
   switch off numpy's own vector code beyond AVX2.
2. OpenMP: waiting threads sleep early. Spinning ones made LightGBM five times slower on 2 cores.
3. DVC: a stage ends when its dvc is killed. It could overwrite the outputs of a later run.
"""

import contextlib
import os
import re
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

SHELLS = {"sh", "bash", "dash", "ash", "busybox", "ksh", "zsh", "fish"}
PROMISED_KERNEL = "Haswell"  # the OpenBLAS kernel of the published results


def kernel_for(cpuinfo: str) -> str | None:
    """Return the kernel to pin, given /proc/cpuinfo; None for processors without AVX2 and FMA."""
    flags = re.search(r"^flags\s*:(.*)$", cpuinfo, re.MULTILINE)
    return PROMISED_KERNEL if flags and {"avx2", "fma"} <= {*flags[1].split()} else None


def kernel_note() -> str | None:
    """Return one line if results may differ from the published ones in their last bits."""
    if KERNEL and KERNEL.lower() == PROMISED_KERNEL.lower():
        return None
    what = f"the BLAS kernel is {KERNEL or 'not pinned on this machine'}, not {PROMISED_KERNEL}"
    return f"{what}: the last bits of the results may differ from those published (README, Limits)"


def script_name() -> str:
    """Return what each line on stdout and stderr starts with."""
    return Path(sys.argv[0]).stem


def show_error(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Show an interrupt during imports in one line, and all else as Python does."""
    if issubclass(kind, KeyboardInterrupt):
        print(f"{script_name()}: interrupted; no half-written output is left", file=sys.stderr)
        os._exit(130)
    sys.__excepthook__(kind, error, trace)


def end_with_dvc() -> None:
    """End this process when dvc ends, which is its parent, or its grandparent behind a shell. If
    dvc has ended before we look, our parent is a process of another group.
    """
    import psutil

    dvc = psutil.Process().parent()
    if dvc and dvc.name() in SHELLS:
        dvc = dvc.parent()
    if dvc is None or os.getpgid(dvc.pid) != os.getpgrp():
        os._exit(1)

    def wait_and_end() -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            while dvc.status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=wait_and_end, daemon=True).start()


sys.excepthook = show_error
if "DVC_STAGE" in os.environ:
    end_with_dvc()

CPUINFO = Path("/proc/cpuinfo")  # Linux only
KERNEL = os.environ.get("OPENBLAS_CORETYPE")  # some machines need another one
KERNEL = KERNEL or kernel_for(CPUINFO.read_text(encoding="utf-8") if CPUINFO.exists() else "")
if KERNEL:
    os.environ["OPENBLAS_CORETYPE"] = KERNEL
    os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", "X86_V4 AVX512_ICL AVX512_SPR")
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # GNU OpenMP: a few microseconds

"""Sets up the process of a script. Import it first: libraries read these settings when they load.

1. BLAS: the order of additions depends on the kernel and the number of threads, so the last bits of
   ALS, and then the rankers, would differ. We pin one OpenBLAS kernel and one thread, and switch
   off numpy's own vector code beyond AVX2.
2. OpenMP: waiting threads sleep early. Spinning threads made LightGBM five times slower on 2 cores.
3. DVC: a stage ends when its dvc is killed, because it could overwrite outputs of a later run.
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
    """Return the kernel to pin, or None for processors without AVX2 and FMA (/proc/cpuinfo)."""
    flags = re.search(r"^flags\s*:(.*)$", cpuinfo, re.MULTILINE)
    return PROMISED_KERNEL if flags and {"avx2", "fma"} <= {*flags[1].split()} else None


def kernel_note() -> str | None:
    """Return a warning if the last bits of results may differ from the published, else None."""
    if KERNEL and KERNEL.lower() == PROMISED_KERNEL.lower():
        return None
    what = f"the BLAS kernel is {KERNEL or 'not pinned on this machine'}, not {PROMISED_KERNEL}"
    return f"{what}: the last bits of the results may differ from those published (README, Limits)"


def show_error(kind: type, error: BaseException, trace: TracebackType | None) -> None:
    """Show an interrupt in one line, with exit code 130; other exceptions as Python does."""
    if kind is KeyboardInterrupt:
        sys.stdout.flush()
        name = Path(sys.argv[0]).stem
        print(f"{name}: interrupted; no half-written output is left", file=sys.stderr)
        os._exit(130)
    sys.__excepthook__(kind, error, trace)


def end_with_dvc() -> None:
    """End this process when dvc ends.

    dvc is the parent, or the grandparent behind a shell. If dvc has already ended, the parent
    belongs to another process group.
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

CPUINFO = Path("/proc/cpuinfo")  # only on Linux
KERNEL = os.environ.get("OPENBLAS_CORETYPE")  # some machines need another one
KERNEL = KERNEL or kernel_for(CPUINFO.read_text(encoding="utf-8") if CPUINFO.exists() else "")
if KERNEL:
    os.environ["OPENBLAS_CORETYPE"] = KERNEL
    os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", "X86_V4 AVX512_ICL AVX512_SPR")
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # GNU OpenMP: a few microseconds

"""The pinned BLAS kernel, and the end with dvc."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from core import process

import pytest

STAGES = Path(process.__file__).parents[1]
CPUINFO = Path("/proc/cpuinfo")
HAS_KERNEL = CPUINFO.exists() and process.kernel_for(CPUINFO.read_text()) is not None
AVX2 = "processor : 0\nflags\t\t: fpu sse2 fma avx2\nbugs : none\n"
SHOW = """
import json
from core import process
import numpy, scipy.linalg, threadpoolctl
found = [p for p in threadpoolctl.threadpool_info() if p["internal_api"] == "openblas"]
print(json.dumps([[p["architecture"], p["num_threads"]] for p in found]))
print(process.kernel_note())
"""


def run(*arguments: str, folder: Path = STAGES, **environment: str) -> subprocess.CompletedProcess:
    """This Python in the folder, without the settings that the tests themselves run with."""
    names = ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "NPY_DISABLE_CPU_FEATURES", "DVC_STAGE")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**kept, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("cpuinfo", "kernel"),
    [
        (AVX2, "Haswell"),
        (AVX2.replace(" fma", ""), None),
        (AVX2.replace("avx2", "avx avx512f"), None),
        ("processor : 0\nFeatures : fp asimd\n", None),  # arm64
    ],
)
def test_kernel_of_a_processor(cpuinfo: str, kernel: str | None) -> None:
    assert process.kernel_for(cpuinfo) == kernel


@pytest.mark.skipif(not HAS_KERNEL, reason="no kernel is pinned on this processor")
@pytest.mark.parametrize(
    ("asked", "kernel", "note"),
    [
        ({"OPENBLAS_NUM_THREADS": "4"}, "Haswell", "None"),
        ({"OPENBLAS_CORETYPE": "HASWELL"}, "Haswell", "None"),
        ({"OPENBLAS_CORETYPE": "Nehalem"}, "Nehalem", "the BLAS kernel is Nehalem, not Haswell"),
    ],
)
def test_both_copies_of_openblas_run_the_kernel_with_one_thread(
    asked: dict[str, str], kernel: str, note: str
) -> None:
    """The copies are those of numpy and scipy. A kernel in the environment is respected."""
    copies, shown = run("-c", SHOW, **asked).stdout.splitlines()
    assert json.loads(copies) == [[kernel, 1]] * 2
    assert shown.startswith(note)


def test_a_stage_ends_when_its_dvc_is_killed() -> None:
    """A shell is between the stage and dvc."""
    stage = "import core.process, time; print('ready', flush=True); time.sleep(60)"
    shell = f"""{sys.executable} -c "{stage}"; true"""
    dvc = (
        "import os, subprocess\n"
        f"child = subprocess.Popen(['sh', '-c', {shell!r}], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "os.kill(os.getpid(), 9)"
    )
    start = time.monotonic()
    assert run("-c", dvc, DVC_STAGE="als").returncode == -9
    assert time.monotonic() - start < 30

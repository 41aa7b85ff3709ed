"""The BLAS kernel that every stage pins, and what it says where that is not the promised one."""

import json
import os
import subprocess
import sys
from pathlib import Path

from harness import process

import pytest

STAGES = Path(process.__file__).parents[1]
AVX2 = "processor : 0\nflags\t\t: fpu sse2 fma avx2\nbugs : none\n"
SETTINGS = ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "NPY_DISABLE_CPU_FEATURES")
SHOW = """
import json
from harness import process
import numpy, scipy.linalg, threadpoolctl
found = [p for p in threadpoolctl.threadpool_info() if p["internal_api"] == "openblas"]
print(json.dumps([[p["architecture"], p["num_threads"]] for p in found]))
print(process.kernel_note())
"""


def loaded_after_process(**environment: str) -> tuple[list, str]:
    """(kernel, threads) of each copy of OpenBLAS in a new process, and the note."""
    kept = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    result = subprocess.run(
        [sys.executable, "-c", SHOW],
        env={**kept, **environment, "PYTHONPATH": str(STAGES)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    copies, note = result.stdout.splitlines()
    return json.loads(copies), note


def this_kernel() -> str | None:
    cpuinfo = Path("/proc/cpuinfo")
    return process.kernel_for(cpuinfo.read_text()) if cpuinfo.exists() else None


@pytest.mark.parametrize(
    ("cpuinfo", "kernel"),
    [
        (AVX2, "Haswell"),
        (AVX2.replace(" fma", ""), "Nehalem"),
        (AVX2.replace("avx2", "avx avx512f"), "Nehalem"),
        ("processor : 0\nFeatures : fp asimd\n", None),  # arm64
        ("", None),
    ],
)
def test_kernel_of_a_processor(cpuinfo: str, kernel: str | None) -> None:
    assert process.kernel_for(cpuinfo) == kernel


@pytest.mark.skipif(this_kernel() is None, reason="no kernel is pinned on this processor")
def test_both_copies_of_openblas_run_the_pinned_kernel_with_one_thread() -> None:
    """numpy's and scipy's, though the environment asks for more threads."""
    copies, note = loaded_after_process(OPENBLAS_NUM_THREADS="4")
    assert copies == [[this_kernel(), 1]] * 2
    assert (note == "None") == (this_kernel() == "Haswell")


@pytest.mark.skipif(this_kernel() is None, reason="this processor has no other kernel to ask for")
def test_a_kernel_set_outside_is_respected_and_named() -> None:
    copies, note = loaded_after_process(OPENBLAS_CORETYPE="Nehalem")
    assert copies == [["Nehalem", 1]] * 2
    assert "the BLAS kernel is Nehalem, not Haswell" in note


@pytest.mark.parametrize("name", ["Haswell", "HASWELL"])
def test_the_promised_kernel_is_not_worth_a_line(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "KERNEL", name)
    assert process.kernel_note() is None


def test_a_machine_without_a_pinned_kernel_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "KERNEL", None)
    assert "the BLAS kernel is not pinned on this machine" in process.kernel_note()

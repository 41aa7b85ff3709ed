"""The BLAS kernel that every stage pins, what ends it while it imports, and its end with dvc."""

import json
import os
import subprocess
import sys
import time
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


# --- while libraries are imported


def run_als(*options: str, **environment: str) -> subprocess.CompletedProcess:
    """stages/als.py by a Python with these options; it reaches no file of data."""
    return subprocess.run(
        [sys.executable, *options, str(STAGES / "als.py"), "test"],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_an_interrupt_during_imports_is_one_line(tmp_path: Path) -> None:
    """Also where a library makes another exception of it, or swallows it."""
    (tmp_path / "pydantic.py").write_text(
        "import os, signal, time\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(9)\n"
        "except KeyboardInterrupt:\n"
        "    raise AttributeError('partially initialized') from None\n"
    )
    result = run_als(PYTHONPATH=str(tmp_path))
    expected = "als: interrupted; no half-written output is left\n"
    assert (result.returncode, result.stderr, result.stdout) == (130, expected, "")


def test_the_python_of_another_environment_is_one_line() -> None:
    """As dvc finds it that is called by its path: without the packages of this project."""
    result = run_als("-S")  # without site-packages
    assert result.returncode == 1
    assert result.stderr.startswith(f"als: {sys.executable} has no package ")
    assert "activate the environment that has requirements.txt installed" in result.stderr
    assert result.stderr.count("\n") == 1


def test_what_stdout_cannot_show_is_escaped() -> None:
    """Such as a path in a message."""
    result = subprocess.run(
        [sys.executable, "-c", "import harness.process; print('für Łódź')"],
        cwd=STAGES,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=True,
    )
    assert result.stdout == b"f\xfcr \\u0141\xf3d\\u017a\n"


@pytest.mark.parametrize("name", ["compare", "search", "submit"])
def test_help_of_a_script_without_docstrings(name: str) -> None:
    """As Python has it with -OO."""
    for option in ("-O", "-OO"):
        result = subprocess.run(
            [sys.executable, option, f"{name}.py", "--help"],
            cwd=STAGES,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.startswith(f"usage: {name} ")


def test_an_old_python_is_one_line() -> None:
    code = "import sys; sys.argv, sys.version_info = ['stages/als.py'], (3, 9, 1); import harness"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=STAGES, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.startswith(f"als: {sys.executable} is Python 3.9, not 3.11 or newer: ")
    assert result.stderr.count("\n") == 1


def test_a_missing_module_of_our_own_is_a_bug_and_not_hidden() -> None:
    code = "import harness.process, folds.none"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=STAGES, capture_output=True, text=True, check=False
    )
    assert "Traceback" in result.stderr
    assert "No module named 'folds.none'" in result.stderr


# --- the end of dvc

ENDS_BEFORE_IT_IS_LOOKED_AT = """
import subprocess, sys
child = 'import time; time.sleep(1); import harness.process; time.sleep(60)'
subprocess.Popen([sys.executable, '-c', child])
"""

needs_pidfd = pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="this system cannot wait for the end of another process"
)


@needs_pidfd
def test_a_stage_ends_that_finds_its_dvc_gone() -> None:
    """It was handed to another process before it could look who started it."""
    subprocess.run(
        [sys.executable, "-c", ENDS_BEFORE_IT_IS_LOOKED_AT],
        cwd=STAGES,
        env={**os.environ, "DVC_STAGE": "als@test"},
        capture_output=True,  # which lasts until the stage, which has the same pipes, has ended
        check=True,
        timeout=30,
    )


@needs_pidfd
def test_a_stage_goes_on_under_a_program_that_runs_dvc() -> None:
    """By its interface for Python: the process is not called dvc."""
    start = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-c", "import harness.process, time; time.sleep(1)"],
        cwd=STAGES,
        env={**os.environ, "DVC_STAGE": "als@test"},
        check=False,
    )
    assert result.returncode == 0
    assert time.monotonic() - start > 1

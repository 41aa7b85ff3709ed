"""The pinned BLAS kernel, what ends a script while it imports, and the end with dvc."""

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


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """This Python in stages/, without the settings that the tests themselves run with."""
    names = ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "NPY_DISABLE_CPU_FEATURES", "DVC_STAGE")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=STAGES,
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
    """numpy's and scipy's. A kernel in the environment is respected."""
    copies, shown = run("-c", SHOW, **asked).stdout.splitlines()
    assert json.loads(copies) == [[kernel, 1]] * 2
    assert shown.startswith(note)


def test_an_interrupt_during_imports_is_one_line(tmp_path: Path) -> None:
    """Even if a library makes another exception of it."""
    (tmp_path / "pydantic.py").write_text(
        "import os, signal, time\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(9)\n"
        "except KeyboardInterrupt:\n"
        "    raise AttributeError('partially initialized') from None\n"
    )
    result = run("als.py", "test", PYTHONPATH=str(tmp_path))
    expected = "als: interrupted; no half-written output is left\n"
    assert (result.returncode, result.stderr, result.stdout) == (130, expected, "")


@pytest.mark.parametrize("dvc", [{}, {"DVC_STAGE": "als"}])
def test_a_missing_package_is_one_line(dvc: dict[str, str]) -> None:
    """As with a dvc that runs the Python of another environment."""
    result = run("-S", "als.py", "test", **dvc)  # without site-packages
    assert result.returncode == 1
    assert result.stderr.startswith(f"als: {sys.executable} has no package ")
    assert "activate the environment with requirements.txt" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_missing_module_of_our_own_is_a_bug_and_not_hidden() -> None:
    result = run("-c", "import core.process, families.none")
    assert "Traceback" in result.stderr
    assert "No module named 'families.none'" in result.stderr


def test_what_stdout_cannot_show_is_escaped() -> None:
    """Such as a path in a message."""
    result = run("-c", "import core.process; print('Łódź')", PYTHONIOENCODING="ascii")
    assert result.stdout == "\\u0141\\xf3d\\u017a\n"


def test_a_stage_ends_that_finds_its_dvc_gone() -> None:
    """Its parent has ended before the stage looks. run() lasts until both have closed the pipes."""
    stage = "import time; time.sleep(1); import core.process; time.sleep(60)"
    dvc = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {stage!r}])"
    start = time.monotonic()
    run("-c", dvc, DVC_STAGE="als")
    assert 1 < time.monotonic() - start < 30


def test_a_stage_ends_when_its_dvc_is_killed() -> None:
    """With a shell that stays between them."""
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


def test_a_stage_goes_on_while_its_dvc_runs() -> None:
    assert run("-c", "import core.process, time; time.sleep(1); print(1)", DVC_STAGE="als").stdout

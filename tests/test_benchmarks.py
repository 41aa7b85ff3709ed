"""The benchmarks run."""

import sys

import pytest

import measured
from clone import Clone


def test_unknown_benchmark_is_refused(clone: Clone) -> None:
    result = clone.run(sys.executable, "tests/benchmarks/run.py", "stepz", is_checked=False)
    assert result.returncode
    assert "no benchmark stepz" in result.stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_run_is_measured_stage_by_stage(copied: Clone) -> None:
    frame = measured.repro(copied, "--force", "--single-item", "als")
    assert list(frame["stage"]) == ["als", "dvc"]
    assert frame["seconds"][0] > 0
    assert (frame["peak_mb"] > 20).all()


def test_the_same_system_is_compared_with_itself(clone: Clone) -> None:
    """Three systems are three pairs."""
    lines = clone.run(sys.executable, "tests/benchmarks/same_system.py", "3").stdout.splitlines()
    assert lines[0].startswith("3 systems, 3 pairs, ")
    assert any(line.startswith("pairs called significant at 5 %: ") for line in lines)

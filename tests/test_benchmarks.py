"""The benchmarks run, and their reference, written the notebook's way, agrees with the pipeline."""

import json
import sys

import pytest

import measured
from clone import Clone


def test_steps_agree_and_are_timed(clone: Clone) -> None:
    """Each step ends in an assertion that both ways give the same."""
    output = clone.run(sys.executable, "tests/benchmarks/run.py", "steps").stdout
    for step in (
        "matrix",
        "candidates",
        "labels",
        "features",
        "MAP@10",
        "all but the fits",
        "ranker",
    ):
        assert any(line.strip().startswith(step) for line in output.splitlines()), output


def test_kernels_and_the_rest_make_up_the_time(copied: Clone) -> None:
    before = copied.content("data/als/test.npz")
    command = (sys.executable, "tests/benchmarks/kernels.py", "als", "test")
    shares = json.loads(copied.run(*command).stdout.splitlines()[-1])
    assert {"start-up", "implicit", "files", "else"} <= shares.keys()
    assert all(seconds >= 0 for seconds in shares.values())
    assert copied.content("data/als/test.npz") == before


def test_unknown_benchmark_is_refused(clone: Clone) -> None:
    result = clone.run(sys.executable, "tests/benchmarks/run.py", "stepz", is_checked=False)
    assert result.returncode
    assert "no benchmark stepz" in result.stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_run_is_measured_stage_by_stage(copied: Clone) -> None:
    frame = measured.repro(copied, "--force", "--single-item", "als@test")
    assert list(frame["stage"]) == ["als@test", "dvc"]
    assert (frame["seconds"] > 0).all()
    assert (frame["peak_mb"] > 20).all()


def test_the_same_system_is_compared_with_itself(clone: Clone) -> None:
    """Three systems are three pairs."""
    lines = clone.run(sys.executable, "tests/benchmarks/same_system.py", "3").stdout.splitlines()
    assert lines[0].startswith("3 systems, 3 pairs, ")
    assert any(line.startswith("pairs called significant at 5 %: ") for line in lines)

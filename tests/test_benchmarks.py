"""The benchmarks run."""

import sys

import pytest

from benchmarks.run import measured
from clone import Clone


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="os.wait4 has other units")
def test_a_run_is_measured_stage_by_stage(copied: Clone) -> None:
    frame = measured(copied, "split", "als")
    assert list(frame["stage"]) == ["split", "als"]
    assert frame["seconds"][0] > 0
    assert (frame["peak_mb"] > 20).all()


def test_the_same_system_is_compared_with_itself(clone: Clone) -> None:
    """Three systems are three pairs."""
    shown = clone.run(sys.executable, "tests/benchmarks/same_system.py", "3").stdout
    lines = shown[shown.index("3 systems, 3 pairs, ") :].splitlines()
    assert [line.partition(":")[0] for line in lines[1:]] == ["map", "ndcg"]
    assert all("% of pairs called different; standard deviation 0.0" in line for line in lines[1:])

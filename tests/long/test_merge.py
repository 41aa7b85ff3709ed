"""Two branches with different parameters are merged as metrics/README.md explains."""

from pathlib import Path

import pytest

from clone import Clone

OURS, THEIRS = {"ranker.n_estimators": 10}, {"baselines.ease.l2": [500.0, 2000.0]}
RESULTS = ("dvc.lock", "params.yaml", "metrics", "data")


def run_and_commit(clone: Clone, params: dict[str, object]) -> None:
    clone.set_params(params)
    clone.dvc("repro")
    clone.commit()


@pytest.fixture(scope="module")
def branches(clone: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Return a clone with a commit on each branch, on the branch that receives the merge."""
    both = clone.copy(tmp_path_factory.mktemp("branches"))
    both.run("git", "checkout", "--quiet", "-b", "theirs")
    run_and_commit(both, THEIRS)
    both.run("git", "checkout", "--quiet", "main")
    both.dvc("checkout")
    run_and_commit(both, OURS)
    return both


@pytest.fixture(scope="module")
def expected(clone: Clone, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the results of a run with the parameters of both branches."""
    one = clone.copy(tmp_path_factory.mktemp("expected"))
    run_and_commit(one, OURS | THEIRS)
    return one.content(*RESULTS)


@pytest.mark.parametrize("side", ["--ours", "--theirs"])
def test_either_lock_will_do(
    side: str, branches: Clone, expected: dict[str, bytes], tmp_path: Path
) -> None:
    merged = branches.copy(tmp_path)
    result = merged.run("git", "merge", "theirs", is_checked=False)
    assert result.returncode == 1
    conflicts = merged.run("git", "diff", "--name-only", "--diff-filter=U").stdout.splitlines()
    assert {"dvc.lock", "metrics/map.json"} <= {*conflicts}
    assert all(name == "dvc.lock" or name.startswith("metrics/") for name in conflicts)
    assert merged.content(*conflicts) == branches.content(*conflicts)  # not mixed
    merged.run("git", "checkout", side, "dvc.lock", "metrics")
    merged.dvc("repro")
    merged.run("git", "add", ".")
    merged.run("git", "commit", "--quiet", "--message", "merged")
    assert merged.run("git", "status", "--porcelain").stdout == ""
    assert "up to date" in merged.dvc("repro").stdout
    assert merged.content(*RESULTS) == expected

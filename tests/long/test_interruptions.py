"""Whatever ends a run, the next `dvc repro` gives the bytes of an undisturbed one.

The faults come at points that are the same in every run, see faults/sitecustomize.py. One follows
on the other in the same clone, without the cache of runs, so that every stage has to do its work
again; the end is compared with the clone that was never disturbed. After every fault, whatever file
is there is whole.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import cycle
from pathlib import Path

import pytest

from clone import LONGEST_S, Clone

HOOK = Path(__file__).with_name("faults")
Content = dict[str, bytes]


@dataclass(frozen=True)
class Fault:
    """What comes when; the docstring of faults/sitecustomize.py tells the values."""

    script: str
    point: str
    act: str
    target: str = "self"

    def __str__(self) -> str:
        return f"{self.act} to {self.target} at {self.point} of {self.script}"


@dataclass(frozen=True)
class Work:
    """A stage as a process: the function in which most of its work is, the first of its outputs to
    become whole, and a size in bytes that some file of its exceeds.
    """

    script: str
    middle: str
    out: str
    size: int


WORK = {  # by the stage with which a sequence of faults ends
    "als@test": [
        Work("download.py", "leave_readme", "data/raw", 20),
        Work("ingest.py", "_embeddings", "data/items.parquet", 5_000),
        Work("split.py", "summary", "split/folds", 2_000),
        Work("als.py", "exact_user_factors", "als/test.npz", 1_000),
    ],
    "ranker": [
        Work("candidates.py", "append", "candidates/validation_2.parquet", 10_000),
        Work("features.py", "feature_matrix", "features/validation_2_cold.parquet", 10_000),
        Work("ranker.py", "train_one", "data/ranker", 3_000),
    ],
    "report": [
        Work("recommend.py", "top_k", "data/recommendations", 5_000),
        Work("baselines.py", "write_fold", "data/baselines", 5_000),
        Work("evaluate.py", "judge_fold", "data/per_user", 5_000),
        Work("report.py", "inside_the_ranker", "metrics/report.html", 5_000),
    ],
}
SIGNALS = [(act, target) for target in ("self", "dvc", "group") for act in ("kill", "term", "int")]


def faults_of(works: list[Work], signals: Iterator[tuple[str, str]]) -> list[Fault]:
    """At the start of each stage, in the middle, while it writes and when it has written."""
    found = []
    for number, work in enumerate(works):
        points = ["import harness", f"call {work.middle}", f"rename {work.out}"]
        if number % 2:
            points = ["import numpy", f"call {work.middle}", f"after-rename {work.out}"]
        found += [Fault(work.script, point, *next(signals)) for point in points]
        found.append(Fault(work.script, f"size {work.size}", "killed by its size"))
        if number % 2:
            found.append(Fault(work.script, f"call {work.middle}", "limit"))
    return found


def with_fault(clone: Clone, fault: Fault, mark: Path) -> Clone:
    """The clone with an environment in which the fault comes; the file `mark` says that it has."""
    variables = {"PYTHONPATH": str(HOOK), "FAULT": json.dumps({**asdict(fault), "mark": str(mark)})}
    return replace(clone, variables=variables)


def started(clone: Clone, *arguments: str) -> subprocess.Popen:
    """DVC in a process group of its own; what it says goes to a file."""
    with (clone.folder.parent / "output.txt").open("w") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "dvc", *arguments],
            cwd=clone.folder,
            env=clone.environment,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def said(clone: Clone) -> str:
    return (clone.folder.parent / "output.txt").read_text()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, f"not within a minute: {what}"
        time.sleep(0.01)


def disturb(clone: Clone, fault: Fault, *arguments: str) -> int:
    """Runs DVC until the fault has come and everything has ended; its exit code."""
    mark = clone.folder.parent / "mark"
    mark.unlink(missing_ok=True)
    code = started(with_fault(clone, fault, mark), *arguments).wait(LONGEST_S)
    assert mark.exists(), f"{fault}: did not come\n{said(clone)}"
    wait_until(lambda: not any(clone.processes()), f"{fault}: the end of every process")
    return code


def whole_files(clone: Clone) -> Content:
    """Every file of the outputs but what is not finished, which has a name for it."""
    return {
        path: content
        for path, content in clone.content("data", "metrics").items()
        if not any(part.endswith(".tmp") for part in Path(path).parts)
    }


def unfinished(clone: Clone) -> list[str]:
    return [
        str(path) for name in ("data", "metrics") for path in (clone.folder / name).rglob("*.tmp")
    ]


def forget(clone: Clone, *paths: str) -> None:
    """Removes outputs, and the runs that DVC has in its cache and would take them from."""
    shutil.rmtree(clone.folder / ".dvc/cache/runs")
    for path in paths:
        one = clone.folder / path
        shutil.rmtree(one) if one.is_dir() else one.unlink()


FORGOTTEN = {  # outputs of the stages of WORK, of one fold where they have some
    "als@test": [
        *("data/raw", "data/interactions.parquet", "data/users.parquet", "data/items.parquet"),
        *("data/item_tags.npz", "data/item_embeddings.npy", "data/item_titles.parquet"),
        *("data/split", "data/als/test.npz"),
    ],
    "ranker": [
        *("data/candidates/validation_2.parquet", "data/features/validation_2.parquet"),
        *("data/features/validation_2_cold.parquet", "data/ranker"),
    ],
    "report": [
        *("data/recommendations", "data/single_models", "data/baselines", "metrics/map.json"),
        "metrics/report.html",
    ],
}


@pytest.mark.parametrize("last", WORK)
def test_a_disturbed_run_is_repaired_by_the_next(last: str, clone: Clone, copied: Clone) -> None:
    """The stage, DVC, and both, killed, terminated and interrupted; files that may not grow."""
    expected = whole_files(clone)
    forget(copied, *FORGOTTEN[last])
    signals = cycle(SIGNALS[3 * list(WORK).index(last) :] + SIGNALS)
    for fault in faults_of(WORK[last], signals):
        code = disturb(copied, fault, "repro", last)
        assert code != 0 or (fault.act, fault.target) == ("int", "dvc"), f"{fault}\n{said(copied)}"
        assert "Traceback" not in said(copied), f"{fault}\n{said(copied)}"
        found = whole_files(copied)
        wrong = [path for path in found if found[path] != expected.get(path)]
        assert wrong == [], f"{fault}: {wrong}"
    copied.dvc("repro")
    assert whole_files(copied) == expected
    assert copied.content("dvc.lock") == clone.content("dvc.lock")
    assert unfinished(copied) == []

"""After any interruption, the next `dvc repro` gives the bytes of an undisturbed run.
The faults come at points that are the same in every run, see faults/sitecustomize.py. One follows
on the other in the same clone, where DVC has nothing of these outputs in its cache, so that each
stage has to do its work again; the end is compared with the clone that was never disturbed. After
every fault, whatever file is there is whole.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import cycle
from pathlib import Path

import pytest

from clone import LONGEST_S, Clone, wait_until

HOOK = Path(__file__).with_name("faults")
Content = dict[str, bytes]


@dataclass(frozen=True)
class Fault:
    """A fault and its time; faults/sitecustomize.py explains the values."""

    script: str
    point: str
    act: str
    target: str = "self"

    def __str__(self) -> str:
        return f"{self.act} to {self.target} at {self.point} of {self.script}"


@dataclass(frozen=True)
class Work:
    """A stage, a function of it, its first output, and a size that one of its files exceeds."""

    script: str
    middle: str
    out: str
    size: int


WORK = {  # by the stage with which a sequence of faults ends
    "als": [
        Work("download.py", "check_path", "data/raw", 20),
        Work("ingest.py", "embeddings_of", "data/tables", 5_000),
        Work("split.py", "summary", "data/split", 2_000),
        Work("als.py", "factors_of", "data/als", 1_000),
    ],
    "ranker": [
        Work("candidates.py", "append", "data/candidates", 10_000),
        Work("features.py", "feature_matrix", "data/features", 10_000),
        Work("ranker.py", "train_one", "data/ranker", 3_000),
    ],
    "report": [
        Work("recommend.py", "top_k", "data/recommendations", 5_000),
        Work("baselines.py", "write_fold", "data/baselines", 5_000),
        Work("evaluate.py", "judge_fold", "data/per_user", 5_000),
        Work("report.py", "inside_the_ranker", "metrics/report.html", 5_000),
    ],
}
SIGNALS = [  # DVC leaves an interrupt of its own to the stage, so that the run goes on
    *(("kill", "self"), ("term", "self"), ("int", "self"), ("kill", "dvc"), ("term", "dvc")),
    *(("kill", "group"), ("term", "group"), ("int", "group")),
]


def faults_of(works: list[Work], signals: Iterator[tuple[str, str]]) -> list[Fault]:
    """Return faults at the start of each stage, in the middle, while writing, and after writing.

    The last fault is after writing, because DVC then takes the outputs for results.
    """
    found = []
    for number, work in enumerate(works):
        start, end = "import pydantic", "rename"
        if number % 2:
            start, end = "import numpy", "after-rename"
        middle = f"call {work.middle}"
        found += [Fault(work.script, point, *next(signals)) for point in (start, middle)]
        found.append(Fault(work.script, f"size {work.size}", "killed by its size"))
        if number % 2:
            found.append(Fault(work.script, middle, "limit"))
        found.append(Fault(work.script, f"{end} {work.out}", *next(signals)))
    return found


ALL_SIGNALS = cycle(SIGNALS)
FAULTS = {last: faults_of(works, ALL_SIGNALS) for last, works in WORK.items()}


def said(clone: Clone) -> str:
    """Return the output of DVC."""
    return (clone.folder.parent / "output.txt").read_text()


def disturb(clone: Clone, fault: Fault, *arguments: str) -> int:
    """Run DVC until the fault has happened and all processes have ended. Returns its exit code."""
    mark = clone.folder.parent / "mark"
    mark.unlink(missing_ok=True)
    values = {**asdict(fault), "mark": str(mark)}
    one = replace(clone, variables={"PYTHONPATH": str(HOOK), "FAULT": json.dumps(values)})
    with (clone.folder.parent / "output.txt").open("w") as output:
        dvc = one.start("-m", "dvc", *arguments, stdout=output)
    code = dvc.wait(LONGEST_S)
    assert mark.exists(), f"{fault}: did not come\n{said(clone)}"
    wait_until(lambda: not clone.processes())
    return code


def whole_files(clone: Clone) -> Content:
    """Return all files of the outputs except unfinished ones, which have temporary names."""
    return {
        path: content
        for path, content in clone.content("data", "metrics").items()
        if not any(part.endswith(".tmp") for part in Path(path).parts)
    }


def forget(clone: Clone, *works: Work) -> None:
    """Remove outputs and their copies in DVC's cache, so that their stages must run."""
    cache, paths = clone.folder / ".dvc/cache", [work.out for work in works]
    shutil.rmtree(cache / "runs")
    for md5 in {hashlib.md5(of).hexdigest() for of in clone.content(*paths).values()}:
        (cache / f"files/md5/{md5[:2]}/{md5[2:]}").unlink(missing_ok=True)  # metrics are not there
    for path in paths:
        one = clone.folder / path
        shutil.rmtree(one) if one.is_dir() else one.unlink()


@pytest.mark.parametrize("last", WORK)
def test_a_disturbed_run_is_repaired_by_the_next(last: str, clone: Clone, copied: Clone) -> None:
    expected = whole_files(clone)
    forget(copied, *WORK[last])
    for fault in FAULTS[last]:
        assert disturb(copied, fault, "repro", last) != 0, f"{fault}\n{said(copied)}"
        assert "Traceback" not in said(copied), f"{fault}\n{said(copied)}"
        found = whole_files(copied)
        wrong = [path for path in found if found[path] != expected.get(path)]
        assert wrong == [], f"{fault}: {wrong}"
    copied.dvc("repro")
    assert whole_files(copied) == expected
    assert copied.content("dvc.lock") == clone.content("dvc.lock")
    assert not [path for of in ("data", "metrics") for path in (copied.folder / of).rglob("*.tmp")]


# --- a full disk

FULL = """
mount -t tmpfs -o size=1g none "$1" && cp -a "$2/." "$1" && cd "$1" || exit 99
used=$(df --output=used . | tail -1)
shift 2
for free in 0 100 300 1000 2000 4000; do
    mount -o remount,size=$((used + free))k .
    "$@" repro && exit 98
    "$@" status --quiet
    [ $? -gt 1 ] && { rm -f .dvc/tmp/rwlock; git checkout --quiet HEAD dvc.lock; }
done
mount -o remount,size=1g .
"$@" repro && cp -a dvc.lock data metrics "$OLDPWD"
"""


def can_mount() -> bool:
    """Return whether this user can mount a small private disk in memory."""
    try:
        command = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not can_mount(), reason="no small disk can be mounted here")
def test_a_disk_that_is_full_again_and_again(clone: Clone, copied: Clone, tmp_path: Path) -> None:
    """The disk is a little larger each time. Files that DVC could not complete are restored."""
    forget(copied, *WORK["ranker"], *WORK["report"])
    disk, results = tmp_path / "disk", tmp_path / "results"
    disk.mkdir()
    results.mkdir()
    dvc = [sys.executable, "-m", "dvc"]
    command = ["unshare", "-rm", "sh", "-c", FULL, "sh", str(disk), str(copied.folder), *dvc]
    output = replace(copied, folder=results).run(*command).stdout
    assert "Traceback" not in output
    assert len(re.findall("No space left|No possible cache link", output)) >= 4, output
    found = Clone(results, clone.data)
    assert whole_files(found) == whole_files(clone)
    assert found.content("dvc.lock") == clone.content("dvc.lock")

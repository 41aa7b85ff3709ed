"""Keeps the workspace as it is while experiments change it.

`dvc exp run` leaves the parameters, the lock file and the metrics of the last run in the workspace,
even if it failed. Therefore they are recorded at the start, as a commit like that of `git stash`,
and restored at the end. After a killed search, the next search restores them.
"""

import contextlib
import fcntl
import signal
from collections.abc import Iterator
from pathlib import Path

from core.script import InputError, report

from experiments.processes import dvc, git

BEFORE = "refs/search/before"  # parents: HEAD, and a commit of the index; subject: the branch
LOCK = Path(".dvc/tmp/search.lock")
CHANGED = ("params.yaml", "dvc.lock", "metrics")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def record() -> None:
    """Record the branch, the index and the tracked files of the working tree."""
    branch = git("rev-parse", "--symbolic-full-name", "HEAD")  # HEAD if there is no branch
    git("status")  # refreshes the index, otherwise `git stash create` may fail
    files = git("stash", "create") or "HEAD"
    make = ("-c", "user.name=search", "-c", "user.email=search@localhost", "commit-tree")
    index = git(*make, git("write-tree"), "-m", "index")
    commit = git(*make, f"{files}^{{tree}}", "-p", "HEAD", "-p", index, "-m", branch)
    git("update-ref", BEFORE, commit)


def different(*arguments: str) -> list[str]:
    """Return the tracked files below this folder that differ from the index."""
    listed = git("diff", "--name-only", "--relative", "-z", *arguments)
    return [name for name in listed.split("\0") if name]


def restore() -> None:
    """Restore the branch, the index, the outputs of experiments, and all edited files."""
    changed = different(BEFORE, "--", *CHANGED, *different(f"{BEFORE}^", BEFORE))
    if changed:
        git("restore", f"--source={BEFORE}", "--worktree", "--", *changed)
    if (branch := git("log", "-1", "--format=%s", BEFORE)) != "HEAD":
        git("symbolic-ref", "HEAD", branch)  # HEAD is detached if DVC was killed
    git("read-tree", f"{BEFORE}^2")
    git("update-ref", "-d", BEFORE)
    rwlock = Path(".dvc/tmp/rwlock")
    if rwlock.exists() and not rwlock.stat().st_size:  # DVC was killed while writing this file
        rwlock.unlink()
    try:
        dvc("checkout", "--quiet")
    except InputError:  # such as in a fresh clone
        report("the cache does not have all files of data/ that dvc.lock lists; run dvc repro")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Allow one search at a time. At first, restore the workspace if a search was killed."""
    if not Path(".dvc").is_dir():
        raise InputError("no .dvc here; run from the top folder of the repository")
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process
        except BlockingIOError:
            raise InputError("another search is running here; wait for its end") from None
        if git("for-each-ref", BEFORE):
            restore()
            report("restored the workspace, because the last search was killed")
        yield


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Restore the workspace after the block. SIGTERM and SIGHUP act like Ctrl-C."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    record()
    try:
        yield
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        restore()
        for number, handler in before.items():
            signal.signal(number, handler)

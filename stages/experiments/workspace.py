"""Keeps the workspace as it is while experiments change it.

`dvc exp run` leaves the parameters, the lock file and the metrics of the last run behind, and those
of a failed run, too. Here they are put aside first and put back in the end, whatever happens; what
a killed process leaves is put back by the next one.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from harness.script import InputError, report

ASIDE = Path(".dvc/tmp/search")
TRIAL = Path("stages/trial")
CHANGED = ("params.yaml", "dvc.lock", "stages/extra/dvc.lock", "metrics", str(TRIAL))
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


def git(*arguments: str) -> str:
    """The output of a git command."""
    result = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if result.returncode:
        raise InputError(f"git {arguments[0]}: {result.stderr.strip().splitlines()[-1]}")
    return result.stdout


def dvc(*arguments: str) -> list[str]:
    """The command of DVC in this Python's environment."""
    return [sys.executable, "-m", "dvc", *arguments]


def put_aside() -> None:
    """Copies what experiments may change: parameters, lock files, metrics, git's index, and every
    tracked file that is not as committed.
    """
    edited = git("diff", "--name-only", "--relative", "-z", "HEAD").split("\0")
    index = git("rev-parse", "--git-path", "index").strip()
    paths = [path for path in dict.fromkeys((*CHANGED, index, *edited)) if path]
    paths = [path for path in paths if not path.startswith(("metrics/", f"{TRIAL}/"))]
    unfinished = ASIDE.with_name(f"{ASIDE.name}.{os.getpid()}.tmp")
    unfinished.mkdir(parents=True)
    for number, path in enumerate(paths):
        copy(Path(path), unfinished / str(number))
    (unfinished / "paths").write_text("\0".join(paths), encoding="utf-8")
    (unfinished / "data").write_text("\0".join(sorted(files_of_data())), encoding="utf-8")
    os.replace(unfinished, ASIDE)


def files_of_data() -> set[str]:
    """The files in data/; none in a clone where nothing has run yet."""
    return {str(path) for path in Path("data").rglob("*") if path.is_file()}


def copy(source: Path, target: Path) -> None:
    """A file or a folder, or nothing where there is none."""
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def put_back() -> None:
    """Restores what was put aside; what was not there before is removed. Outs of DVC follow where
    dvc.lock had changed.
    """
    paths, files = (
        (ASIDE / name).read_text(encoding="utf-8").split("\0") for name in ("paths", "data")
    )
    lock = ASIDE / str(paths.index("dvc.lock"))
    is_same = same_bytes(lock, Path("dvc.lock"))
    for number, path in enumerate(map(Path, paths)):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        copy(ASIDE / str(number), path)
    restored = ASIDE.with_name(f"{ASIDE.name}.{os.getpid()}.tmp")
    os.replace(ASIDE, restored)  # whole or not at all, as everywhere
    shutil.rmtree(restored)
    remove_broken_lock()
    if not TRIAL.exists():
        shutil.rmtree("data/als_alone", ignore_errors=True)  # kept in the cache
    if not is_same:
        # fails where dvc.lock names what was never here, as in a fresh clone
        subprocess.run(dvc("checkout", "-q"), capture_output=True, check=False)
        if missing := {file for file in files if file} - files_of_data():
            report(
                f"{len(missing)} files of data/ could not be restored ({min(missing)} among them): "
                "dvc repro makes them again"
            )


def same_bytes(one: Path, other: Path) -> bool:
    """Whether both files are there with the same content, or neither is."""
    content = [path.read_bytes() if path.exists() else None for path in (one, other)]
    return content[0] == content[1]


def remove_broken_lock() -> None:
    """DVC that is ended while it writes this file leaves it empty, and fails on it ever after."""
    path = Path(".dvc/tmp/rwlock")
    if path.exists() and not path.stat().st_size:
        path.unlink()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One search at a time: InputError where another one runs here. What one that was killed has
    left changed is put back first.
    """
    if not Path(".dvc").is_dir():
        raise InputError("no .dvc here; run from the top folder of the repository")
    path = ASIDE.with_suffix(".lock")
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process
        except BlockingIOError:
            raise InputError("another search runs here already; wait for its end") from None
        if ASIDE.exists():
            put_back()
            report("put back what the last search, which was killed, had left changed")
        yield


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Within the block experiments may change the workspace; after it, it is as before. SIGTERM and
    a closed terminal end the block as Ctrl-C does; none of them disturbs the restoring.
    """
    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        put_aside()
        yield
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if ASIDE.exists():
            put_back()
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupt(number: int, frame: object) -> None:
    """Of a signal."""
    raise KeyboardInterrupt

"""What every stage shares as a process: one-line errors and whole outputs."""

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from harness import process


class InputError(ValueError):
    """Bad input. The message is for the user: where, the value, what would be right; a line for
    each finding.
    """


def run_script(main: Callable[[], None]) -> None:
    """Runs a script's main(); bad input, a full disk or an interrupt ends in one line on stderr and
    exit 1 (130).
    """
    name = Path(sys.argv[0]).stem
    if note := process.kernel_note():
        print(f"{name}: {note}", file=sys.stderr)
    try:
        main()
    except InputError as error:
        sys.exit("\n".join(f"{name}: {line}" for line in str(error).splitlines()))
    except KeyboardInterrupt:
        print(f"{name}: interrupted; no half-written output is left", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        sys.exit(f"{name}: {error.filename or 'cannot write'}: {error.strerror}")


def fold_argument(folds: list[str]) -> str:
    """The FOLD of `python stages/NAME.py FOLD`, checked against the list."""
    if len(sys.argv) != 2 or sys.argv[1] not in folds:
        raise InputError(
            f"usage: python {sys.argv[0]} FOLD, where FOLD is one of {', '.join(folds)}"
        )
    return sys.argv[1]


def left_behind(path: Path) -> Iterator[Path]:
    """The temporary names for a path that processes have left which are gone; those of processes
    that run are still wanted.
    """
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        pid = left.name.split(".")[-2]
        if pid == str(os.getpid()) or not (pid.isdecimal() and is_running(int(pid))):
            yield left


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        pass
    return True


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that becomes `path` when the block ends well, and is removed
    when not.

    A killed process leaves its temporary file behind; the next writer of the same path removes it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in left_behind(path):
        left.unlink(missing_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """The same for a folder, whose earlier content is gone when the block ends well."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in left_behind(path):
        shutil.rmtree(left)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            os.replace(path, temporary / ".replaced.tmp")
            os.replace(temporary, path)
            shutil.rmtree(path / ".replaced.tmp")
        else:
            os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def report(line: str) -> None:
    """One line on stdout: a count the user should know of."""
    print(f"{Path(sys.argv[0]).stem}: {line}", flush=True)

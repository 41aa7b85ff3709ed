"""What every stage shares as a process: one-line errors and whole outputs."""

import contextlib
import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from harness import process


class InputError(ValueError):
    """Bad input. The message is for the user: where, the value, what would be right; a line for
    each finding.
    """


OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
INTERRUPTS: list[int] = []  # signals that came


def interrupt(number: int, frame: FrameType | None) -> None:
    """Of an interrupt. Some libraries swallow the exception, so it is noted, too."""
    INTERRUPTS.append(number)
    raise KeyboardInterrupt


def check_not_interrupted() -> None:
    """KeyboardInterrupt where a library has swallowed one."""
    if INTERRUPTS:
        raise KeyboardInterrupt


checks: list[Callable[[], None]] | None = None  # of the script that runs; None where none does


def check_outputs_may_stay() -> None:
    """Every check, before an output takes its place and when the script ends: an exception where
    no output of this run may be taken for a result.
    """
    check_not_interrupted()
    for check in checks or ():
        check()


def run_script(main: Callable[[], None]) -> None:
    """Runs a script's main(); bad input, what the system refuses (a full disk, a file that is not
    there, memory) or an interrupt ends in one line on stderr and exit 1 (130).
    """
    global checks
    checks = []
    name = process.script_name()
    if note := process.kernel_note():
        print(f"{name}: {note}", file=sys.stderr)
    is_ours = signal.getsignal(signal.SIGINT) is process.end_at_once
    if is_ours:
        signal.signal(signal.SIGINT, interrupt)
    try:
        main()
        check_outputs_may_stay()
    except (Exception, KeyboardInterrupt) as error:
        if INTERRUPTS or isinstance(error, KeyboardInterrupt):
            print(process.interrupted(), file=sys.stderr)
            sys.exit(130)
        if not (message := message_of(error)):
            raise
        sys.exit("\n".join(f"{name}: {line}" for line in message.splitlines()))
    finally:
        checks = None
        if is_ours:
            signal.signal(signal.SIGINT, process.end_at_once)


def message_of(error: Exception) -> str | None:
    """What the user is told of an error that is no bug, a line for each finding; None of a bug."""
    match error:
        case InputError():
            return str(error)
        case OSError():
            return refusal(error)
        case MemoryError():
            return f"not enough memory: {' '.join(str(error).split()) or 'none is left'}"
    return None


def refusal(error: OSError) -> str:
    """What the system refused, in one line: the file, where it is known, and the reason."""
    if isinstance(error, FileNotFoundError) and error.errno is None:  # of pyarrow, which names it
        return f"{error}: not found"
    path = error.filename2 or error.filename  # of two, that which was to be written
    if not path and error.errno in OF_WRITING:
        path = "cannot write"
    reason = error.strerror or str(error) or type(error).__name__
    return " ".join((f"{path}: {reason}" if path else reason).split())


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Within the block, an error of a full disk or of a limit names this file, if it names none."""
    try:
        yield
    except OSError as error:
        if error.errno in OF_WRITING and not error.filename:
            error.filename = str(path)
        raise


def fold_argument(folds: list[str]) -> str:
    """The FOLD of `python stages/NAME.py FOLD`, checked against the list."""
    if len(sys.argv) != 2 or sys.argv[1] not in folds:
        raise InputError(
            f"usage: python {sys.argv[0]} FOLD, where FOLD is one of {', '.join(folds)}"
        )
    return sys.argv[1]


def left_behind(path: Path) -> Iterator[Path]:
    """The temporary names for a path that processes have left which are gone; those of other
    processes at work are still wanted.
    """
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        pid = left.name.split(".")[-2]
        if pid == str(os.getpid()) or not is_at_work(pid):
            yield left


def is_at_work(pid: str) -> bool:
    """Whether a process of this number runs in this folder: numbers are given again, and one that
    runs elsewhere has another's. False where the system does not tell.
    """
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", os.curdir)
    except OSError:
        return False


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that becomes `path` when the block ends well, and is removed
    when not.

    A killed process leaves its temporary file behind; the next writer of the same path removes it.
    """
    path = Path(path)
    make_folder(path.parent)
    for left in left_behind(path):
        left.unlink(missing_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with naming(path):
            yield temporary
        check_outputs_may_stay()
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """The same for a folder, whose earlier content is gone when the block ends well."""
    path = Path(path)
    make_folder(path.parent)
    for left in left_behind(path):
        remove(left)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.mkdir()
    try:
        with naming(path):
            yield temporary
        check_outputs_may_stay()
        is_there = os.path.lexists(path)
        if is_there:
            os.replace(path, temporary / ".replaced.tmp")
        os.replace(temporary, path)
        if is_there:
            remove(path / ".replaced.tmp")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def make_folder(path: Path) -> None:
    """The folder, if it is not there; InputError where something else bears its name."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError(
            f"{path}: a file, or a link to nothing, stands where a folder must be; remove it"
        ) from None


def remove(path: Path) -> None:
    """A folder with all that is in it, a file, or a link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def report(line: str) -> None:
    """One line on stdout: a count the user should know of."""
    print(f"{Path(sys.argv[0]).stem}: {line}", flush=True)

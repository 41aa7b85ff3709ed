"""Runs a script: errors take one line, and outputs appear completely or not at all."""

import contextlib
import inspect
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from core import process

import psutil


class InputError(ValueError):
    """Invalid input. The message has a line per error: place, value and what would be right."""


checks: list[Callable[[], None]] | None = None  # checks of the running script; None: no script


def check_outputs_may_stay() -> None:
    """Run all checks, which raise if outputs must be discarded. Called before each output."""
    for check in checks or ():
        check()


def run_script(main: Callable[..., None]) -> None:
    """Run main(), or main(arguments) if it accepts command-line arguments.

    Invalid input, a full disk, a missing file or too little memory cause one line on stderr and
    exit code 1. An interrupt causes exit code 130. A bug keeps its traceback.
    """
    global checks
    checks = []
    name, given = process.script_name(), sys.argv[1:]
    if note := process.kernel_note():
        print(f"{name}: {note}", file=sys.stderr)
    try:
        arguments = [given] if inspect.signature(main).parameters else []
        if given and not arguments:
            raise InputError(f"usage: python {sys.argv[0]}, without the argument {given[0]!r}")
        main(*arguments)
        check_outputs_may_stay()
    except KeyboardInterrupt:
        print(f"{name}: interrupted; no half-written output is left", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if not (message := message_of(error)):
            raise
        sys.exit("\n".join(f"{name}: {line}" for line in message.splitlines()))
    finally:
        checks = None


def message_of(error: Exception) -> str | None:
    """Return a line for users about an error, or None if the error is a bug."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError) and error.filename:
        path = error.filename2 or error.filename  # the second one is the file to write
        return f"{path}: {error.strerror}"
    if isinstance(error, OSError | MemoryError) or str(error) == "std::bad_alloc":  # from LightGBM
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return None


def remove(path: Path) -> None:
    """Remove a folder with its content, a file or a link, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def is_other_process(pid: int) -> bool:
    """Return whether a process other than this one still runs under the number."""
    try:
        return pid != os.getpid() and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextlib.contextmanager
def whole(path: Path, *, is_folder: bool = False) -> Iterator[Path]:
    """Provide a temporary path, which is renamed to `path` if the block succeeds.

    It is removed if the block fails. If the process is killed, the next writer of path removes it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        pid = left.name.split(".")[-2]
        if pid.isdecimal() and not is_other_process(int(pid)):
            remove(left)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    old = path.with_name(f".{path.name}.old.{os.getpid()}.tmp")
    try:
        if is_folder:
            temporary.mkdir()
        yield temporary
        check_outputs_may_stay()
        if is_folder and os.path.lexists(path):  # a folder cannot replace another one
            os.replace(path, old)
        os.replace(temporary, path)
    except OSError as error:
        if error.errno and not error.filename:  # such as a full disk
            error.filename = str(path)
        raise
    finally:
        if os.path.lexists(old) and not os.path.lexists(path):  # the last rename did not happen
            os.replace(old, path)
        remove(temporary)
        remove(old)


def whole_folder(path: Path) -> contextlib.AbstractContextManager[Path]:
    """Do the same for a folder, which replaces an earlier folder with all its content."""
    return whole(path, is_folder=True)


def report(line: str) -> None:
    """Print one line on stdout that users should read, such as a count of dropped rows."""
    print(f"{process.script_name()}: {line}", flush=True)

"""Runs a script: errors take one line, and outputs appear completely or not at all."""

import contextlib
import inspect
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from core import process


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
    exit code 1. core/process.py handles interrupts. A bug keeps its traceback.
    """
    global checks
    checks = []
    name, given = Path(sys.argv[0]).stem, sys.argv[1:]
    if note := process.kernel_note():
        print(f"{name}: {note}", file=sys.stderr)
    try:
        if inspect.signature(main).parameters:
            main(given)
        elif given:
            raise InputError(f"usage: python {sys.argv[0]}, without the argument {given[0]!r}")
        else:
            main()
        check_outputs_may_stay()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of stdout, such as head, has ended
        os._exit(141)
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


@contextlib.contextmanager
def whole(path: Path, *, is_folder: bool = False) -> Iterator[Path]:
    """Provide a temporary path, which is renamed to `path` if the block succeeds.

    It is removed if the block fails. If the process is killed, the next writer of path removes it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, old = (path.with_name(f".{path.name}.{of}.tmp") for of in ("new", "old"))
    for left in (temporary, old):
        remove(left)
    try:
        if is_folder:
            temporary.mkdir()
        yield temporary
        check_outputs_may_stay()
        if is_folder and path.exists():  # a folder cannot replace another one
            os.replace(path, old)
        os.replace(temporary, path)
    except OSError as error:
        if error.errno and not error.filename:  # such as a full disk
            error.filename = str(path)
        raise
    finally:
        remove(temporary)
    remove(old)


whole_folder = partial(whole, is_folder=True)  # replaces a folder with all its content


def report(line: str) -> None:
    """Print one line on stdout that users should read, such as a count of dropped rows."""
    print(f"{Path(sys.argv[0]).stem}: {line}", flush=True)

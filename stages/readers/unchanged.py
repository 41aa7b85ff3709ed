"""Notices files that change while a stage reads them: what was read would be a mixture, and DVC
records what the files are when the stage ends.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from harness import script
from harness.script import InputError


def state_of(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Size, time of the last change and number of every file in the folder, at any depth."""
    found = {}
    for name, _, files in os.walk(folder):
        for path in (Path(name, file) for file in files):
            with contextlib.suppress(OSError):  # such as a link to nothing
                of = path.stat()
                found[path] = (of.st_size, of.st_mtime_ns, of.st_ino)
    return found


@contextlib.contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    """InputError where a file of the folder changes within the block, whatever else comes of it, or
    later, before the script has ended.
    """
    before = state_of(folder)

    def check() -> None:
        now = state_of(folder)
        for path in {**before, **now}:
            if before.get(path) != now.get(path):
                raise InputError(f"{path}: has changed while it was read; run it again")

    try:
        yield
    except Exception:
        check()
        raise
    check()
    if script.checks is not None:
        script.checks.append(check)

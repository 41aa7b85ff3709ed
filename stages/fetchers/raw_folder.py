"""data/raw, which `download` replaces as a whole: what it holds, the parameters decide."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from harness.script import InputError, left_behind

from readers.movielens import EDITIONS
from readers.params import ReaderParams

RAW = Path("data/raw")
README = "README.txt"  # stands there alone where data.path names another folder


def is_raw(data: ReaderParams) -> bool:
    """Whether data.path is data/raw, however it is written."""
    return Path(data.path).resolve() == RAW.resolve()


def is_in_raw(data: ReaderParams) -> bool:
    """Whether data.path is data/raw or below it."""
    return Path(data.path).resolve().is_relative_to(RAW.resolve())


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder on the disk of data/raw, gone after the block; those of killed runs go first."""
    RAW.parent.mkdir(parents=True, exist_ok=True)
    for left in left_behind(RAW.with_name("download")):
        shutil.rmtree(left)
    folder = RAW.parent / f".download.{os.getpid()}.tmp"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_raw() -> None:
    """InputError where data/raw holds files of somebody else, which to replace would be a loss."""
    names = {path.name for path in RAW.iterdir()} if RAW.exists() else set()
    ours = {name for edition in EDITIONS.values() for name in edition.files}
    foreign = sorted(names - ours - {README})
    if foreign:
        raise InputError(
            f"{RAW} is replaced by this stage, and holds {', '.join(foreign)}:"
            " move your files to another folder and name it in data.path"
        )


def put_in_place(folder: Path) -> None:
    """Makes `folder`, which stands in the temporary folder, the new data/raw."""
    check_raw()
    if RAW.exists():
        os.replace(RAW, folder.with_name("replaced"))
    os.replace(folder, RAW)


def leave_readme(temporary: Path) -> None:
    """Makes data/raw a folder with README.txt alone."""
    raw = temporary / "raw"
    raw.mkdir()
    (raw / README).write_text("Empty: data.path names another folder.\n")
    put_in_place(raw)


def sha256(path: Path) -> str:
    """The hash of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

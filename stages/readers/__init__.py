"""Readers of data sources: one module each, which turns the files of data.path into Tables.

To add a source, write a module with a function `read(data: ReaderParams) -> Tables`, import it here
and add a line to READERS. The module may also define:
  FETCHER      a module with is_asked(data), whether the parameters ask to fetch the files, and
               fetch(data, raw), which may put files into `raw`, the new data/raw
  strength(is_positive, feedback: pa.Table) -> uint8 (n_rows,), as in interactions.parquet,
               from the columns of feedback in STRENGTH_COLUMNS; without it every positive has 1
  TIME         the column of the interactions from which `timestamp`, or `week`, is made; it puts
               the interactions of new users into windows
  read_given   a function of a path, the parameters, the rule, and users.parquet and items.parquet,
               which returns the interactions of new users as a table.Log; without it their file is
               parquet with the columns user_id, item_id and TIME
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from core import script
from core.script import InputError
from core.tables import Tables

from readers import movielens, table, vk_lsvd, vk_notebook
from readers.params import ReaderParams

READERS: dict[str, Callable[[ReaderParams], Tables]] = {
    "movielens-1m": movielens.read,
    "movielens-100k": movielens.read,
    "table": table.read,
    "vk-notebook": vk_notebook.read,
    "vk-lsvd": vk_lsvd.read,
}


class DataParams(ReaderParams):
    """The section `data` of params.yaml."""

    source: Literal[*READERS]  # the layout of the folder


def read(data: DataParams) -> Tables:
    """Return the tables of data.source; InputError where a file is missing or invalid, or where one
    changes before the script ends, since DVC records the files as they are then.
    """
    folder = Path(data.path)
    before = _state_of(folder)

    def check() -> None:
        for path, _ in sorted(before ^ _state_of(folder)):
            raise InputError(f"{path}: has changed while it was read; run it again")

    if script.checks is not None:
        script.checks.append(check)
    return READERS[data.source](data)


def of_reader(source: str, name: str, default: object = None) -> object:
    """Return what the reader's module defines under this name."""
    return getattr(sys.modules[READERS[source].__module__], name, default)


def _state_of(folder: Path) -> set[tuple[Path, tuple[int, int, int]]]:
    """Return each file in the folder, at any depth, with its size, time of change and inode."""
    files = [(path, path.stat()) for path in folder.rglob("*") if path.is_file()]
    return {(path, (of.st_size, of.st_mtime_ns, of.st_ino)) for path, of in files}

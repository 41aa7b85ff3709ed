"""Readers of data sources. Each module turns the files in data.path into Tables.

To add a source, write a module with a function `read(data: ReaderParams) -> Tables`, import it here
and add a line to READERS. The module may also define:
  FETCHER      a module with is_asked(data), which returns whether to download the files, and
               fetch(data, raw), which may put files into `raw`, the new data/raw
  strength(is_positive, feedback: pa.Table) -> uint8 (n_rows,), as in interactions.parquet,
               computed from STRENGTH_COLUMNS; without it every positive has strength 1
  TIME         the interactions' column with `timestamp` or `week`; it assigns the interactions of
               new users to windows
  read_given(path, parameters, rule, (users, items)) -> table.Log, the interactions of new users;
               without it their file is parquet with the columns user_id, item_id and TIME
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
    """Return the tables of data.source.

    Raises InputError if a file is missing or invalid, or if one changes before the script ends:
    DVC records the files as they are at the end.
    """
    folder = Path(data.path)
    before = _state_of(folder)

    def check() -> None:
        for path, _ in sorted(before ^ _state_of(folder)):
            raise InputError(f"{path}: changed while it was read; run it again")

    if script.checks is not None:
        script.checks.append(check)
    return READERS[data.source](data)


def of_reader(source: str, name: str, default: object = None) -> object:
    """Return what the reader's module defines under this name."""
    return getattr(sys.modules[READERS[source].__module__], name, default)


def _state_of(folder: Path) -> set[tuple[Path, tuple[int, int, int]]]:
    """Return size, time of change and inode of each file in the folder, at any depth."""
    files = [(path, path.stat()) for path in folder.rglob("*") if path.is_file()]
    return {(path, (of.st_size, of.st_mtime_ns, of.st_ino)) for path, of in files}

"""Readers of data sources: one module each, which turns the files of data.path into Tables.

A source of your own is a module with a function `read(data: ReaderParams) -> Tables`, imported
here, and a line of READERS. The module may have more, of which it may lack any:
  FOLDER_HINT  what to do where data.path is absent
  strength(is_positive, feedback: pa.Table) -> uint8 (n_rows,), as in data/interactions.parquet, by
               the columns of feedback that STRENGTH_COLUMNS names; else every positive has 1
  TIME         the column of the source's interactions that `timestamp`, or `week` with the number
               of the first one, is made of: by it those of new users are put into windows
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from folds.tables import Tables
from readers import movielens, vk_lsvd, vk_notebook
from readers.params import ReaderParams
from readers.unchanged import unchanged

READERS: dict[str, Callable[[ReaderParams], Tables]] = {
    "movielens-1m": movielens.read,
    "movielens-100k": movielens.read,
    "vk-notebook": vk_notebook.read,
    "vk-lsvd": vk_lsvd.read,
}


class DataParams(ReaderParams):
    """The section `data` of params.yaml."""

    source: Literal[*READERS]  # the layout of the folder


def read(data: DataParams) -> Tables:
    """The tables of data.source; InputError where a file is missing or unfit, or changes before the
    script has ended.
    """
    with unchanged(Path(data.path)):
        return READERS[data.source](data)


def of_reader(source: str, name: str, otherwise: object = None) -> object:
    """What the reader's module has by this name, beside `read`; if it has not, otherwise."""
    return getattr(sys.modules[READERS[source].__module__], name, otherwise)


def folder_hint(source: str) -> str:
    """What to do where data.path is absent."""
    return of_reader(source, "FOLDER_HINT", f"name the folder with the files of {source}")

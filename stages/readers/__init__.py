"""Readers of data sources. Each module turns the files in data.path into Tables.

To add a source, write a module with a function `read(data: ReaderParams) -> Tables`, import it here
and add a line to READERS. The module may also define:
  is_asked(data), which returns whether to download the files, and fetch(data, raw), which may put
               files into `raw`, the new data/raw
  strength(is_positive, feedback: pa.Table) -> uint8 (n_rows,), as in interactions.parquet,
               computed from STRENGTH_COLUMNS; without it every positive has strength 1
  TIME         the interactions' column with `timestamp` or `week`; it assigns the interactions of
               new users to windows. Their file has it and the columns user_id and item_id
"""

import sys
from collections.abc import Callable
from typing import Literal

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


def of_reader(source: str, name: str, default: object = None) -> object:
    """Return what the reader's module defines under this name."""
    return getattr(sys.modules[READERS[source].__module__], name, default)

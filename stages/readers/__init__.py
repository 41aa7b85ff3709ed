"""Readers of data sources: one module each, which turns the files of data.path into Tables.

A source of your own is a module with a function `read(data: ReaderParams) -> Tables`, imported
here, and a line of READERS. The module may state in FOLDER_HINT what to do where data.path is
absent.
"""

import sys
from collections.abc import Callable
from typing import Literal

from folds.tables import Tables
from readers import movielens, vk_lsvd, vk_notebook
from readers.params import ReaderParams

READERS: dict[str, Callable[[ReaderParams], Tables]] = {
    "movielens-1m": movielens.read,
    "movielens-100k": movielens.read,
    "vk-notebook": vk_notebook.read,
    "vk-lsvd": vk_lsvd.read,
}


class DataParams(ReaderParams):
    """The section `data` of params.yaml."""

    source: Literal[*READERS]  # the layout of the folder


def folder_hint(source: str) -> str:
    """What to do where data.path is absent: FOLDER_HINT of the reader's module, if it has one."""
    module = sys.modules[READERS[source].__module__]
    return getattr(module, "FOLDER_HINT", f"name the folder with the files of {source}")

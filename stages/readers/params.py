"""Parameters for readers: the section `data` of params.yaml.

The allowed values of `source` are the names in READERS: see DataParams in __init__.py.
"""

from pathlib import Path, PurePath
from typing import Annotated, Literal

from core.params import Strict

from pydantic import AfterValidator, Field, field_validator


def _is_below(pattern: str) -> str:
    if PurePath(pattern).is_absolute() or ".." in PurePath(pattern).parts:
        raise ValueError("must be a file, a folder or a pattern below data.path")
    return pattern


Files = Annotated[str, AfterValidator(_is_below)]


class TableParams(Strict):
    """Files and columns of the source `table`. "" means none.

    The columns of a file without a header are called c0, c1, …
    """

    interactions: Files  # a file, a folder or a pattern such as logs/*.csv, below data.path
    user: str
    item: str
    time: str  # "": rows are in time order
    time_unit: Literal["s", "ms", "us", "ns"]  # of times that are numbers, since 1970
    users: Files  # one row per user, with the id in the column `user`, or else in the first one
    items: Files  # the same for items
    user_columns: list[str]  # features; [] selects them by type
    item_columns: list[str]
    title: str  # this and the following are columns of items
    tags: list[str]  # authors, genres: text separated by |, lists, or true/false for one tag
    embedding: str  # a column of lists, a pattern of columns such as emb_*, or a file NAME.npz
    published: str  # time from which the item existed


class ReaderParams(Strict):
    """Where the interactions come from, and which of them are positive."""

    source: str  # the layout of the folder: a name in READERS
    # the folder, which is only read unless `download` is true
    path: str = Field(min_length=1)
    positive: str = Field(min_length=1)  # rule such as `timespent > 5`; true = every interaction
    # vk-lsvd: name under subsamples/, such as ur0.01_ir0.01; "": the whole data set
    subsample: str = Field(pattern=r"^([A-Za-z0-9][\w.-]*)?$")
    embedding_width: int = Field(ge=0, le=100_000)  # number of first columns to use; 0: all
    download: bool  # vk-lsvd: download missing files from the Hugging Face hub into `path`
    table: TableParams  # source `table` only

    @field_validator("positive", mode="before")
    @classmethod
    def _is_a_text(cls, positive: object) -> object:
        return "true" if positive is True else positive  # YAML reads `true` as a bool

    @field_validator("path")
    @classmethod
    def _has_no_tilde(cls, path: str) -> str:
        if path.startswith("~"):  # the path is a dependency in dvc.yaml, and DVC does not expand ~
            raise ValueError(f"DVC does not expand ~; write {Path(path).expanduser()}")
        return path

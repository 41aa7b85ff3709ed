"""The keys of the section `data` of params.yaml that every reader gets.

The allowed values of `source` are the names in READERS: see DataParams in __init__.py.
"""

import re
from pathlib import Path

from core.params import Strict

from pydantic import Field, field_validator


class ReaderParams(Strict):
    """Where the interactions come from, and which of them are positive."""

    source: str  # the layout of the folder: a name of READERS
    # the folder; only read, unless `download` fetches into it
    path: str = Field(min_length=1, pattern=r"^[^\x00]*$")
    positive: str = Field(min_length=1)  # rule over the feedback columns, such as `timespent > 5`
    subsample: str  # vk-lsvd: name under subsamples/, such as ur0.01_ir0.01; "" = all of it
    embedding_width: int = Field(ge=0, le=100_000)  # vk layouts: first columns to use; 0 = all
    download: bool  # vk-lsvd: fetch absent files from the Hugging Face hub into `path`

    @field_validator("path")
    @classmethod
    def _has_no_tilde(cls, path: str) -> str:
        if path.startswith("~"):  # dvc.yaml has the path as a dependency, which DVC takes literally
            raise ValueError(f"DVC does not expand ~; write {Path(path).expanduser()}")
        return path

    @field_validator("subsample")
    @classmethod
    def _is_plain(cls, subsample: str) -> str:
        if not re.fullmatch(r"(\w[\w.-]*)?", subsample, re.ASCII):  # or it could leave the folder
            raise ValueError(
                "must be the plain name of a folder in subsamples/, such as ur0.01_ir0.01, or ''"
            )
        return subsample

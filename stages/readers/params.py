"""What a reader is told: the keys of the section `data` of params.yaml.

Which values `source` may have, the registry says: see DataParams in __init__.py.
"""

from pathlib import Path

from harness.params import Strict
from harness.script import InputError

from pydantic import Field


class ReaderParams(Strict):
    """Where the interactions come from, and which of them count as positive."""

    source: str  # the layout of the folder: a name of READERS
    path: str = Field(min_length=1)  # the folder; only read, unless `download` fetches into it
    positive: str = Field(min_length=1)  # rule over the feedback columns, such as `timespent > 5`
    subsample: str  # vk-lsvd: name under subsamples/, such as ur0.01_ir0.01; "" = all of it
    embedding_width: int = Field(ge=0)  # vk layouts: first columns of the embedding to use; 0 = all
    download: bool  # vk-lsvd: fetch absent files from the Hugging Face hub into `path`


def existing(folder: Path, key: str, value: str, hint: str) -> Path:
    """The folder; InputError, naming the parameter that names it, where there is none."""
    if not folder.is_dir():
        raise InputError(f"{key} is {value!r}: {folder} is not a folder; {hint}")
    return folder

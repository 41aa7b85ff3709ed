"""The data section of params.yaml, which `download` and `ingest` read."""

from pathlib import Path
from typing import Literal

from harness.params import Strict

from pydantic import Field

MOVIELENS = Path("data/raw")  # where `download` puts MovieLens-1M; data.path names it by default


class Data(Strict):
    """Where the interactions come from, and which of them count as positive."""

    source: Literal["movielens-1m", "vk-notebook", "vk-lsvd"]  # the layout of the folder
    path: str = Field(min_length=1)  # the folder; only read, unless `download` fetches into it
    positive: str = Field(min_length=1)  # rule over the feedback columns, such as `timespent > 5`
    subsample: str  # vk-lsvd: name under subsamples/, such as ur0.01_ir0.01; "" = all of it
    embedding_width: int = Field(ge=0)  # vk layouts: first columns of the embedding to use; 0 = all
    download: bool  # vk-lsvd: fetch absent files from the Hugging Face hub into `path`

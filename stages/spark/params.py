"""The section `spark` of params.yaml. Needs no pyspark."""

from core.candidate_lists import CandidateListParams
from core.params import Strict
from core.script import InputError

from pydantic import Field

MEMORY = r"^[1-9][0-9]*[mgt]$"


def refuse_new_items(candidates: CandidateListParams) -> None:
    """InputError where candidates.new_items adds items."""
    if candidates.new_items != "none":
        raise InputError(
            f"params.yaml: candidates.new_items is {candidates.new_items}: must be none: only the"
            " local pipeline recommends new items"
        )


class SparkAlsParams(Strict):
    """Parameters with another meaning in Spark's ALS than in `implicit`; see README.md."""

    alpha: float = Field(gt=0, le=1e6)  # a positive pair has the confidence 1 + alpha
    regularization: float = Field(gt=0, le=1e9)  # times the row's number of positives


class SparkParams(Strict):
    """Where and how Spark works."""

    master: str = Field(min_length=1)  # such as local[*], spark://host:7077, yarn
    driver_memory: str = Field(pattern=MEMORY)
    executor_memory: str = Field(pattern=MEMORY)
    max_result: str = Field(pattern=MEMORY)  # the most that the driver collects of one table
    partitions: int = Field(ge=1, le=100_000)  # of a shuffle, and blocks of ALS
    folder: str = Field(min_length=1)  # of all tables; may be a URL
    checkpoints: str = Field(min_length=1)  # may be a URL
    input: str  # folder of the raw files, may be a URL; '' = data.path
    users_at_once: int = Field(ge=1, le=1_000_000)  # in a block
    settings: dict[str, str]  # further ones, by Spark's names
    als: SparkAlsParams

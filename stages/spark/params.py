"""The section `spark` of params.yaml. Needs no pyspark."""

from core.candidate_lists import CandidateListParams
from core.params import Strict
from core.script import InputError

from pydantic import Field

MEMORY = r"^[1-9][0-9]*[mgt]$"


def refuse_what_only_local_has(candidates: CandidateListParams) -> None:
    """Raise InputError for values of candidates.new_items and judged_users that Spark lacks."""
    for key, allowed in (("new_items", "none"), ("judged_users", 0)):
        if (value := getattr(candidates, key)) != allowed:
            raise InputError(
                f"params.yaml: candidates.{key} is {value}: must be {allowed}: only the local"
                " pipeline has this parameter"
            )


class SparkAlsParams(Strict):
    """Parameters with another meaning in Spark's ALS than in `implicit`; see README.md."""

    alpha: float = Field(gt=0, le=1e6)  # a positive pair has the confidence 1 + alpha
    regularization: float = Field(gt=0, le=1e9)  # times the row's number of positives


class SparkParams(Strict):
    """The section `spark`."""

    master: str = Field(min_length=1)  # such as local[*], spark://host:7077, yarn
    driver_memory: str = Field(pattern=MEMORY)
    executor_memory: str = Field(pattern=MEMORY)
    max_result: str = Field(pattern=MEMORY)  # maximum size of a table that the driver collects
    partitions: int = Field(ge=1, le=100_000)  # of a shuffle, and blocks of ALS
    folder: str = Field(min_length=1)  # folder or URL of all tables
    checkpoints: str = Field(min_length=1)  # may be a URL
    input: str  # folder or URL of the raw files; '': data.path
    users_at_once: int = Field(ge=1, le=1_000_000)  # users of a block
    settings: dict[str, str]  # further settings of Spark by name
    als: SparkAlsParams

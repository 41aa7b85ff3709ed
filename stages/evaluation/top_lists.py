"""Top-k lists: cut from scored candidates, held against the relevant items of a target window."""

from dataclasses import dataclass
from pathlib import Path

from harness.params import Strict
from harness.script import InputError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field

from folds.history import Target
from folds.lists import group_of, largest, list_of_row, starts_of

MODEL_LISTS = pa.schema(  # of a file with the lists of several models, each with a number
    {
        "model": pa.string(),
        "number": pa.int16(),
        "user": pa.int32(),
        "item": pa.int32(),
        "rank": pa.int16(),
        "score": pa.float32(),
    }
)


class EvaluateParams(Strict):
    """Parameters of the evaluation."""

    k: int = Field(ge=1, le=1000)  # length of the lists, and cut-off of every metric
    n_resamples: int = Field(ge=100, le=1_000_000)  # bootstrap resamples of users


def check_length(k: int, per_source: int) -> None:
    """InputError where ALS alone would be judged by lists shorter than k, and seem worse than it
    is.
    """
    if k > per_source:
        raise InputError(
            f"params.yaml: evaluate.k is {k}: must be at most candidates.per_source, which is "
            f"{per_source}, or the lists of ALS end before k"
        )


@dataclass(frozen=True)
class TopLists:
    """The top k of each user as columns: rows by user, best first.

    user, item  int32: rows in users.parquet and items.parquet
    rank        int16, 1 is best; score float32
    """

    user: np.ndarray
    item: np.ndarray
    rank: np.ndarray
    score: np.ndarray

    def hits(self, target: Target, judged: np.ndarray, k: int) -> np.ndarray:
        """Whether the item at each rank of these users (ascending) is relevant: bool (len(judged),
        k).
        """
        hits = np.zeros((len(judged), k), dtype=bool)
        row = np.searchsorted(judged, self.user)
        row[row == len(judged)] = 0
        is_judged = judged[row] == self.user
        hits[row[is_judged], self.rank[is_judged] - 1] = (
            target.strength_of(self.user[is_judged], self.item[is_judged]) > 0
        )
        return hits


def top_k(user: np.ndarray, item: np.ndarray, score: np.ndarray, k: int) -> TopLists:
    """The k rows of each user (contiguous) with the largest score; ties keep the order of the
    rows.
    """
    starts, group = starts_of(user), group_of(user)
    row = list_of_row(group)
    place = np.arange(len(user)) - starts[row]
    scores = np.full((len(starts), group.max(initial=0)), -np.inf)
    scores[row, place] = score
    row, rank, place = largest(scores, k)
    best = starts[row] + place
    return TopLists(
        user[best], item[best], (rank + 1).astype(np.int16), score[best].astype(np.float32)
    )


def concatenate(parts: list[TopLists]) -> TopLists:
    """One after the other."""
    names = ("user", "item", "rank", "score")
    return TopLists(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def append(file: pq.ParquetWriter, model: str, number: int, lists: TopLists) -> None:
    """Writes the lists of one model, as rows of MODEL_LISTS."""
    n_rows = len(lists.user)
    columns = [
        pa.array([model]).take(pa.array(np.zeros(n_rows, dtype=np.int64))),
        np.full(n_rows, number, dtype=np.int16),
        lists.user.astype(np.int32),
        lists.item.astype(np.int32),
        lists.rank.astype(np.int16),
        lists.score.astype(np.float32),
    ]
    file.write_table(pa.table(columns, schema=MODEL_LISTS))


def read(path: Path, model: str, number: int) -> TopLists:
    """The lists of one model, of a file of MODEL_LISTS."""
    is_wanted = (pc.field("model") == model) & (pc.field("number") == number)
    table = pq.read_table(path, filters=is_wanted)
    return TopLists(*(table[name].to_numpy() for name in ("user", "item", "rank", "score")))

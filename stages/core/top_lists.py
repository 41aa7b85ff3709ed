"""Top-k lists: cut them from scored candidates, and compare them with the relevant items."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from core import tables
from core.candidate_lists import Retrieved
from core.history import Target
from core.lists import largest, list_of_row, starts_of
from core.params import Strict
from core.script import InputError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv
from pydantic import Field

COLUMNS = {"user": pa.int32(), "item": pa.int32(), "rank": pa.int16(), "score": pa.float32()}
# a file with the lists of several models, each with a number
MODEL_LISTS = pa.schema({"model": pa.string(), "number": pa.int16(), **COLUMNS})


class EvaluateParams(Strict):
    """Parameters of the evaluation."""

    k: int = Field(ge=1, le=1000)  # length of the lists and cut-off of the metrics
    n_resamples: int = Field(ge=100, le=1_000_000)  # bootstrap resamples of users


def check_length(k: int, per_source: int) -> None:
    """Raise InputError if k exceeds per_source: ALS lists would be too short, with a lower MAP."""
    if k > per_source:
        raise InputError(
            f"params.yaml: evaluate.k is {k}: must be at most candidates.per_source ({per_source})"
        )


@dataclass(frozen=True)
class TopLists:
    """The top k of each user as columns: rows by user, best first."""

    user: np.ndarray  # int32, rows in users.parquet
    item: np.ndarray  # int32, rows in items.parquet
    rank: np.ndarray  # int16, 1 is best
    score: np.ndarray  # float32

    def hits(self, target: Target, judged: np.ndarray, k: int) -> np.ndarray:
        """Return whether the item at each rank is relevant, bool (len(judged), k).

        judged  users, rows of users.parquet, ascending
        """
        hits = np.zeros((len(judged), k), dtype=bool)
        rows = np.flatnonzero(np.isin(self.user, judged))
        is_hit = target.strength_of(self.user[rows], self.item[rows]) > 0
        hits[np.searchsorted(judged, self.user[rows]), self.rank[rows] - 1] = is_hit
        return hits


def top_k(user: np.ndarray, item: np.ndarray, score: np.ndarray, k: int) -> TopLists:
    """Return the k best of the contiguous rows of each user; ties keep the order of the rows."""
    starts = starts_of(user)
    row = list_of_row(np.diff(np.append(starts, len(user))))
    place = np.arange(len(user)) - starts[row]
    scores = np.full((len(starts), place.max(initial=-1) + 1), -np.inf)
    scores[row, place] = score
    row, rank, place = largest(scores, k)
    best, rank = starts[row] + place, (rank + 1).astype(np.int16)
    return TopLists(user[best], item[best], rank, score[best].astype(np.float32))


def rows_of(users: np.ndarray, found: Retrieved, items: np.ndarray) -> TopLists:
    """Convert retrieved items to top-k lists. Empty places (item -1) are left out.

    users  int32 (n_users,), rows of users.parquet
    items  int32 (n_items,), the row of items.parquet of each item in `found`
    """
    row, place = np.nonzero(found.item >= 0)
    item, score = items[found.item[row, place]], found.score[row, place].astype(np.float32)
    return TopLists(users[row], item, (place + 1).astype(np.int16), score)


def concatenate(parts: list[TopLists]) -> TopLists:
    """Concatenate the lists of all parts."""
    return TopLists(*(np.concatenate([getattr(part, of) for part in parts]) for of in COLUMNS))


def append(file: pq.ParquetWriter, model: str, number: int, lists: TopLists) -> None:
    """Write the lists of one model as rows of MODEL_LISTS."""
    n_rows = len(lists.user)
    columns = [pa.repeat(model, n_rows), pa.repeat(number, n_rows)]
    columns += [pa.array(getattr(lists, name)) for name in COLUMNS]
    file.write_table(pa.table(columns, MODEL_LISTS.names).cast(MODEL_LISTS))


def write(
    path: Path, tops: Iterable[TopLists], user_ids: pa.Array | None = None, form: str = ".parquet"
) -> np.ndarray:
    """Write user_id, item_id, rank and score. Returns the number of items of each user, int64.

    user_ids  the id of each `user` of the lists; None: those of users.parquet
    form      .parquet or .csv
    """
    user_ids = tables.ids(tables.USERS) if user_ids is None else user_ids
    item_ids = tables.ids(tables.ITEMS)
    user_id = pq.read_schema(tables.USERS).field("user_id").type
    ids = {"user_id": user_id, "item_id": item_ids.type}
    schema = pa.schema({**ids, "rank": pa.int16(), "score": pa.float32()})
    n_of_user = np.zeros(len(user_ids), dtype=np.int64)
    writer = csv.CSVWriter if form == ".csv" else partial(pq.ParquetWriter, compression="zstd")
    with writer(path, schema) as file:
        for top in tops:
            columns = [user_ids.take(top.user), item_ids.take(top.item), top.rank, top.score]
            file.write_table(pa.table(columns, schema=schema))
            np.add.at(n_of_user, top.user, 1)
    return n_of_user


def read(path: Path, model: str, number: int) -> TopLists:
    """Read the lists of one model from a file of MODEL_LISTS."""
    is_wanted = (pc.field("model") == model) & (pc.field("number") == number)
    table = pq.read_table(path, filters=is_wanted)
    return TopLists(*(table[name].to_numpy() for name in COLUMNS))

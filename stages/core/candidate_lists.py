"""Candidate lists, merged from several sources: as columns in memory and as files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from core.lists import Lists
from core.params import Strict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, field_validator

FOLDER = Path("data/candidates")
ROWS_AT_ONCE = 50_000  # per thread; memory grows with this, not with the number of users


class Retrieved(NamedTuple):
    """The items that a source retrieved for each user, best first."""

    item: np.ndarray  # int32 (n_users, n), -1 after the last item
    score: np.ndarray  # float32 (n_users, n)


class CandidateListParams(Strict):
    """The section `candidates`. models.registry.CandidatesParams also checks the source names."""

    sources: list[str]  # names in models.registry.SOURCES
    per_source: int = Field(ge=10, le=10_000)  # items that each source retrieves for a user
    label_users: int = Field(ge=0, le=10**9)  # maximum number of training users per fold; 0: all
    judged_users: int = Field(ge=0, le=10**9)  # most users of a judged fold, by seed; 0 = all
    alive_windows: int = Field(ge=0, le=1000)  # last windows with an exposure of the item; 0: all
    new_items: Literal["none", "published", "all"]  # candidates without an exposure in the history

    @field_validator("sources")
    @classmethod
    def _has_als_once(cls, sources: list[str]) -> list[str]:
        if sources[:1] != ["als"] or len(set(sources)) < len(sources):
            raise ValueError("must start with als and have each source once")
        return sources


@dataclass(frozen=True)
class Candidates(Lists):
    """Candidate lists as columns. Rows are grouped by user, best candidate first."""

    user: np.ndarray  # int32 (n_rows,)
    item: np.ndarray  # int32 (n_rows,)
    rank: dict[str, np.ndarray]  # source -> int16 (n_rows,), 1 is best, 0 means not retrieved
    score: dict[str, np.ndarray]  # model -> float32 (n_rows,), NaN for items it does not know

    @property
    def is_retrieved(self) -> np.ndarray:
        """Whether any source retrieved the item, bool (n_rows,); always False for cold users."""
        return np.any([rank > 0 for rank in self.rank.values()], axis=0)

    def take(self, rows: np.ndarray) -> "Candidates":
        """Return a subset of rows: a slice, ascending indices or a mask."""
        return of_columns({name: values[rows] for name, values in self.columns().items()})

    def table(self) -> pa.Table:
        return pa.table(self.columns())

    def columns(self) -> dict[str, np.ndarray]:
        """Return the columns of the file."""
        ranks = {f"{name}_rank": values for name, values in self.rank.items()}
        scores = {f"{name}_score": values for name, values in self.score.items()}
        return {"user": self.user, "item": self.item, **ranks, **scores}


def merge(users: np.ndarray, retrieved: dict[str, np.ndarray], n_items: int) -> Candidates:
    """Merge the items of all sources into one list per user, without scores.

    Lists are ordered by the best rank of any source, then by the order of sources, then by item.

    users      int32 (n_users,), ascending
    retrieved  source -> item int32 (n_users, n), best first, -1 after the last item
    """
    names = list(retrieved)
    found = [np.nonzero(items >= 0) for items in retrieved.values()]  # row, place
    pairs = [
        row * n_items + items[row, place]
        for items, (row, place) in zip(retrieved.values(), found, strict=True)
    ]
    key = np.unique(np.concatenate(pairs))
    ranks = np.zeros((len(names), len(key)), dtype=np.int16)
    for of_source, pair, (_, place) in zip(ranks, pairs, found, strict=True):
        of_source[np.searchsorted(key, pair)] = place + 1
    best = np.where(ranks == 0, np.iinfo(np.int16).max, ranks)
    first = best.argmin(axis=0)
    row, item = np.divmod(key, n_items)
    place = (row << 16 | best.min(axis=0)) * len(names) + first  # different for each pair
    order = np.argsort(place)
    return Candidates(
        users[row[order]].astype(np.int32),
        item[order].astype(np.int32),
        {name: ranks[number, order] for number, name in enumerate(names)},
        {},
    )


def concatenate(parts: list[Candidates]) -> Candidates:
    """Concatenate parts that have the same columns."""
    columns = [part.columns() for part in parts]
    return of_columns({name: np.concatenate([of[name] for of in columns]) for name in columns[0]})


def of_columns(columns: dict[str, np.ndarray]) -> Candidates:
    """Return the lists with these columns; the reverse of Candidates.columns."""
    found = {"_rank": {}, "_score": {}}
    for name, values in columns.items():
        model, _, kind = name.rpartition("_")
        if model:
            found[f"_{kind}"][model] = values
    return Candidates(columns["user"], columns["item"], found["_rank"], found["_score"])


def append(file: pq.ParquetWriter, lists: Candidates) -> None:
    """Write whole lists as one row group, as read() expects them."""
    file.write_table(lists.table(), row_group_size=max(1, len(lists.user)))


def read(fold: str, max_rows: int = 2_000_000) -> Iterator[Candidates]:
    """Yield the lists of a fold in the order of the file, in blocks of about max_rows rows."""
    file = pq.ParquetFile(FOLDER / f"{fold}.parquet")
    for group in range(max(1, file.num_row_groups)):
        table = file.read_row_group(group) if file.num_row_groups else file.read()
        columns = {name: table[name].to_numpy() for name in table.column_names}
        yield from split(of_columns(columns), max_rows)


def split(lists: Candidates, max_rows: int) -> Iterator[Candidates]:
    """Yield blocks of whole lists with at most max_rows rows, or one longer list."""
    ends = np.append(lists.starts[1:], len(lists.user))
    start, stop = 0, -1
    while stop < len(lists.user):
        fitting = np.searchsorted(ends, [start, start + max_rows], side="right")
        stop = int(ends[min(max(fitting[0], fitting[1] - 1), len(ends) - 1)])
        yield lists.take(slice(start, stop))
        start = stop

"""Candidate lists as tables and as files: merged from several sources, by user, best first."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.params import Strict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, field_validator

from folds.lists import Lists

CANDIDATES = "data/candidates/{fold}.parquet"


@dataclass(frozen=True)
class Retrieved:
    """What a source retrieved for each user, best first: item int32 (n_users, n), -1 where it has
    no more; score float32 (n_users, n).
    """

    item: np.ndarray
    score: np.ndarray


class CandidateListParams(Strict):
    """The section `candidates`, for those who read the lists; retrieval.CandidatesParams checks
    that the sources exist, too.
    """

    sources: list[str]  # names in retrieval.SOURCES
    per_source: int = Field(ge=10, le=10_000)  # items each source retrieves for a user
    label_users: int = Field(ge=0, le=10**9)  # most users of a label fold, by seed; 0 = all

    @field_validator("sources")
    @classmethod
    def _has_als_once(cls, sources: list[str]) -> list[str]:
        if sources[:1] != ["als"] or len(set(sources)) < len(sources):
            raise ValueError("must start with als and name each source once")
        return sources


@dataclass(frozen=True)
class Candidates(Lists):
    """Candidate lists as columns: rows by user, best first within a user.

    user, item   int32 (n_rows,)
    rank         dict of source -> int16 (n_rows,): 1 is best, 0 where it did not retrieve the item
    score        dict of source -> float32 (n_rows,): NaN where it did not retrieve the item
    """

    user: np.ndarray
    item: np.ndarray
    rank: dict[str, np.ndarray]
    score: dict[str, np.ndarray]

    @property
    def is_retrieved(self) -> np.ndarray:
        """bool (n_rows,): whether any source retrieved the item; none did for cold users."""
        return np.any([rank > 0 for rank in self.rank.values()], axis=0)

    def take(self, rows: np.ndarray) -> "Candidates":
        """The given rows: a slice, or indices or a mask that keep the order."""
        return Candidates(
            self.user[rows],
            self.item[rows],
            {name: values[rows] for name, values in self.rank.items()},
            {name: values[rows] for name, values in self.score.items()},
        )

    def table(self) -> pa.Table:
        """The columns of the file."""
        columns = {"user": self.user, "item": self.item}
        for name in self.rank:
            columns |= {f"{name}_rank": self.rank[name], f"{name}_score": self.score[name]}
        return pa.table(columns)


def merge(users: np.ndarray, retrieved: dict[str, Retrieved], n_items: int) -> Candidates:
    """One list for each of `users` (ascending) from what every source retrieved for them.

    Order within a list: the best rank that any source gave, then the order of the sources, then
    the item.
    """
    names = list(retrieved)
    row, source, item, rank, score = [], [], [], [], []
    for number, name in enumerate(names):
        user_row, place = np.nonzero(retrieved[name].item >= 0)
        row.append(user_row)
        source.append(np.full(len(user_row), number))
        item.append(retrieved[name].item[user_row, place])
        rank.append(place + 1)
        score.append(retrieved[name].score[user_row, place])
    row, source, item, rank, score = (
        np.concatenate(parts) for parts in (row, source, item, rank, score)
    )
    key, pair = np.unique(row * n_items + item, return_inverse=True)
    ranks = np.zeros((len(names), len(key)), dtype=np.int16)
    scores = np.full((len(names), len(key)), np.nan, dtype=np.float32)
    ranks[source, pair], scores[source, pair] = rank, score
    best = np.where(ranks == 0, np.iinfo(np.int16).max, ranks)
    first = best.argmin(axis=0)
    row, item = np.divmod(key, n_items)
    place = (row << 16 | best.min(axis=0)) * len(names) + first  # of one pair only, so no ties
    order = np.argsort(place)
    return Candidates(
        users[row[order]].astype(np.int32),
        item[order].astype(np.int32),
        {name: ranks[number, order] for number, name in enumerate(names)},
        {name: scores[number, order] for number, name in enumerate(names)},
    )


def fallback_lists(users: np.ndarray, fallback: Retrieved, names: list[str]) -> Candidates:
    """Lists in the order of `fallback`, in which none of the sources `names` retrieved an item."""
    row, place = np.nonzero(fallback.item >= 0)
    return Candidates(
        users[row].astype(np.int32),
        fallback.item[row, place],
        {name: np.zeros(len(row), dtype=np.int16) for name in names},
        {name: np.full(len(row), np.nan, dtype=np.float32) for name in names},
    )


def concatenate(parts: list[Candidates]) -> Candidates:
    """The rows of all parts, which have the same sources, one after the other."""
    return Candidates(
        np.concatenate([part.user for part in parts]),
        np.concatenate([part.item for part in parts]),
        {name: np.concatenate([part.rank[name] for part in parts]) for name in parts[0].rank},
        {name: np.concatenate([part.score[name] for part in parts]) for name in parts[0].score},
    )


def writer(path: Path, names: list[str]) -> pq.ParquetWriter:
    """A parquet file for lists of these sources, written block by block."""
    none = np.zeros(0, dtype=np.int64)
    nothing = Retrieved(np.zeros((0, 0), np.int32), np.zeros((0, 0), np.float32))
    empty = fallback_lists(none, nothing, names)
    return pq.ParquetWriter(path, empty.table().schema, compression="lz4")


def append(file: pq.ParquetWriter, lists: Candidates) -> None:
    """Writes whole lists as one row group, which is what read() takes a row group to be."""
    file.write_table(lists.table(), row_group_size=max(1, len(lists.user)))


def read(fold: str, max_rows: int = 2_000_000) -> Iterator[Candidates]:
    """The lists of a fold in blocks of whole lists, each of about max_rows rows, in the order of
    the file.
    """
    file = pq.ParquetFile(CANDIDATES.format(fold=fold))
    for group in range(max(1, file.num_row_groups)):
        table = file.read_row_group(group) if file.num_row_groups else file.read()
        column = {name: table[name].to_numpy() for name in table.column_names}
        names = [name.removesuffix("_rank") for name in column if name.endswith("_rank")]
        lists = Candidates(
            column["user"],
            column["item"],
            {name: column[f"{name}_rank"] for name in names},
            {name: column[f"{name}_score"] for name in names},
        )
        yield from split(lists, max_rows)


def split(lists: Candidates, max_rows: int) -> Iterator[Candidates]:
    """Blocks of whole lists, in order, each of at most max_rows rows unless one list alone is
    longer; at least one block.
    """
    ends = np.append(lists.starts[1:], len(lists.user))
    start = 0
    while True:
        fitting = np.searchsorted(ends, start + max_rows, side="right")
        next_end = np.searchsorted(ends, start, side="right")
        stop = int(ends[min(max(fitting - 1, next_end), len(ends) - 1)])
        yield lists.take(slice(start, stop))
        start = stop
        if start >= len(lists.user):
            return

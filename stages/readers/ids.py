"""Maps the source's ids to row numbers, without a Python object per id.

Two passes: a Collector sees every column of ids, a batch at a time, and its ids() are the sorted
distinct ones; Ids.rows() then gives the row number of each id. A Finder looks them up in a file of
metadata. Ids are integers of any width, or strings of any kind of arrow's, plain or
dictionary-encoded. Files may differ in the width, not in integer against string.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.script import InputError, report

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Ids:
    """Distinct ids, ascending (strings by their UTF-8 bytes), in the source's type; no nulls."""

    values: pa.Array

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, column: pa.ChunkedArray, where: str) -> np.ndarray:
        """int32 (n_rows,): the position of each id in `values`, -1 for null and for any other id.

        InputError, naming `where` (the file and its column), if the ids are of another kind.
        """
        column = plain(column)
        kind = common_type({"the interactions": self.values.type, where: column.type})
        known, asked = _cast(self.values, kind, where), _cast(column, kind, where)
        return pc.index_in(asked, value_set=known).fill_null(-1).to_numpy()


class Collector:
    """Gathers the distinct ids of a column over batches and files."""

    def __init__(self, name: str) -> None:
        """name  of the column, for messages."""
        self.name = name
        self.distinct: list[tuple[str, pa.Array]] = []
        self.n_rows: dict[str, int] = {}
        self.n_null: dict[str, int] = {}

    def add(self, column: pa.ChunkedArray, path: Path) -> None:
        """Takes in a batch of ids of the file; InputError where they are no ids."""
        where = f"{path}: {self.name}"
        column = plain(column)
        check_type(column.type, where)
        self.n_rows[where] = self.n_rows.get(where, 0) + len(column)
        self.n_null[where] = self.n_null.get(where, 0) + column.null_count
        self.distinct.append((where, column.unique()))

    def ids(self) -> Ids:
        """The ids of one batch or more; InputError where some are null or do not go together."""
        for where, n_null in self.n_null.items():
            if n_null:
                n_rows = self.n_rows[where]
                raise InputError(f"{where} is null in {n_null:,} of {n_rows:,} rows; must be an id")
        kind = common_type({where: part.type for where, part in self.distinct})
        parts = [_cast(part, kind, where) for where, part in self.distinct]
        distinct = pc.unique(pa.chunked_array(parts, kind))
        return Ids(distinct.take(pc.sort_indices(distinct)))


class Finder:
    """Finds users or items of the log in a file of metadata, a batch at a time.

    The first row of an id counts. What is left out or not found is counted, for `close` to report.
    """

    def __init__(self, ids: Ids, path: Path, name: str) -> None:
        """ids  to find; path, name  the file and its column of ids"""
        self.ids, self.path, self.name = ids, path, name
        self.is_found = np.zeros(len(ids), dtype=bool)
        self.n_rows = self.n_null = self.n_unseen = self.n_repeated = 0

    def find(self, column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
        """(place, row), int64 and int32 (n_new,): where in the batch new ids are; their rows."""
        self.n_rows += len(column)
        self.n_null += column.null_count
        if not len(column):  # of any type: a file without rows
            return np.empty(0, np.int64), np.empty(0, np.int32)
        row = self.ids.rows(column, f"{self.path}: {self.name}")
        place = np.flatnonzero(row >= 0)
        self.n_unseen += len(row) - len(place)
        n_known = len(place)
        place = place[~self.is_found[row[place]]]
        place = place[np.unique(row[place], return_index=True)[1]]
        self.n_repeated += n_known - len(place)
        self.is_found[row[place]] = True
        return place, row[place]

    def close(self) -> None:
        """Reports the counts; InputError where rows have no id."""
        where, what = f"{self.path}: {self.name}", self.name.removesuffix("_id")
        if self.n_null:
            raise InputError(
                f"{where} is null in {self.n_null:,} of {self.n_rows:,} rows; must be an id"
            )
        n_missing = np.count_nonzero(~self.is_found)
        if n_missing:
            report(f"{self.path}: no row for {n_missing:,} of {len(self.ids):,} {what}s")
        if self.n_unseen:
            report(f"{self.path}: {self.n_unseen:,} rows of {what}s without interactions, left out")
        if self.n_repeated:
            report(f"{self.path}: {self.n_repeated:,} more rows of the same {what}, left out")


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column with a dictionary decoded, string views as strings and half floats as floats: what
    pyarrow can compare.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_float16(column.type):
        return column.cast(pa.float32())
    return column.cast(pa.string()) if pa.types.is_string_view(column.type) else column


def check_type(kind: pa.DataType, where: str) -> None:
    """InputError unless ids can be of this type."""
    if not (pa.types.is_integer(kind) or _is_string(kind)):
        raise InputError(f"{where} is {kind}; ids must be integers or strings")


def common_type(types: Mapping[str, pa.DataType]) -> pa.DataType:
    """The narrowest type that holds the ids of all; int64 for uint64 with signed ones.

    types  file and column -> type of the ids; InputError where integers and strings are mixed.
    """
    (first, first_type), *others = types.items()
    check_type(first_type, first)
    for where, kind in others:
        check_type(kind, where)
        if _is_string(kind) != _is_string(first_type):
            raise InputError(
                f"{where} is {kind}, in {first} it is {first_type}; must be integers in both or"
                " strings in both"
            )
    distinct = set(types.values())
    if len(distinct) == 1:
        return first_type
    if _is_string(first_type):
        return pa.large_string()
    widest = np.result_type(*(kind.to_pandas_dtype() for kind in distinct))
    return pa.from_numpy_dtype(widest) if widest.kind in "iu" else pa.int64()


def _is_string(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _cast(ids: pa.Array | pa.ChunkedArray, kind: pa.DataType, where: str):
    try:
        return ids.cast(kind)
    except pa.ArrowInvalid:
        raise InputError(
            f"{where} is {ids.type} with ids beyond {kind}, which other files need; use one type"
        ) from None

"""What is known of items from all users: sums over blocks of users, added up by Spark.

In two passes, since the second needs the first: counts by window, by level of the users and of the
capped logs; then co-occurrences. A sum travels as the rows of a matrix: its name, the row, and the
columns and values of its entries as bytes. So the volume grows with items, windows and pairs of
items, not with users.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812
from scipy import sparse

from families.columns import codes, is_category
from families.context import counts, counts_by_level
from families.levels import levels, lowest_of_levels
from folds.ease import co_occurrence
from folds.history import History
from folds.similarity import latest
from spark.engine.blocks import Levels, block_of, tables

SUMS = "name string, row int, columns binary, values binary"
ROWS_AT_ONCE = 64  # of a matrix, added up together
DENSE_ITEMS = 8192  # up to so many items co-occurrences are gathered in a dense matrix


@dataclass(frozen=True)
class Pairs:
    """Co-occurrences that are asked for: in the latest `last_items` entries of each user, all if
    None, of the positives or the exposures; of the most_items most frequent items, all if None.
    """

    of: Literal["positives", "exposures"]
    last_items: int | None
    most_items: int | None = None

    @property
    def name(self) -> str:
        return f"{self.of}_{self.last_items or 'all'}_{self.most_items or 'all'}"

    def matrix(self, history: History) -> sparse.csr_array:
        """CSR float32 (n_users, n_items) of ones."""
        matrix = getattr(history, self.of)
        return latest(matrix, self.last_items) if self.last_items else matrix


@dataclass(frozen=True)
class Asked:
    """What a pass is told: the fold's target window and its items; levels of the users' features,
    and the lowest value of each level.
    """

    window: int
    items: np.ndarray
    levels: Levels
    lowest: dict[str, np.ndarray]
    pairs: list[Pairs]
    known: dict[str, np.ndarray]  # of pairs with most_items: these items, ascending


def count(asked: Asked, history: History, metadata: pd.DataFrame) -> dict[str, sparse.csr_array]:
    """The sums of the first pass, of one block."""
    shown, liked = counts(history, history.item, history.n_items)
    found = {"shown": shown, "liked": liked}
    for name, lowest in asked.lowest.items():
        column = metadata[name]
        level = levels(codes(column), lowest, is_category(column))
        found[f"level_{name}"] = counts_by_level(level, len(lowest) + 1, history.positives)
    for pairs in asked.pairs:
        capped = pairs.matrix(history)
        found[f"n_{pairs.name}"] = np.bincount(capped.indices, minlength=history.n_items)[None]
    return {name: sparse.csr_array(matrix) for name, matrix in found.items()}


def pair(asked: Asked, history: History, metadata: pd.DataFrame) -> dict[str, sparse.csr_array]:
    """The sums of the second pass, of one block."""
    found = {}
    for pairs in asked.pairs:
        matrix = pairs.matrix(history)
        if pairs.name in asked.known:
            matrix = matrix[:, asked.known[pairs.name]]
        if matrix.shape[1] <= DENSE_ITEMS:
            found[pairs.name] = co_occurrence(matrix, 1)
        else:
            found[pairs.name] = sparse.csr_array(matrix.T @ matrix)
    return found


Pass = Callable[[Asked, History, pd.DataFrame], dict]


def sums(logs: DataFrame, one_pass: Pass, asked: Asked) -> DataFrame:
    """The rows of all sums, as SUMS has them, float32."""
    parts = logs.mapInArrow(partial(_sums_of_partition, one_pass, asked), SUMS)
    group = F.floor(F.col("row") / ROWS_AT_ONCE)
    return parts.groupBy("name", group.alias("group")).applyInArrow(_added, SUMS)


def _sums_of_partition(
    one_pass: Pass, asked: Asked, batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    total: dict = {}
    for rows in tables(batches):
        block = block_of(rows, asked.window, asked.items)
        if not block.history.n_users:
            continue
        metadata = block.metadata(block.history.users, asked.levels)
        for name, matrix in one_pass(asked, block.history, metadata).items():
            total[name] = total[name] + matrix if name in total else matrix
    for name in list(total):
        yield from rows_of(name, sparse.csr_array(total.pop(name))).to_batches()


def rows_of(name: str, matrix: sparse.csr_array) -> pa.Table:
    """The rows of a matrix that have an entry, as SUMS."""
    rows = np.flatnonzero(np.diff(matrix.indptr))
    offsets = np.append(matrix.indptr[rows], matrix.indptr[-1:]).astype(np.int64) * 4
    binary = [
        pa.Array.from_buffers(
            pa.large_binary(), len(rows), [None, pa.py_buffer(offsets), pa.py_buffer(values)]
        ).cast(pa.binary())
        for values in (matrix.indices.astype(np.int32), matrix.data.astype(np.float32))
    ]
    names = pa.array([name]).take(pa.array(np.zeros(len(rows), dtype=np.int64)))
    return pa.table([names, rows.astype(np.int32), *binary], names=["name", "row", *BINARY])


BINARY = ("columns", "values")


def matrix_of(table: pa.Table, size: tuple[int, int]) -> sparse.csr_array:
    """The sum of these rows: CSR float64 (size), sorted."""
    parts = [
        np.frombuffer(b"".join(table[name].to_pylist()), dtype)
        for name, dtype in zip(BINARY, (np.int32, np.float32), strict=True)
    ]
    sizes = [len(part) // 4 for part in table["columns"].to_pylist()]
    row = np.repeat(table["row"].to_numpy(), sizes)
    matrix = sparse.coo_array((parts[1].astype(np.float64), (row, parts[0])), shape=size)
    return sparse.csr_array(matrix)


def _added(table: pa.Table) -> pa.Table:
    """The sum of rows of one matrix, whose numbers lie near each other."""
    rows = table["row"].to_numpy()
    first = int(rows.min())
    last_columns = [np.frombuffer(part, np.int32).max() for part in table["columns"].to_pylist()]
    size = (int(rows.max()) - first + 1, int(max(last_columns)) + 1)
    own = table.set_column(1, "row", pa.array(rows - first))
    added = rows_of(table["name"][0].as_py(), matrix_of(own, size))
    return added.set_column(1, "row", pa.array((added["row"].to_numpy() + first).astype(np.int32)))


Knn = dict[str, dict[str, int]]  # of each kind of pairs: neighbours kept, by weighting


def nearest(pairs: DataFrame, n_entries: dict[str, np.ndarray], knn: Knn) -> DataFrame:
    """Of the kinds of pairs that `knn` names, for each weighting, the items most similar to each
    item, best first: SUMS named NAME_WEIGHTING. The rows of all other kinds as they are.

    n_entries  of each kind of pairs: int (n_items,), how many entries an item has. Ties, which the
    local pipeline breaks by the order of the users, are broken by item, the largest first.
    """

    def best(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for table in tables(batches):
            rows = [found for row in table.to_pylist() for found in _nearest(row, n_entries, knn)]
            yield pa.RecordBatch.from_pylist(rows, schema=table.schema)

    return pairs.mapInArrow(best, SUMS)


def _nearest(row: dict, n_entries: dict[str, np.ndarray], knn: Knn) -> Iterator[dict]:
    if row["name"] not in knn:
        yield row
        return
    column = np.frombuffer(row["columns"], np.int32)
    pairs = np.frombuffer(row["values"], np.float32).astype(np.float64)
    for weighting, neighbours in knn[row["name"]].items():
        score = pairs
        if weighting == "cosine":
            scale = 1 / np.sqrt(np.maximum(n_entries[row["name"]], 1))
            score = pairs * (scale[row["row"]] * scale[column])
        order = np.lexsort((-column, -score))[: neighbours + 1]
        order = order[column[order] != row["row"]]
        yield {
            "name": f"{row['name']}_{weighting}",
            "row": row["row"],
            "columns": column[order].tobytes(),
            "values": score[order].astype(np.float32).tobytes(),
        }


def lowest_levels(logs: DataFrame, window: int, of: Levels) -> dict[str, np.ndarray]:
    """The lowest value of each level of each feature, of the users with a history."""
    known = logs.where(F.element_at("window", 1) < window)
    found = {}
    for name, levels_of in of.items():
        table = known.groupBy(name).count().toArrow()
        values = table[name].to_numpy().astype(np.float64)
        times = table["count"].to_numpy()
        found[name] = lowest_of_levels(np.repeat(values, times), levels_of is not None)
    return found

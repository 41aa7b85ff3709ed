"""Sums over all users: Spark adds up the sums of blocks of users.

There are two passes, because the second needs the first. The first counts by window, by level of
the users and in capped logs; the second counts co-occurrences. A sum is sent as rows of a matrix:
its name, the row number, and columns and values of the entries as bytes. Therefore the volume grows
with items, windows and pairs of items, not with users.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from core.history import History
from core.weights import latest

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812
from scipy import sparse

from families.columns import codes, is_category, levels, lowest_of_levels
from families.context import counts, counts_by_level
from models.ease import EaseParams, co_occurrence
from models.item_knn import ItemKnnParams
from spark.engine.blocks import Levels, block_of, tables

SUMS = "name string, row int, columns binary, values binary"
BINARY = {"columns": np.int32, "values": np.float32}
ROWS_AT_ONCE = 64  # number of rows of a matrix that are added together
DENSE_ITEMS = 8192  # maximum number of items for adding co-occurrences in a dense matrix


@dataclass(frozen=True)
class Pairs:
    """Co-occurrences for fitting models, of positives or exposures.

    last_items  number of latest entries of each user to use; None means all
    most_items  number of most frequent items to use; None means all
    """

    of: Literal["positives", "exposures"]
    last_items: int | None
    most_items: int | None

    @property
    def name(self) -> str:
        return f"{self.of}_{self.last_items}_{self.most_items}"

    def matrix(self, history: History) -> sparse.csr_array:
        """CSR float32 (n_users, n_items) of ones."""
        matrix = getattr(history, self.of)
        return latest(matrix, self.last_items) if self.last_items else matrix


def pairs_of(params: ItemKnnParams | EaseParams) -> Pairs:
    """Return the co-occurrences that a model needs."""
    if isinstance(params, EaseParams):
        return Pairs(params.of, None, params.max_items)
    return Pairs(params.of, params.last_items, None)


@dataclass(frozen=True)
class Asked:
    """The parameters of a pass: the target window and items of the fold; levels of user features
    and the lowest value of each level; the co-occurrences, with the items of those that have
    most_items, ascending.
    """

    window: int
    items: np.ndarray
    levels: Levels
    lowest: dict[str, np.ndarray]
    pairs: list[Pairs]
    known: dict[str, np.ndarray]


def count(asked: Asked, history: History, metadata: pd.DataFrame) -> dict[str, sparse.csr_array]:
    """Return the sums of the first pass over one block."""
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
    """Return the sums of the second pass over one block."""
    found = {}
    for pairs in asked.pairs:
        matrix = pairs.matrix(history)
        if pairs.most_items:
            matrix = matrix[:, asked.known[pairs.name]]
        is_small = matrix.shape[1] <= DENSE_ITEMS
        found[pairs.name] = co_occurrence(matrix, 1) if is_small else matrix.T @ matrix
    return found


Pass = Callable[[Asked, History, pd.DataFrame], dict]


def sums(logs: DataFrame, one_pass: Pass, asked: Asked) -> DataFrame:
    """Return the rows of all sums in the columns SUMS, float32."""
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


def rows_of(name: str, matrix: sparse.csr_array, first: int = 0) -> pa.Table:
    """Convert the nonempty rows of a matrix to a table with the columns SUMS.

    first  the row number of the first row
    """
    rows = np.flatnonzero(np.diff(matrix.indptr))
    offsets = pa.py_buffer(np.append(matrix.indptr[rows], matrix.nnz).astype(np.int64) * 4)
    binary = [
        pa.Array.from_buffers(
            pa.large_binary(), len(rows), [None, offsets, pa.py_buffer(values.astype(dtype))]
        ).cast(pa.binary())
        for values, dtype in zip((matrix.indices, matrix.data), BINARY.values(), strict=True)
    ]
    names = pa.repeat(name, len(rows))
    return pa.table([names, (first + rows).astype(np.int32), *binary], ["name", "row", *BINARY])


def entries_of(table: pa.Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row, column and value of every entry of rows in the columns SUMS."""
    column, value = (
        np.frombuffer(b"".join(table[name].to_pylist()), dtype) for name, dtype in BINARY.items()
    )
    sizes = pa.compute.binary_length(table["columns"]).to_numpy() // 4
    return np.repeat(table["row"].to_numpy(), sizes), column, value


def matrix_of(table: pa.Table, size: tuple[int, int]) -> sparse.csr_array:
    """Return the sum of rows in the columns SUMS as sorted CSR float64."""
    row, column, value = entries_of(table)
    return sparse.csr_array(sparse.coo_array((value.astype(np.float64), (row, column)), size))


def _added(table: pa.Table) -> pa.Table:
    """Return the sum of rows of one matrix with nearby row numbers."""
    row, column, value = entries_of(table)
    first = row.min()
    entries = (value.astype(np.float64), (row - first, column))
    return rows_of(table["name"][0].as_py(), sparse.csr_array(sparse.coo_array(entries)), first)


Knn = dict[str, dict[str, ItemKnnParams]]  # kind of pairs -> name of the fitted model -> parameters


def nearest(pairs: DataFrame, n_entries: dict[str, np.ndarray], knn: Knn) -> DataFrame:
    """Return the most similar items of each item for each model, in the columns SUMS.

    Rows of other kinds of pairs do not change. The local pipeline breaks ties by the order of
    users; here the larger item number wins.

    n_entries  kind of pairs -> number of entries of each item, int (n_items,)
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
    column, n_pairs = (np.frombuffer(row[name], dtype) for name, dtype in BINARY.items())
    for name, params in knn[row["name"]].items():
        score = n_pairs.astype(np.float64)
        if params.weighting == "cosine":
            scale = 1 / np.sqrt(np.maximum(n_entries[row["name"]], 1))
            score *= scale[row["row"]] * scale[column]
        kept = np.lexsort((-column, -score))[: params.neighbours + 1]
        kept = np.sort(kept[column[kept] != row["row"]])
        values = score[kept].astype(np.float32).tobytes()
        yield {"name": name, "row": row["row"], "columns": column[kept].tobytes(), "values": values}


def lowest_levels(logs: DataFrame, window: int, of: Levels) -> dict[str, np.ndarray]:
    """Return the lowest value of each level of each feature among users with a history."""
    known = logs.where(F.element_at("window", 1) < window)
    found = {}
    for name, levels_of in of.items():
        table = known.groupBy(name).count().toArrow()
        values = table[name].to_numpy().astype(np.float64)
        times = table["count"].to_numpy()
        found[name] = lowest_of_levels(np.repeat(values, times), levels_of is not None)
    return found

"""Blocks of users: rows of `logs` as history and target of a fold, on the executors.

The local code processes a block like a fold with only these users. Statistics of items over all
users come from the item side.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from core.history import Columns, History, Target, cut, history_of, repeats, target_of

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

Levels = dict[str, list[str] | None]  # user feature -> its levels, None for a number
LOG = ("item", "window", "is_positive", "strength")  # a user's interactions in time order


@dataclass(frozen=True)
class Block:
    """Users with their interactions before and in the target window.

    rows      rows of `logs`, with joined columns, ascending by user
    users     int32 (n_rows,)
    columns   columns of all interactions, as in data/split/interactions.parquet
    history   history of the users who have one
    target    target of the users with an interaction in the window
    """

    rows: pa.Table
    users: np.ndarray
    columns: Columns
    history: History
    target: Target

    def metadata(self, users: np.ndarray, levels: Levels) -> pd.DataFrame:
        """Return the features of these users, float32 or category."""
        at = pa.array(np.searchsorted(self.users, users))
        return pd.DataFrame(
            {name: _feature(self.rows[name].take(at), of) for name, of in levels.items()}
        )


def _feature(column: pa.ChunkedArray, levels: list[str] | None) -> np.ndarray | pd.Categorical:
    if levels is None:
        return column.to_numpy().astype(np.float32)
    codes = pc.fill_null(column, -1).to_numpy()
    return pd.Categorical.from_codes(codes, categories=levels)


def block_of(rows: pa.Table, window: int, items: np.ndarray) -> Block:
    """Return the block of these rows for a fold with this target window.

    items  int32, ascending: all items of the fold's history, or more
    """
    rows = rows.combine_chunks().sort_by("user")
    users = rows["user"].to_numpy().astype(np.int32)
    log = {name: flat(rows[name]) for name in LOG}
    sizes = pc.list_value_length(rows["item"]).to_numpy()
    user = np.repeat(users, sizes)
    item = log["item"].astype(np.int32)
    columns = {
        "user": user,
        "item": item,
        "window": log["window"].astype(np.int16),
        "is_positive": log["is_positive"],
        "strength": log["strength"].astype(np.uint8),
        "is_repeat": repeats(user, item) if len(user) else np.zeros(0, dtype=bool),
    }
    known, wanted = cut(pa.table(columns), window)
    return Block(rows, users, columns, history_of(known, window, items), target_of(wanted))


def flat(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Return the concatenated values of a column of lists."""
    return pc.list_flatten(column).to_numpy(zero_copy_only=False)


def lists_of(users: np.ndarray, user: np.ndarray, values: np.ndarray) -> pa.ListArray:
    """Return a list of values for each user.

    users  ascending; user  (n_rows,): the user of each value, sorted; users may have no values
    """
    sizes = np.bincount(np.searchsorted(users, user), minlength=len(users))
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(values))


def tables(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Yield nonempty batches as tables."""
    for batch in batches:
        if batch.num_rows:
            yield pa.Table.from_batches([batch])


def map_blocks(rows: DataFrame, function: Callable[[pa.Table], pa.Table], schema: str) -> DataFrame:
    """Apply a function to blocks of at most users_at_once rows and return the resulting rows.

    schema  of the result, in Spark's notation
    """
    return rows.mapInArrow(partial(_each, function), schema)


def _each(
    function: Callable[[pa.Table], pa.Table], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    from core import process  # noqa: F401  settings of BLAS, before numpy is loaded

    for table in tables(batches):
        yield from function(table).combine_chunks().to_batches()

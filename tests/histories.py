"""Tiny histories for tests, from literal rows."""

import itertools
from dataclasses import replace

import numpy as np
import pyarrow as pa

from folds import history as folds_history
from folds.history import History, Target, order_by_user, repeats

LIKED, SEEN = 1, 0  # of a row; 2 and more are stronger feedback


def split_table(rows: list[tuple[int, int, int, int]]) -> pa.Table:
    """data/split/interactions.parquet for rows of (user, item, window, strength) in time order."""
    user, item, window, strength = np.array(rows).T
    order = order_by_user(user)
    user, item, window, strength = (values[order] for values in (user, item, window, strength))
    return pa.table(
        {
            "user": user.astype(np.int32),
            "item": item.astype(np.int32),
            "is_positive": strength > 0,
            "strength": strength.astype(np.uint8),
            "window": window.astype(np.int16),
            "is_repeat": repeats(user, item),
        }
    )


def fold_of(table: pa.Table, window: int, n_parts: int = 1) -> tuple[History, Target]:
    """History and target of the fold that targets `window`, of a table read in parts."""
    ends = np.linspace(0, table.num_rows, n_parts + 1).astype(int)
    parts = [table.slice(start, end - start) for start, end in itertools.pairwise(ends.tolist())]
    known, wanted = folds_history.cut(parts, table.num_rows, window)
    return folds_history.history_of(known, window), folds_history.target_of(wanted)


def history_before(table: pa.Table, window: int) -> History:
    """What the fold that targets `window` knows."""
    return fold_of(table, window)[0]


def target_of(table: pa.Table, window: int) -> Target:
    """What the fold that targets `window` is judged by."""
    return fold_of(table, window)[1]


def history_of(rows: list[tuple[int, int, int, int]], window: int) -> History:
    """What the fold that targets `window` knows of these rows."""
    return history_before(split_table(rows), window)


def part_of(history: History, users: list[int]) -> History:
    """These users of a history as users of their own, 0, 1, … in this order: of the same items and
    windows, as if they had come later.
    """
    rows = np.concatenate([np.arange(*history.indptr[[u, u + 1]]) for u in users])
    return replace(
        history,
        users=np.arange(len(users), dtype=np.int32),
        indptr=np.cumsum([0, *np.diff(history.indptr)[users]]),
        item=history.item[rows],
        window=history.window[rows],
        is_positive=history.is_positive[rows],
    )


def arrays_of(history: History) -> dict[str, bytes]:
    """Every array of a history as bytes with its dtype, to compare two of them."""
    arrays = {
        "users": history.users,
        "items": history.items,
        "indptr": history.indptr,
        "item": history.item,
        "window": history.window,
        "is_positive": history.is_positive,
        "user": history.user,
        "n_positives": history.n_positives,
        "n_windows": np.array(history.n_windows),
    }
    for name in ("exposures", "positives"):
        matrix = getattr(history, name)
        arrays |= {
            f"{name}.{part}": getattr(matrix, part) for part in ("indptr", "indices", "data")
        }
        arrays[f"{name}.shape"] = np.array(matrix.shape)
    return {name: str(values.dtype).encode() + values.tobytes() for name, values in arrays.items()}

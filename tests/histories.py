"""Tiny histories for tests, from literal rows."""

from dataclasses import fields, replace

from core import folds
from core.candidate_lists import CandidateListParams
from core.folds import Folds
from core.history import (
    INTERACTIONS,
    History,
    Target,
    cut,
    load_fold,
    order_by_user,
    repeats,
    target_of,
)
from core.history import history_of as history_of_columns
from core.params import section, shared_params

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

LIKED, SEEN = 1, 0  # strengths of a row; 2 and more are stronger feedback
Row = tuple[int, int, int, int]  # user, item, window, strength


CANDIDATES = CandidateListParams(
    sources=["als"], per_source=10, label_users=0, judged_users=0, alive_windows=0, new_items="none"
)


def split_table(rows: list[Row]) -> pa.Table:
    """Return data/split/interactions.parquet for rows in time order."""
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


def write_split(rows: list[Row], **windows: int) -> None:
    """Write what `split` writes of rows and the target window of each fold."""
    INTERACTIONS.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(split_table(rows), INTERACTIONS)
    folds.save(Folds(windows), folds.FILE)


def fold_of(rows: list[Row], window: int) -> tuple[History, Target]:
    """Return history and target of the fold that targets `window`."""
    known, wanted = cut(split_table(rows), window)
    return history_of_columns(known, window), target_of(wanted)


def history_of(rows: list[Row], window: int) -> History:
    """Return the history of the fold that targets `window`."""
    return fold_of(rows, window)[0]


def fold_of_files(fold: str) -> tuple[History, Target]:
    """Load history and target of a fold as stages do."""
    return load_fold(fold, section("candidates", CandidateListParams), shared_params().seed)


def random_rows(seed: int, windows: range) -> list[Row]:
    """Return 12 rows a window, so dense that many pairs are repeated."""
    rng = np.random.default_rng(seed)
    return [
        (int(rng.integers(9)), int(rng.integers(7)), w, int(rng.choice([0, 0, 1, 4])))
        for w in windows
        for _ in range(12)
    ]


def part_of(history: History, users: list[int]) -> History:
    """Return these users of a history as the new users 0, 1, … with the same items and windows."""
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
    """Return every array of a history as bytes with its dtype, to compare two histories."""
    arrays = {of.name: np.asarray(getattr(history, of.name)) for of in fields(history)}
    return {name: str(of.dtype).encode() + of.tobytes() for name, of in arrays.items()}

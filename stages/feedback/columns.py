"""Columns of the log that few readers of a history need: the strength and the feedback channels.

Each is read when it is asked for, so that they cost nothing where they are not in use.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from folds.history import INTERACTIONS, History

CHANNELS = Path("data/split/channels.parquet")  # a row for each of data/split/interactions.parquet


class HistoryColumns:
    """Reads columns of the two files for the rows of a history."""

    def __init__(self, history: History) -> None:
        self.history = history

    def column(self, path: Path, name: str, is_merged: bool = True) -> np.ndarray:
        """(n_rows,) of the history, in the file's dtype.

        is_merged  whether of a pair that occurs more than once before the target window the largest
                   value counts, else the first one
        """
        values = self._known(path, name)
        if not self._is_repeat.any():
            return values
        result = values[~self._is_repeat]
        if is_merged:
            np.maximum.at(result, self._row_of_repeats, values[self._is_repeat])
        return result

    @cached_property
    def _is_known(self) -> list[np.ndarray]:
        """bool, for each part of the files: which of its rows are before the target window."""
        return [window < self.history.n_windows for window in read_in_parts(INTERACTIONS, "window")]

    def _known(self, path: Path, name: str) -> np.ndarray:
        parts = zip(read_in_parts(path, name), self._is_known, strict=True)
        return np.concatenate([values[is_known] for values, is_known in parts])

    @cached_property
    def _is_repeat(self) -> np.ndarray:
        """bool, of the known rows: whether an earlier row has the same pair."""
        return self._known(INTERACTIONS, "is_repeat")

    @cached_property
    def _row_of_repeats(self) -> np.ndarray:
        """int64, of the known rows that are repeats: the history's row of the same pair."""
        history = self.history
        user, item = (self._known(INTERACTIONS, name)[self._is_repeat] for name in ("user", "item"))
        pair = history.user.astype(np.int64) * history.n_items + history.item
        again = history.user_of(user).astype(np.int64) * history.n_items + history.item_of(item)
        order = np.argsort(pair)
        return order[np.searchsorted(pair, again, sorter=order)]


def read_in_parts(path: Path, name: str) -> Iterator[np.ndarray]:
    """A column of one of the two files, whose row groups hold the same rows."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=[name])[name].to_numpy()


def strengths(history: History) -> np.ndarray:
    """uint8 (n_rows,): 0 where not positive, else the strength of the feedback, at least 1."""
    return HistoryColumns(history).column(INTERACTIONS, "strength")

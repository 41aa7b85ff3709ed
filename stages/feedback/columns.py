"""Columns of the log that few readers of a history need: the strength and the feedback channels.

Each is read when it is asked for, so that they cost nothing where they are not in use. The rows of
new users stand in no file of the pipeline: their columns are given.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from folds.history import INTERACTIONS, Columns, History

CHANNELS = Path("data/split/channels.parquet")  # a row for each of data/split/interactions.parquet


class HistoryColumns:
    """Reads columns of the two files for the rows of a history, or takes them from `given`: the
    columns of both, of the rows that the history was made of.
    """

    def __init__(self, history: History, given: Columns | None = None) -> None:
        self.history, self.given = history, given

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
        parts = self._in_parts(INTERACTIONS, "window")
        return [window < self.history.n_windows for window in parts]

    def _known(self, path: Path, name: str) -> np.ndarray:
        parts = zip(self._in_parts(path, name), self._is_known, strict=True)
        return np.concatenate([values[is_known] for values, is_known in parts])

    def _in_parts(self, path: Path, name: str) -> Iterable[np.ndarray]:
        return read_in_parts(path, name) if self.given is None else [self.given[name]]

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


def strengths(history: History, given: Columns | None = None) -> np.ndarray:
    """uint8 (n_rows,): 0 where not positive, else the strength of the feedback, at least 1."""
    return HistoryColumns(history, given).column(INTERACTIONS, "strength")

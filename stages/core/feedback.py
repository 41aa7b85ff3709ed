"""Columns of the log that few stages need: strength of the feedback and feedback channels.

A column is read on first use, so unused columns cost nothing.
"""

from functools import cached_property
from pathlib import Path

from core import tables
from core.history import INTERACTIONS, Columns, History

import numpy as np
import pyarrow.parquet as pq

CHANNELS = Path("data/split/channels.parquet")  # a row for each of data/split/interactions.parquet


class Channels:
    """The feedback of a history. channels[NAME] is a channel or strength, bool or uint8 (n_rows,).

    A repeated pair has its largest value, but its first place, platform and agent.

    given  columns of new users, who are in no file
    """

    def __init__(self, history: History, given: Columns | None = None) -> None:
        self.history, self.given = history, given

    def __contains__(self, name: str) -> bool:
        """Return whether the source has this channel."""
        return name in (pq.read_schema(CHANNELS).names if self.given is None else self.given)

    def __getitem__(self, name: str) -> np.ndarray:
        values = self._known(name)
        if not self._is_repeat.any():
            return values
        result = values[~self._is_repeat]
        if name not in tables.SETTINGS:
            np.maximum.at(result, self._row_of_repeats, values[self._is_repeat])
        return result

    def _known(self, name: str) -> np.ndarray:
        return self._all(name)[self._is_known]

    def _all(self, name: str) -> np.ndarray:
        if self.given is not None:
            return self.given[name]
        path = CHANNELS if name in tables.CHANNELS else INTERACTIONS
        return pq.read_table(path, columns=[name])[name].to_numpy()

    @cached_property
    def _is_known(self) -> np.ndarray:
        return self._all("window") < self.history.n_windows

    @cached_property
    def _is_repeat(self) -> np.ndarray:
        """Whether an earlier row has the same pair, bool, for the rows before the target window."""
        return self._known("is_repeat")

    @cached_property
    def _row_of_repeats(self) -> np.ndarray:
        """The row of the history with the same pair, int64, for each repeat."""
        history = self.history
        user, item = (self._known(name)[self._is_repeat] for name in ("user", "item"))
        pair = history.user.astype(np.int64) * history.n_items + history.item
        again = history.user_of(user).astype(np.int64) * history.n_items + history.item_of(item)
        order = np.argsort(pair)
        return order[np.searchsorted(pair, again, sorter=order)]


def strengths(history: History, given: Columns | None = None) -> np.ndarray:
    """Return the strength of each row of the history, uint8 (n_rows,). given  as in Channels"""
    return Channels(history, given)["strength"]

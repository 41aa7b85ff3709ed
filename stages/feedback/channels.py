"""The feedback channels of a fold's history, read from their file when a family asks for them."""

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np
import pyarrow.parquet as pq

from feedback.columns import CHANNELS, HistoryColumns
from folds.history import Columns, History
from folds.tables import CHANNELS as NAMES
from folds.tables import SETTINGS


class Channels(Mapping[str, np.ndarray]):
    """The channels that the source has, by their names in tables.CHANNELS: bool or uint8 (n_rows,)
    of the history, read anew each time.

    given  their columns, where they stand in no file (see HistoryColumns)

    A pair that occurs more than once has the largest value of its rows, but the setting (place,
    platform, agent) of the first one.
    """

    def __init__(self, history: History, given: Columns | None = None) -> None:
        self._columns = HistoryColumns(history, given)

    @cached_property
    def _names(self) -> list[str]:
        given = self._columns.given
        return pq.read_schema(CHANNELS).names if given is None else [n for n in NAMES if n in given]

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        return self._columns.column(CHANNELS, name, is_merged=name not in SETTINGS)

    def __contains__(self, name: object) -> bool:  # that of Mapping would read the column
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

"""The feedback channels of the log of VK-LSVD, in narrow columns, for the family `channels`.

A channel is one of tables.CHANNELS, and counts where every file has it: what some files lack cannot
be compared over time. Missing values are taken as not given.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.script import report

import numpy as np
import pyarrow as pa

from folds.tables import CHANNELS, FEEDBACK, LEVELS, MOST_SECONDS, SETTINGS, TIMESPENT, UNKNOWN
from readers.parquet import Kind, check_kind
from readers.positive_rule import values

KINDS: dict[str, Kind] = {
    **dict.fromkeys(FEEDBACK, "feedback"),
    TIMESPENT: "number",
    **dict.fromkeys(SETTINGS, "category"),
}


def channels_of(schemas: Mapping[Path, pa.Schema]) -> list[str]:
    """The channels that all the files have; InputError where a column is of another kind.

    Reports, file by file, what others have and it has not.
    """
    some = [name for name in CHANNELS if any(name in schema.names for schema in schemas.values())]
    for path, schema in schemas.items():
        absent = [name for name in some if name not in schema.names]
        if absent:
            report(
                f"{path}: no column {', '.join(absent)}, as other files have; left out of all"
                " files, as a channel and as strength of feedback"
            )
        for name in some:
            if name not in absent:
                check_kind(path, schema.field(name), KINDS[name])
    return [name for name in some if all(name in schema.names for schema in schemas.values())]


class Channels:
    """Gathers channels over batches: true/false takes a bit a row, all else a byte."""

    def __init__(
        self, names: Sequence[str], known: Mapping[str, Sequence[object]] | None = None
    ) -> None:
        """known  the values of each setting by code, where no others shall get one"""
        self.parts: dict[str, list[pa.Array]] = {name: [] for name in names}
        self.levels = {
            name: Levels() if known is None else Levels(known[name], is_closed=True)
            for name in names
            if name in SETTINGS
        }
        self.n_longer = 0

    def add(self, batch: pa.Table) -> None:
        """Takes in the channels of a batch of rows, which come in time order."""
        for name, parts in self.parts.items():
            if name in self.levels:
                narrow = self.levels[name].codes(batch[name])
            else:
                given, is_missing = values(batch[name])
                given = np.where(is_missing, 0, given)
                narrow = self._seconds(given) if name == TIMESPENT else given != 0
            parts.append(pa.array(narrow))

    def _seconds(self, watched: np.ndarray) -> np.ndarray:
        self.n_longer += np.count_nonzero(watched > MOST_SECONDS)
        return np.clip(watched, 0, MOST_SECONDS).astype(np.uint8)

    def metadata(self) -> dict[bytes, bytes]:
        """What the schema of the columns is to say: see tables.LEVELS."""
        values = {name: levels.values for name, levels in self.levels.items()}
        return {LEVELS: json.dumps(values).encode()} if values else {}

    def columns(self) -> dict[str, pa.ChunkedArray]:
        """The columns of one batch or more, as in data/interactions.parquet; reports what they
        cannot hold.
        """
        if self.n_longer:
            report(
                f"{TIMESPENT} is above {MOST_SECONDS} s in {self.n_longer:,} rows, of which"
                f" {MOST_SECONDS} s count in the family channels"
            )
        for name, levels in self.levels.items():
            if levels.n_beyond:
                report(
                    f"{name} has more than {UNKNOWN} values; {levels.n_beyond:,} rows with one that"
                    " came later count as unknown in the family channels"
                )
        return {name: pa.chunked_array(parts) for name, parts in self.parts.items()}


class Levels:
    """Codes of the values of a column in the order in which they first occur, so that no code
    depends on what comes later.
    """

    def __init__(self, known: Sequence[object] = (), is_closed: bool = False) -> None:
        """known  the values with the first codes; is_closed  whether all others are unknown"""
        self.code = {value: code for code, value in enumerate(known)}
        self.is_closed, self.n_beyond = is_closed, 0

    @property
    def values(self) -> list[object]:
        """The values that have a code, by code."""
        return list(self.code)[:UNKNOWN]

    def codes(self, column: pa.ChunkedArray) -> np.ndarray:
        """uint8 (n_rows,): UNKNOWN for null, NaN and all values after the first 255."""
        encoded = column.combine_chunks().dictionary_encode()
        level = [self._code(value) for value in encoded.dictionary.to_pylist()]
        codes = np.array([*level, UNKNOWN])[encoded.indices.fill_null(len(level)).to_numpy()]
        self.n_beyond += np.count_nonzero(codes > UNKNOWN)
        return np.minimum(codes, UNKNOWN).astype(np.uint8)

    def _code(self, value: object) -> int:
        if value is None or value != value:  # NaN
            return UNKNOWN
        if self.is_closed:
            return self.code.get(value, UNKNOWN)
        code = self.code.setdefault(value, len(self.code))
        return code if code < UNKNOWN else UNKNOWN + 1

"""Reads the interactions of VK-LSVD, in the public layout and in the notebook's.

A channel (tables.CHANNELS) is used only if every file has it, because otherwise it cannot be
compared over time. Missing feedback counts as no feedback.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from core.script import InputError, report
from core.tables import CHANNELS, FEEDBACK, LEVELS, MOST_SECONDS, SETTINGS, TIMESPENT, UNKNOWN

import numpy as np
import pyarrow as pa

from readers.ids import Ids, distinct_ids
from readers.parquet import Kind, check_kind, describe, read_table, require
from readers.positive_rule import Rule, report_unknown, values, with_numbers
from readers.time_order import TIMESTAMP, in_time_order
from readers.vk_metadata import Metadata

ID_COLUMNS = ("user_id", "item_id")
STRENGTH_COLUMNS = ("like", "share", "bookmark")  # each adds 1 to the strength of a positive
NUMBERS = pa.schema([(name, pa.float32()) for name in ("age", "duration")])  # of the metadata
KINDS: dict[str, Kind] = {
    **dict.fromkeys(FEEDBACK, "feedback"),
    TIMESPENT: "number",
    **dict.fromkeys(SETTINGS, "category"),
    TIMESTAMP: "time",
}


def read_log(
    paths: Sequence[Path],
    rule: Rule,
    metadata_of: Callable[[Ids, Ids], Metadata],
    name: str,
    of_files: np.ndarray,
) -> tuple[pa.Table, Ids, Metadata]:
    """Read the interactions of all files, oldest first.

    Returns the columns of interactions.parquet, the ids of the items that occur, and the metadata.
    Sorts the rows of each file by `timestamp` if every file has it. Prints how many rows lack a
    value that the rule reads. Raises InputError if there are no rows.

    metadata_of     returns the metadata of the users and items that occur
    name, of_files  an additional column, and its value for each file
    """
    n_rows = [describe(path)[1] for path in paths]
    if not any(n_rows):
        raise InputError(f"{paths[0]} to {paths[-1].name}: no rows; interactions are needed")
    files = [path for path, n in zip(paths, n_rows, strict=True) if n]
    common = common_columns(files, rule, [*CHANNELS, TIMESTAMP])
    by_time = TIMESTAMP in common
    channels = Channels([of for of in common if of != TIMESTAMP])
    users, items = (distinct_ids(files, of) for of in ID_COLUMNS)
    of_users, of_items, tags = metadata_of(users, items)
    parts, n_unknown = [], Counter()
    for path in files:
        wanted = dict.fromkeys([*ID_COLUMNS, *rule.columns, *common])
        table = read_table(path, [of for of in wanted if of in describe(path)[0].names])
        table = in_time_order(table, path) if by_time else table
        user = users.rows(table["user_id"], f"{path}: user_id")
        item = items.rows(table["item_id"], f"{path}: item_id")
        is_positive, unknown = rule.judge(table, (of_users, user), (of_items, item))
        n_unknown.update(unknown)
        columns = {"user": user, "item": item, "is_positive": is_positive}
        columns["strength"] = strength(is_positive, table)
        parts.append(columns | ({TIMESTAMP: table[TIMESTAMP].to_numpy()} if by_time else {}))
        channels.add(table)
    report_unknown(n_unknown)
    columns = {of: np.concatenate([part[of] for part in parts]) for of in parts[0]}
    columns |= {name: np.repeat(of_files, n_rows), **channels.columns()}
    log = pa.table(columns, metadata=channels.metadata())
    return log, items, (of_users, of_items, tags)


def strength(is_positive: np.ndarray, feedback: pa.Table) -> np.ndarray:
    """Return strength, uint8 (n_rows,): 1 + number of true STRENGTH_COLUMNS; 0 if not positive."""
    result = is_positive.astype(np.uint8)
    for name in STRENGTH_COLUMNS:
        if name in feedback.column_names:
            value, is_missing = values(feedback[name])
            result += is_positive & (value != 0) & ~is_missing
    return result


def common_columns(paths: Sequence[Path], rule: Rule, wanted: Sequence[str]) -> list[str]:
    """Return the wanted columns that all files have. Prints those that only some files have."""
    schemas = {path: require(path, ID_COLUMNS) for path in paths}
    there = Counter(name for schema in schemas.values() for name in schema.names)
    for path, schema in schemas.items():
        feedback = pa.schema([field for field in schema if field.name not in ID_COLUMNS])
        rule.check(with_numbers(feedback, NUMBERS), path)
        if absent := [name for name in wanted if there[name] and name not in schema.names]:
            report(
                f"{path}: no column {', '.join(absent)}, which other files have; it is not used as"
                " a channel, as strength or as time in any file"
            )
        for name in {*wanted} & {*schema.names}:
            check_kind(path, schema.field(name), KINDS[name])
    return [name for name in wanted if there[name] == len(paths)]


class Channels:
    """Collects channels over files: one bit per row for true/false, one byte for other types."""

    def __init__(
        self, names: Sequence[str], known: Mapping[str, Sequence[object]] | None = None
    ) -> None:
        """Start without rows. `known` has the values of each setting by code, if they are fixed."""
        self.parts: dict[str, list[pa.Array]] = {name: [] for name in names}
        self.is_closed, self.n_longer = known is not None, 0
        self.codes = {  # for each setting: value -> code, in order of first occurrence
            name: {value: code for code, value in enumerate(known[name] if known else ())}
            for name in names
            if name in SETTINGS
        }

    def add(self, table: pa.Table) -> None:
        """Add the channels of a file. Files must be added in time order."""
        for name, parts in self.parts.items():
            if name in SETTINGS:
                parts.append(pa.array(self._coded(name, table[name])))
                continue
            given, is_missing = values(table[name])
            given = np.where(is_missing, 0, given)
            if name == TIMESPENT:
                self.n_longer += np.count_nonzero(given > MOST_SECONDS)
                parts.append(pa.array(np.clip(given, 0, MOST_SECONDS).astype(np.uint8)))
            else:
                parts.append(pa.array(given != 0))

    def _coded(self, name: str, column: pa.ChunkedArray) -> np.ndarray:
        """Return codes, uint8 (n_rows,): UNKNOWN for null, NaN and values after the first 255."""
        encoded, code_of = column.combine_chunks().dictionary_encode(), self.codes[name]
        codes = []
        for value in encoded.dictionary.to_pylist():
            is_given = value is not None and value == value  # not NaN
            if is_given and not self.is_closed and len(code_of) < UNKNOWN:
                code_of.setdefault(value, len(code_of))
            codes.append(code_of.get(value, UNKNOWN) if is_given else UNKNOWN)
        codes = np.array([*codes, UNKNOWN], dtype=np.uint8)
        return codes[encoded.indices.fill_null(len(codes) - 1).to_numpy()]

    def metadata(self) -> dict[bytes, bytes] | None:
        """Return the schema metadata of the columns; see tables.LEVELS."""
        levels = {name: list(code_of) for name, code_of in self.codes.items()}
        return {LEVELS: json.dumps(levels).encode()} if levels else None

    def columns(self) -> dict[str, pa.ChunkedArray]:
        """Return the columns of interactions.parquet. Prints how many values were cut off."""
        if self.n_longer:
            report(
                f"{TIMESPENT} is above {MOST_SECONDS} s in {self.n_longer:,} rows, which count as"
                f" {MOST_SECONDS} s in the family channels"
            )
        return {name: pa.chunked_array(parts) for name, parts in self.parts.items()}

"""The interactions of users to be served, read from a file with the columns of the source's own.

In two passes, a batch of rows at a time: the distinct ids, then the columns, with ids mapped to row
numbers.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.script import InputError, report

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feedback.columns import CHANNELS
from folds import tables
from folds.history import Columns, History, order_by_user, repeats
from readers import DataParams, of_reader
from readers.ids import Collector, Ids
from readers.parquet import batches, check_kind, describe, require
from readers.positive_rule import Rule, values
from readers.vk_channels import KINDS, Channels
from serving.windows import windows_of

ID_COLUMNS = ("user_id", "item_id")


@dataclass(frozen=True)
class Given:
    """The users of a file, and their interactions with items that the history has.

    user_ids  distinct, ascending
    known     int32 (n_users,): their rows in users.parquet, -1 for users who are not there
    columns   rows by user, in the order of the file: user int32, a place in user_ids; item int32, a
              row in items.parquet; window int16; is_positive, is_repeat bool; and, where they were
              asked for, strength uint8 and the channels: as in data/split
    """

    user_ids: pa.Array
    known: np.ndarray
    columns: Columns


@dataclass(frozen=True)
class Wanted:
    """What is read beside the ids.

    rule      of positives
    strength  columns by which feedback is strong; None where nobody asks
    channels  none where nobody asks; levels  the values of those that are settings, by code
    time      the column that tells the time; None where the file, or the source, has none
    """

    rule: Rule
    strength: Sequence[str] | None
    channels: Sequence[str]
    levels: Mapping[str, Sequence[object]]
    time: str | None

    @property
    def columns(self) -> list[str]:
        """All of them, each once."""
        time = [self.time] if self.time else []
        strength = self.strength or []
        return list(dict.fromkeys([*self.rule.columns, *strength, *self.channels, *time]))


def read(
    path: Path, data: DataParams, history: History, *, strength: bool, channels: bool
) -> Given:
    """What the file says; InputError where it is unfit, or has no item that the history has.

    strength, channels  whether these columns are needed
    Reports what is left out, and what counts once.
    """
    wanted = wanted_of(path, data, strength, channels)
    users, items = distinct_ids(path)
    known = _rows_in(tables.USERS, users, path, "user_id")
    item = _rows_in(tables.ITEMS, items, path, "item_id")
    columns = read_columns(path, data.source, wanted, users, items)
    is_known = history.item_of(np.maximum(item, 0)) >= 0
    is_known &= item >= 0
    is_kept = is_known[columns["item"]]
    _report_unknown(path, is_known, is_kept)
    kept = np.flatnonzero(is_kept)
    kept = kept[order_by_user(columns["user"][kept])]
    columns = {name: of_rows[kept] for name, of_rows in columns.items()}
    columns["item"] = item[columns["item"]]
    columns["is_repeat"] = repeats(columns["user"], columns["item"])
    if n_repeats := np.count_nonzero(columns["is_repeat"]):
        report(f"{n_repeats:,} interactions repeat an earlier user-item pair; a pair counts once")
    columns["window"] = windows_of(path, columns, known, history, wanted.time)
    columns.pop("time", None)
    return Given(_as_in_the_source(users), known, columns)


def wanted_of(path: Path, data: DataParams, has_strength: bool, has_channels: bool) -> Wanted:
    """What is to be read; InputError where the file lacks it or has it in another form."""
    schema, n_rows = describe(path)
    there = pq.read_schema(CHANNELS)
    strong = of_reader(data.source, "STRENGTH_COLUMNS", ())
    strong = [name for name in strong if name not in tables.CHANNELS or name in there.names]
    time = of_reader(data.source, "TIME")
    wanted = Wanted(
        Rule.parse(data.positive),
        strong if has_strength else None,
        there.names if has_channels else [],
        json.loads((there.metadata or {}).get(tables.LEVELS, "{}")),
        time if time in schema.names else None,
    )
    if without := [n for n in wanted.channels if n in tables.SETTINGS and n not in wanted.levels]:
        raise InputError(
            f"{CHANNELS}: the values of {', '.join(without)} are not named; run dvc repro, which"
            " needs a reader that names them"
        )
    require(path, [*ID_COLUMNS, *wanted.columns])
    if not n_rows:
        raise InputError(f"{path}: no rows; interactions are needed")
    try:
        wanted.rule.check(schema)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    for name in [*(wanted.strength or []), *wanted.channels]:
        check_kind(path, schema.field(name), KINDS.get(name, "number"))
    if wanted.time:
        check_kind(path, schema.field(wanted.time), "number")
    return wanted


def distinct_ids(path: Path) -> tuple[Ids, Ids]:
    """The users and the items of the file."""
    collectors = [Collector(name) for name in ID_COLUMNS]
    for batch in batches(path, ID_COLUMNS):
        for collector in collectors:
            collector.add(batch[collector.name], path)
    users, items = (collector.ids() for collector in collectors)
    return users, items


def read_columns(path: Path, source: str, wanted: Wanted, users: Ids, items: Ids) -> Columns:
    """The rows as they come: user and item int32, places in users and items; is_positive; and of
    strength, the channels and time what is wanted.
    """
    strength = of_reader(source, "strength", lambda is_positive, _: is_positive.astype(np.uint8))
    channels = Channels(wanted.channels, wanted.levels)
    parts: dict[str, list[np.ndarray]] = {}
    for batch in batches(path, [*ID_COLUMNS, *wanted.columns]):
        is_positive = wanted.rule.evaluate(batch)
        part = {
            "user": users.rows(batch["user_id"], f"{path}: user_id"),
            "item": items.rows(batch["item_id"], f"{path}: item_id"),
            "is_positive": is_positive,
        }
        if wanted.strength is not None:
            part["strength"] = strength(is_positive, batch)
        if wanted.time:
            part["time"] = _times(path, wanted.time, batch)
        channels.add(batch)
        for name, of_rows in part.items():
            parts.setdefault(name, []).append(of_rows)
    columns = {name: np.concatenate(of_name) for name, of_name in parts.items()}
    return columns | {name: column.to_numpy() for name, column in channels.columns().items()}


def _times(path: Path, name: str, batch: pa.Table) -> np.ndarray:
    times, is_missing = values(batch[name])
    if is_missing.any():
        raise InputError(
            f"{path}: {name} is null or NaN in {np.count_nonzero(is_missing):,} of {len(times):,}"
            " rows read; leave the column out, or fill it"
        )
    return times


def _rows_in(table: Path, ids: Ids, path: Path, name: str) -> np.ndarray:
    """int32 (n_ids,): the rows of users.parquet or items.parquet, -1 for ids that are not there."""
    known = pq.read_table(table, columns=[name])[name].combine_chunks()
    return Ids(known).rows(pa.chunked_array([ids.values]), f"{path}: {name}")


def _as_in_the_source(users: Ids) -> pa.Array:
    """The ids in the type of users.parquet, if it holds them all."""
    kind = pq.read_schema(tables.USERS).field("user_id").type
    try:
        return users.values.cast(kind)
    except pa.ArrowInvalid:
        return users.values


def _report_unknown(path: Path, is_known: np.ndarray, is_kept: np.ndarray) -> None:
    """is_known  bool (n_items,); is_kept  bool (n_rows,)"""
    n_items, n_rows = np.count_nonzero(~is_known), np.count_nonzero(~is_kept)
    if n_rows == len(is_kept):
        raise InputError(
            f"{path}: none of its {n_items:,} items is known to the models; item_id must be one of"
            f" {tables.ITEMS}"
        )
    if n_items:
        report(
            f"{path}: {n_items:,} of {len(is_known):,} items are not known to the models; their"
            f" {n_rows:,} of {len(is_kept):,} interactions are left out"
        )

"""Reads the interactions of users to be served, from a file with the source's columns."""

import json
from dataclasses import dataclass
from pathlib import Path

from core import tables
from core.feedback import CHANNELS
from core.history import WINDOWS, Columns, History, order_by_user, repeats
from core.script import InputError, report

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from readers import DataParams, of_reader
from readers.ids import Ids, distinct_ids
from readers.parquet import check_kind, read_table, require
from readers.positive_rule import Rule
from readers.time_order import TIMESTAMP, in_time_order
from readers.vk_log import ID_COLUMNS, KINDS, Channels


@dataclass(frozen=True)
class Given:
    """The users of a file, and their interactions with items that the history has.

    user_ids  distinct, ascending
    known     int32 (n_users,): their rows in users.parquet, -1 for users who are not there
    columns   rows by user, then by time or in the order of the file: user int32, a place in
              user_ids; item int32, a row in items.parquet; window int16; is_positive, is_repeat
              bool; and, if asked for, strength uint8 and the channels: as in data/split
    """

    user_ids: pa.Array
    known: np.ndarray
    columns: Columns


def read(
    path: Path, data: DataParams, history: History, *, strength: bool, channels: bool
) -> Given:
    """Return what the file holds; InputError where it is invalid, or has no item of the history.

    strength, channels  whether these columns are needed
    Reports what is left out, and what counts once.
    """
    rule, there = Rule.parse(data.positive), pq.read_schema(CHANNELS)
    channel_names = there.names if channels else []
    strong = of_reader(data.source, "STRENGTH_COLUMNS", ()) if strength else ()
    strong = [name for name in strong if name not in tables.CHANNELS or name in there.names]
    table, time = _read_file(path, rule, [*strong, *channel_names], of_reader(data.source, "TIME"))
    users, items = (distinct_ids([path], name) for name in ID_COLUMNS)
    known = _rows_in(tables.USERS, users, path, "user_id")
    item = _rows_in(tables.ITEMS, items, path, "item_id")
    columns = {
        "user": users.rows(table["user_id"], f"{path}: user_id"),
        "item": items.rows(table["item_id"], f"{path}: item_id"),
        "is_positive": rule.evaluate(table),
    }
    if strength:
        strength_of = of_reader(data.source, "strength", lambda positive, _: positive.astype("u1"))
        columns["strength"] = strength_of(columns["is_positive"], table)
    narrow = Channels(channel_names, json.loads((there.metadata or {}).get(tables.LEVELS, "{}")))
    narrow.add(table)
    columns |= {name: column.to_numpy() for name, column in narrow.columns().items()}
    if time:
        columns[TIMESTAMP] = table[time].to_numpy()
    is_known = (history.item_of(np.maximum(item, 0)) >= 0) & (item >= 0)
    kept = np.flatnonzero(is_known[columns["item"]])
    _report_unknown(path, is_known, table.num_rows - len(kept))
    kept = kept[order_by_user(columns["user"][kept])]
    columns = {name: of_rows[kept] for name, of_rows in columns.items()}
    columns["item"] = item[columns["item"]]
    columns["is_repeat"] = repeats(columns["user"], columns["item"])
    if n_repeats := np.count_nonzero(columns["is_repeat"]):
        report(f"{n_repeats:,} interactions repeat an earlier user-item pair; a pair counts once")
    columns["window"] = windows_of(columns, known, history, columns.pop(TIMESTAMP, None))
    return Given(users.values, known, columns)


def _read_file(
    path: Path, rule: Rule, feedback: list[str], time: str | None
) -> tuple[pa.Table, str | None]:
    """Return the columns to read, in time order, and the name of the one with the time, if the file
    has it and the windows have times; InputError where a column is absent or of another kind.
    """
    columns = list(dict.fromkeys([*ID_COLUMNS, *rule.columns, *feedback]))
    schema = require(path, columns)
    rule.check(schema, path)
    for name in feedback:
        check_kind(path, schema.field(name), KINDS.get(name, "number"))
    if time not in schema.names or "start" not in csv.read_csv(WINDOWS).column_names:
        time = None
    else:
        check_kind(path, schema.field(time), "time")
        columns = list(dict.fromkeys([*columns, time]))
    table = read_table(path, columns)
    if not table.num_rows:
        raise InputError(f"{path}: no rows; interactions are needed")
    return (in_time_order(table, path, time) if time else table), time


def windows_of(
    columns: Columns, known: np.ndarray, history: History, seconds: np.ndarray | None
) -> np.ndarray:
    """Return int16 (n_rows,): for a pair of the history the window it has there; for any other the
    one that its time falls into, or without times the last one. None is later than the history.

    columns, known  of Given; seconds  int64 (n_rows,), or numbers of weeks
    """
    last = history.n_windows - 1
    window = np.full(len(columns["user"]), last, dtype=np.int16)
    if seconds is not None:
        starts = csv.read_csv(WINDOWS)["start"].to_numpy()[: history.n_windows]
        found = np.searchsorted(starts, seconds, side="right") - 1
        window = np.clip(found, 0, last).astype(np.int16)
    user = np.where(known < 0, -1, history.user_of(np.maximum(known, 0)))[columns["user"]]
    rows = np.flatnonzero(np.isin(history.user, user))
    pairs = history.user[rows].astype(np.int64) * history.n_items + history.item[rows]
    asked = user.astype(np.int64) * history.n_items + history.item_of(columns["item"])
    places = pc.index_in(pa.array(asked), value_set=pa.array(pairs))
    window[np.asarray(places.is_valid())] = history.window[rows[places.drop_null()]]
    return window


def _rows_in(table: Path, ids: Ids, path: Path, name: str) -> np.ndarray:
    """Return int32 (n_ids,): the rows of users.parquet or items.parquet, -1 for other ids."""
    known = pq.read_table(table, columns=[name])[name].combine_chunks()
    return Ids(known).rows(pa.chunked_array([ids.values]), f"{path}: {name}")


def _report_unknown(path: Path, is_known: np.ndarray, n_rows: int) -> None:
    """Report the items left out, bool (n_items,), and how many rows they have."""
    n_unknown = np.count_nonzero(~is_known)
    if n_unknown == len(is_known):
        raise InputError(
            f"{path}: the models know none of its {n_unknown:,} items; item_id must be one of"
            f" {tables.ITEMS}"
        )
    if n_unknown:
        report(
            f"{path}: the models do not know {n_unknown:,} of {len(is_known):,} items; their"
            f" {n_rows:,} interactions are left out"
        )

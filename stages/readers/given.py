"""Reads files for serve.py: interactions of new users, and items that alone may be recommended."""

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

from readers import READERS, DataParams, of_reader, table
from readers.ids import all_ids, rows_of
from readers.parquet import check_kind
from readers.positive_rule import Rule, report_unknown
from readers.table_files import read_rows
from readers.time_order import TIMESTAMP
from readers.vk import KINDS, channels_of


@dataclass(frozen=True)
class Given:
    """The users of a file and their interactions with known items.

    columns  sorted by user, then by time or position in the file: user int32, an index into
             user_ids; item int32, a row of items.parquet; window int16; is_positive, is_repeat
             bool; if requested, strength uint8 and the channels, as in data/split
    """

    user_ids: pa.Array  # distinct, ascending
    known: np.ndarray  # int32 (n_users,): their rows in users.parquet, -1 for other users
    columns: Columns


def read(
    path: Path, data: DataParams, history: History, *, strength: bool, channels: bool
) -> Given:
    """Read a file of interactions. Prints how many rows are left out and how many are repeated.

    strength, channels  whether to return these columns
    Raises InputError if the file is invalid or has no item of the history.
    """
    rule, there = Rule.parse(data.positive), pq.read_schema(CHANNELS)
    channel_names = there.names if channels else []
    strong = of_reader(data.source, "STRENGTH_COLUMNS", ()) if strength else ()
    strong = [name for name in strong if name not in tables.CHANNELS or name in there.names]
    metadata = of_users, of_items = pq.read_table(tables.USERS), pq.read_table(tables.ITEMS)
    names, needed = data.table, [*dict.fromkeys([*strong, *channel_names])]
    if READERS[data.source] is not table.read:
        has_times = "start" in csv.read_csv(WINDOWS).column_names
        time = of_reader(data.source, "TIME", "") if has_times else ""
        names = {"user": "user_id", "item": "item_id", "time": time, "time_unit": None}
        names = data.table.model_copy(update=names)
    log = table.read_given(path, names, rule, metadata, needed)
    for name in needed:
        check_kind(path, log.feedback.field(name), KINDS.get(name, "number"))
    of_user, of_item = (f"{path}: {name}" for name in (names.user, names.item))
    users, items = all_ids({of_user: log.user_id}), all_ids({of_item: log.item_id})
    known, item = rows_of(of_users[0], users, of_user), rows_of(of_items[0], items, of_item)
    columns = {"user": rows_of(users, log.user_id, of_user)}
    columns["item"] = rows_of(items, log.item_id, of_item)
    rows = (of_users, known[columns["user"]]), (of_items, item[columns["item"]])
    columns["is_positive"], n_unknown = rule.judge(log.feedback, *rows)
    report_unknown(n_unknown)
    if strength:
        strength_of = of_reader(data.source, "strength", lambda positive, _: positive.astype("u1"))
        columns["strength"] = strength_of(columns["is_positive"], log.feedback)
    levels = json.loads((there.metadata or {}).get(tables.LEVELS, "{}"))
    columns |= channels_of(log.feedback, channel_names, levels, is_closed=True)
    if log.seconds is not None:
        columns[TIMESTAMP] = log.seconds
    is_known = (history.item_of(np.maximum(item, 0)) >= 0) & (item >= 0)
    kept = np.flatnonzero(is_known[columns["item"]])
    _report_unknown(path, is_known, item >= 0, len(log.user_id) - len(kept))
    kept = kept[order_by_user(columns["user"][kept])]
    columns = {name: of_rows[kept] for name, of_rows in columns.items()}
    columns["item"] = item[columns["item"]]
    columns["is_repeat"] = repeats(columns["user"], columns["item"])
    if n_repeats := np.count_nonzero(columns["is_repeat"]):
        report(f"{n_repeats:,} interactions repeat an earlier user-item pair; a pair counts once")
    columns["window"] = windows_of(columns, known, history, columns.pop(TIMESTAMP, None))
    return Given(users, known, columns)


def windows_of(
    columns: Columns, known: np.ndarray, history: History, seconds: np.ndarray | None
) -> np.ndarray:
    """Return the window of each row, int16 (n_rows,), at most the last window of the history.

    A pair of the history keeps its window. Any other row gets the window of its time, or the last
    window if the file has no times.

    columns, known  as in Given; seconds  int64 (n_rows,), or numbers of weeks
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


def _report_unknown(path: Path, is_known: np.ndarray, is_there: np.ndarray, n_rows: int) -> None:
    """Print how many items are not known to the models or not in items.parquet, bool (n_items,)."""
    n_unknown, n_new = np.count_nonzero(~is_known), np.count_nonzero(~is_known & is_there)
    why = (
        f"{n_new:,} are not in their history (candidates.new_items can add them),"
        f" {n_unknown - n_new:,} are not in {tables.ITEMS} (check item_id)"
    )
    if n_unknown == len(is_known):
        raise InputError(f"{path}: the models know none of its {n_unknown:,} items: {why}")
    if n_unknown:
        report(
            f"{path}: the models do not know {n_unknown:,} of {len(is_known):,} items; their"
            f" {n_rows:,} interactions are left out: {why}"
        )


def read_allowed(path: Path, key: str, history: History) -> np.ndarray:
    """Return which items of the history the file names, bool (n_items,); InputError if it is none.

    path  CSV or Parquet with a column item_id; key  of params.yaml or of the command line
    Reports how many of its items cannot be recommended, and why.
    """
    items = tables.ids(tables.ITEMS)
    rows = read_rows(path.parent, path.name, ["item_id"], key=key)
    named = rows.read_as("item_id", [items.type], f"{items.type}, as in {tables.ITEMS}").unique()
    there = rows_of(items, named, f"{path}: item_id")
    n_absent, there = np.count_nonzero(there < 0), there[there >= 0]
    allowed = np.zeros(history.n_items, dtype=bool)
    item = history.item_of(there)
    allowed[item[item >= 0]] = True
    n_new = np.count_nonzero(item < 0)
    line = (
        f"{path}: {allowed.sum():,} of {len(named):,} items can be recommended; {n_absent:,} are"
        f" not in {tables.ITEMS}, and {n_new:,} are new to the models (see candidates.new_items)"
    )
    if not allowed.any():
        raise InputError(line)
    if n_absent or not allowed.all():
        report(line)
    return allowed

"""Cuts the interactions into numbered windows of time and sorts them by user.

usage: python stages/split.py
in:    data/tables/interactions.parquet
out:   data/split/interactions.parquet, rows by user, within a user in time order:
         user int32, item int32, window int16 (0 is the oldest), is_positive bool, strength uint8,
         is_repeat bool: an earlier row has the same pair
       data/split/channels.parquet, the same rows: those of tables.CHANNELS that the source has, and
         their schema metadata. It is a separate file because few stages read it
       data/split/folds.json: the target window of each fold by name
       data/split/windows.csv, a row per window: window, n_interactions, n_positives, n_users,
         n_items; if the source has times, start, the timestamp or week of its first row; with weeks
         also part, the folder of its file: train, validation or test; with timestamps also n_days,
         from its first row to its last, and n_tied: the number of interactions on both sides of its
         start with exactly this timestamp, 0 if only one side has it
"""

import json

from core import history, tables
from core.feedback import CHANNELS
from core.folds import FILE, Folds, SplitParams, folds_of, save
from core.history import INTERACTIONS, WINDOWS, Columns
from core.params import section, shared_params
from core.script import InputError, report, run_script, whole_folder

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def window_of_rows(interactions: pa.Table, n_parts: int) -> tuple[np.ndarray, int]:
    """Return the window of each row, int16 (n_rows,), and the number of windows.

    If the source has weeks, they are the windows. Otherwise np.array_split cuts the rows into
    n_parts windows, and the rows of a test file, if there is one, are one more window.
    """
    if "week" in interactions.column_names:
        return interactions["week"].to_numpy(), int(interactions.schema.metadata[b"n_weeks"])
    has_test = "is_test" in interactions.column_names
    n_test = int(interactions["is_test"].to_numpy().sum()) if has_test else 0
    n_train = interactions.num_rows - n_test
    sizes = np.full(n_parts, n_train // n_parts)
    sizes[: n_train % n_parts] += 1
    if has_test:
        sizes = np.append(sizes, n_test)
    return np.repeat(np.arange(len(sizes), dtype=np.int16), sizes), len(sizes)


def summary(window: np.ndarray, n_windows: int, interactions: pa.Table) -> pd.DataFrame:
    """Return one row per window; see the module docstring."""
    is_positive = interactions["is_positive"].to_numpy()
    table = pd.DataFrame({"window": np.arange(n_windows)})
    table["n_interactions"] = np.bincount(window, minlength=n_windows)
    table["n_positives"] = np.bincount(window[is_positive], minlength=n_windows)
    for name in ("user", "item"):
        rows = interactions[name].to_numpy()
        is_there = np.zeros((rows.max() + 1, n_windows), dtype=bool)
        is_there[rows, window] = True
        table[f"n_{name}s"] = is_there.sum(axis=0)
    if "timestamp" not in interactions.column_names:
        weeks = (interactions.schema.metadata or {}).get(b"weeks", "{}")
        return table.assign(**json.loads(weeks))
    timestamp, n_rows = interactions["timestamp"].to_numpy(), table["n_interactions"].to_numpy()
    end = np.cumsum(n_rows)  # a window without rows starts with the next one
    first = np.minimum(end - n_rows, len(timestamp) - 1)
    start, last = timestamp[first], timestamp[np.maximum(end - 1, 0)]
    n_days = np.where(n_rows > 0, (last - start) / 86_400, 0).round(2)
    is_tied = (first > 0) & (timestamp[first - 1] == start)
    values, counts = np.unique(timestamp, return_counts=True)
    n_tied = np.where(is_tied, counts[np.searchsorted(values, start)], 0)
    return table.assign(start=start, n_days=n_days, n_tied=n_tied)


def report_ties(counts: pd.DataFrame) -> None:
    """Print how many interactions have the time of a window's edge, if they are many."""
    if (share := history.tied_share(counts)) >= history.MANY_TIED:
        n_edges = np.count_nonzero(counts["n_tied"])
        report(
            f"{n_edges:,} of {len(counts) - 1:,} window edges are between equal timestamps, which"
            f" {share:.0%} of the interactions have; the order of the file decides their windows"
        )


def new_item_shares(columns: Columns, folds: Folds) -> dict[str, float]:
    """Return the share of the relevant pairs that are on new items, for each judged fold."""
    first = np.full(columns["item"].max() + 1, np.iinfo(np.int16).max)
    np.minimum.at(first, columns["item"], columns["window"])
    shares = {}
    for fold in folds.judged:
        rows = columns["window"] == folds.windows[fold]
        target = history.target_of({name: values[rows] for name, values in columns.items()})
        is_new = first[target.item] == folds.windows[fold]
        shares[fold] = np.count_nonzero(is_new) / max(len(is_new), 1)
    return shares


def channels_in_order(schema: pa.Schema, order: np.ndarray) -> pa.Table:
    """Return the channels of the interactions with rows in this order. schema  of interactions"""
    columns = {}
    for name in tables.channels_of(schema.names):  # only one at a time is in memory
        column = pq.read_table(tables.INTERACTIONS, columns=[name])[name]
        columns[name] = pa.array(column.to_numpy()[order])
    levels = (schema.metadata or {}).get(tables.LEVELS)
    return pa.table(columns, metadata={tables.LEVELS: levels} if levels else None)


def main() -> None:
    params = section("split", SplitParams)
    shared = shared_params()
    schema = pq.read_schema(tables.INTERACTIONS)
    others = [name for name in schema.names if name not in tables.CHANNELS]
    interactions = pq.read_table(tables.INTERACTIONS, columns=others)
    window, n_windows = window_of_rows(interactions, params.windows)
    folds = folds_of(shared.folds, n_windows)
    counts = summary(window, n_windows, interactions)
    report_ties(counts)
    if not counts["n_positives"].sum():
        raise InputError("data.positive: no interaction is positive; check the rule")
    order = history.order_by_user(interactions["user"].to_numpy())
    names = ("user", "item", "is_positive", "strength")
    columns = {name: interactions[name].to_numpy()[order] for name in names}
    columns["window"] = window[order]
    columns["is_repeat"] = history.repeats(columns["user"], columns["item"])
    if n_repeats := columns["is_repeat"].sum():
        report(f"{n_repeats:,} interactions repeat an earlier user-item pair; a pair counts once")
    history.report_new_items(new_item_shares(columns, folds))
    with whole_folder(INTERACTIONS.parent) as folder:
        tables.write_parquet(folder / INTERACTIONS.name, pa.table(columns))
        tables.write_parquet(folder / CHANNELS.name, channels_in_order(schema, order))
        save(folds, folder / FILE.name)
        counts.to_csv(folder / WINDOWS.name, index=False)


if __name__ == "__main__":
    run_script(main)

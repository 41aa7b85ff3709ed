"""Cuts the interactions into numbered windows of time and sorts them by user.

usage: python stages/split.py
in:    data/interactions.parquet
out:   data/split/interactions.parquet, rows by user, within a user in time order:
         user int32, item int32, window int16 (0 is the oldest), is_positive bool, strength uint8,
         is_repeat bool: an earlier row has the same pair
       data/split/channels.parquet, the same rows: those of tables.CHANNELS that the source has; no
         column where it has none. A file of its own, since few stages read it; the schema's
         metadata as there
       data/split/folds/FOLD.json for every fold: window, the number of its target window. A file
         each, so that a fold that is added changes nothing for the others
       data/split/windows.csv, a row per window: window, n_interactions, n_positives, n_users,
         n_items; where the source tells the time, start, the timestamp or week of its first row;
         with timestamps also n_days, from its first row to its last
"""

import json
from pathlib import Path

from harness.params import Strict, section, shared_params
from harness.script import InputError, report, run_script, whole, whole_folder

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from feedback.columns import CHANNELS
from folds import tables
from folds.history import INTERACTIONS, TARGET_WINDOW, WINDOWS, order_by_user, repeats


class SplitParams(Strict):
    """Parameters of the split."""

    windows: int = Field(ge=3, le=1000)  # parts of equal size, for sources without weeks


def window_of_rows(interactions: pa.Table, n_parts: int) -> tuple[np.ndarray, int]:
    """int16 (n_rows,), the window of each row, and the number of windows.

    Weeks are windows. Otherwise the rows are cut as np.array_split does, into n_parts; the rows of
    a test file, if the source has one, are one window more.
    """
    if "week" in interactions.column_names:
        return interactions["week"].to_numpy(), int(interactions.schema.metadata[b"n_weeks"])
    n_rows = interactions.num_rows
    has_test = "is_test" in interactions.column_names
    n_test = int(interactions["is_test"].to_numpy().sum()) if has_test else 0
    sizes = np.full(n_parts, (n_rows - n_test) // n_parts)
    sizes[: (n_rows - n_test) % n_parts] += 1
    if has_test:
        sizes = np.append(sizes, n_test)
    return np.repeat(np.arange(len(sizes), dtype=np.int16), sizes), len(sizes)


def summary(window: np.ndarray, n_windows: int, interactions: pa.Table) -> pd.DataFrame:
    """One row per window; see the module's docstring."""
    user, item, is_positive = (
        interactions[name].to_numpy() for name in ("user", "item", "is_positive")
    )

    def distinct(of: np.ndarray) -> np.ndarray:
        is_there = np.zeros((int(of.max(initial=-1)) + 1, n_windows), dtype=bool)
        is_there[of, window] = True
        return is_there.sum(axis=0)

    table = pd.DataFrame(
        {
            "window": np.arange(n_windows),
            "n_interactions": np.bincount(window, minlength=n_windows),
            "n_positives": np.bincount(window[is_positive], minlength=n_windows),
            "n_users": distinct(user),
            "n_items": distinct(item),
        }
    )
    if "timestamp" in interactions.column_names:
        n_rows = table["n_interactions"].to_numpy()
        return table.assign(**start_and_days(interactions["timestamp"].to_numpy(), n_rows))
    first_week = (interactions.schema.metadata or {}).get(b"first_week")
    return table if first_week is None else table.assign(start=int(first_week) + table["window"])


def start_and_days(timestamp: np.ndarray, n_rows: np.ndarray) -> dict[str, np.ndarray]:
    """start int64 and n_days float64 (n_windows,): the first timestamp of each window, and the days
    from there to its last. A window without a row starts with the next one and lasts no time.

    timestamp  int64, seconds, ascending; n_rows  of each window
    """
    end = np.cumsum(n_rows)
    start = timestamp[np.minimum(end - n_rows, len(timestamp) - 1)]
    n_days = (timestamp[np.maximum(end - 1, 0)] - start) / 86_400
    return {"start": start, "n_days": np.where(n_rows > 0, n_days, 0).round(2)}


def target_windows(folds: list[str], n_windows: int) -> dict[str, int]:
    """The number of each fold's target window: the last one for the first of the folds, and so on
    backwards. InputError where a fold would have no window of history.
    """
    if len(folds) >= n_windows:
        fold = folds[n_windows - 1]
        raise InputError(
            f"params.yaml: folds has {fold}, which needs {n_windows + 1} windows or more; "
            f"the data has {n_windows}"
        )
    return {fold: n_windows - behind for behind, fold in enumerate(folds, start=1)}


def channels_in_order(names: list[str], order: np.ndarray) -> pa.Table:
    """The channels of data/interactions.parquet in the order of rows; one at a time is unpacked."""
    columns = {}
    for name in names:
        column = pq.read_table(tables.INTERACTIONS, columns=[name])[name]
        columns[name] = pa.array(column.to_numpy()[order])
    metadata = pq.read_schema(tables.INTERACTIONS).metadata or {}
    levels = {key: value for key, value in metadata.items() if key == tables.LEVELS}
    return pa.table(columns, metadata=levels or None)


def main() -> None:
    params = section("split", SplitParams)
    shared = shared_params()
    there = pq.read_schema(tables.INTERACTIONS).names
    channels = [name for name in tables.CHANNELS if name in there]
    others = [name for name in there if name not in channels]
    interactions = pq.read_table(tables.INTERACTIONS, columns=others)
    window, n_windows = window_of_rows(interactions, params.windows)
    targets = target_windows(shared.folds, n_windows)
    counts = summary(window, n_windows, interactions)
    if not counts["n_positives"].sum():
        raise InputError(
            "data.positive: no interaction is positive; nothing can be learned or judged"
        )
    order = order_by_user(interactions["user"].to_numpy())
    columns = {
        name: interactions[name].to_numpy()[order]
        for name in ("user", "item", "is_positive", "strength")
    }
    columns["window"] = window[order]
    columns["is_repeat"] = repeats(columns["user"], columns["item"])
    if columns["is_repeat"].any():
        n_repeats = columns["is_repeat"].sum()
        report(f"{n_repeats:,} interactions repeat an earlier user-item pair; a pair counts once")
    tables.write_parquet(INTERACTIONS, pa.table(columns))
    tables.write_parquet(CHANNELS, channels_in_order(channels, order))
    with whole_folder(Path(TARGET_WINDOW).parent) as folder:
        for fold, target in targets.items():
            (folder / Path(TARGET_WINDOW.format(fold=fold)).name).write_text(
                json.dumps({"window": target}) + "\n"
            )
    with whole(WINDOWS) as path:
        counts.to_csv(path, index=False)


if __name__ == "__main__":
    run_script(main)

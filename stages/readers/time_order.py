"""Converts times to seconds since 1970 and sorts rows by time."""

from pathlib import Path

from core.script import InputError, report

import numpy as np
import pyarrow as pa

TIMESTAMP = "timestamp"
LATEST_S = 4_102_444_800  # the year 2100: larger numbers have another unit
EARLIEST_S = 315_532_800  # the year 1980
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def in_time_order(
    table: pa.Table, path: Path, name: str = TIMESTAMP, per_second: int | None = None
) -> pa.Table:
    """Sort rows by a column of times, which becomes int64 seconds. Ties keep the order of the file.

    Prints how many rows moved. per_second  as in times_of
    """
    times, per_second = times_of(table[name], f"{path}: {name}", per_second)
    order = np.argsort(times, kind="stable")
    if name == TIMESTAMP and times.max() < EARLIEST_S * per_second:
        report(f"{path}: {name} is at most {times.max()}, before 1980 as seconds; is it a time?")
    if n_moved := np.count_nonzero(order != np.arange(len(order))):
        report(f"{path}: sorted by {name}; {n_moved:,} of {len(order):,} rows moved")
        table = table.take(order)
    seconds = (times[order] // per_second).astype(np.int64)
    return table.set_column(table.column_names.index(name), name, pa.array(seconds))


def times_of(
    column: pa.ChunkedArray, where: str, per_second: int | None = None
) -> tuple[np.ndarray, int]:
    """Return the times as numbers (n_rows,) and their number of units per second.

    column      numbers, timestamps or dates
    where       file and column, for messages
    per_second  units per second of numbers; None means that their size shows the unit
    Raises InputError for missing times and mixed units.
    """
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("ms"))
    if pa.types.is_timestamp(column.type):
        per_second, column = UNITS[column.type.unit], column.cast(pa.int64())
    n_missing = column.null_count
    times = column.drop_null().to_numpy()
    n_missing += np.count_nonzero(times != times)  # NaN
    if n_missing:
        raise InputError(f"{where} is empty in {n_missing:,} of {len(column):,} rows; fill it")
    return times, per_second or _unit(times, where)


def _unit(times: np.ndarray, where: str) -> int:
    """Return the number of units per second, found by size. Prints units other than seconds."""
    low, high = np.abs(times).min(), np.abs(times).max()
    unit = next((unit for unit, n in UNITS.items() if high <= LATEST_S * n), None)
    if unit is None or (unit != "s" and low <= LATEST_S * UNITS[unit] // 1000):
        raise InputError(f"{where} is from {low} to {high}; must be seconds since 1970 in all rows")
    if unit != "s":
        report(f"{where} appears to be in {unit}; converted to seconds")
    return UNITS[unit]

"""Times of interactions as seconds since 1970, and rows in the order of time."""

from pathlib import Path

from core.script import InputError, report

import numpy as np
import pyarrow as pa

TIMESTAMP = "timestamp"
LATEST_S = 4_102_444_800  # the year 2100: larger numbers are no seconds
EARLIEST_S = 315_532_800  # the year 1980
UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
SHORT = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def in_time_order(
    table: pa.Table, path: Path, name: str = TIMESTAMP, per_second: int | None = None
) -> pa.Table:
    """Return the rows sorted by a column, which becomes int64 seconds; ties keep the order of the
    file. Reports how many rows have moved. per_second  of times_of
    """
    times, per_second = times_of(table[name], f"{path}: {name}", per_second)
    order = np.argsort(times, kind="stable")
    if name == TIMESTAMP and times.max() < EARLIEST_S * per_second:
        report(f"{path}: {name} is {times.max()} at most, as seconds before 1980; is it a time?")
    if n_moved := np.count_nonzero(order != np.arange(len(order))):
        report(f"{path}: {n_moved:,} of {len(order):,} rows moved, to sort them by {name}")
        table = table.take(order)
    seconds = (times[order] // per_second).astype(np.int64)
    return table.set_column(table.column_names.index(name), name, pa.array(seconds))


def times_of(
    column: pa.ChunkedArray, where: str, per_second: int | None = None
) -> tuple[np.ndarray, int]:
    """Return the times as numbers (n_rows,), and how many of their unit make a second.

    column      numbers, timestamps or dates; any of them as text
    where       file and column, for the InputError on missing times and mixed units
    per_second  how many of the unit of numbers make a second; None = it follows from their size
    """
    if pa.types.is_string(column.type):
        column = _numbers(column, where)
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("ms"))
    if pa.types.is_timestamp(column.type):
        per_second, column = SHORT[column.type.unit], column.cast(pa.int64())
    n_missing = column.null_count
    times = column.drop_null().to_numpy()
    n_missing += np.count_nonzero(times != times)  # NaN
    if n_missing:
        raise InputError(f"{where} is empty in {n_missing:,} of {len(column):,} rows; fill it")
    return times, per_second or _unit(times, where)


def _numbers(texts: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """Return texts as int64, as float64 if some have a decimal point, or as timestamps."""
    for kind in (pa.int64(), pa.float64(), pa.timestamp("us")):
        try:
            return texts.cast(kind)
        except pa.ArrowInvalid as error:
            reason = " ".join(str(error).split())
    raise InputError(f"{where}: {reason}; must be seconds since 1970")


def _unit(times: np.ndarray, where: str) -> int:
    """Return how many of the unit of these numbers make a second; reports other units."""
    low, high = np.abs(times).min(), np.abs(times).max()
    unit = next((unit for unit, n in UNITS.items() if high <= LATEST_S * n), None)
    if unit is None:
        raise InputError(f"{where} has {high}; must be seconds since 1970")
    per_second = UNITS[unit]
    if per_second > 1:
        if low <= LATEST_S * per_second // 1000:
            raise InputError(
                f"{where} is from {low} to {high}, which mixes units; must be seconds since 1970 in"
                " every row"
            )
        report(f"{where} is in {unit}, by its size; converted to seconds")
    return per_second

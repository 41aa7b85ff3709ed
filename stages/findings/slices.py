"""Slices of the judged lists: by activity, by every column of the users, by popularity of items."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.results import SLICES
from findings.intervals import Interval, intervals

MOST_LEVELS = 8  # of a column; the smaller ones are one level, numbers are cut into quarters
FEWEST_LISTS = 30  # of a slice that says anything


@dataclass(frozen=True)
class Slice:
    """The gain of the hybrid over ALS in a slice.

    dimension, level  such as gender, F
    als, hybrid       MAP@k of the two
    gain              hybrid minus ALS, paired
    rest              the same over all other lists; None where there are none
    """

    dimension: str
    level: str
    als: float
    hybrid: float
    gain: Interval
    rest: Interval | None


def slices_of(lists: pd.DataFrame, users: pd.DataFrame, n_resamples: int, seed: int) -> list[Slice]:
    """The slices of these lists, dimension by dimension.

    lists  see findings.list_table; users  a column per feature of the users, rows as in
    users.parquet
    """
    of_slice = {}

    def gains() -> Iterator[tuple[str, np.ndarray]]:
        for dimension, level, als, hybrid, is_in in _parts(lists, users):
            name = str(len(of_slice))
            maps = float(np.nanmean(als[is_in])), float(np.nanmean(hybrid[is_in]))
            of_slice[name] = dimension, level, *maps
            yield name, np.where(is_in, hybrid - als, np.nan)
            yield f"rest of {name}", np.where(is_in, np.nan, hybrid - als)

    found = intervals(gains(), lists["user"].to_numpy(), n_resamples, seed)
    return [Slice(*of, found[name], found.get(f"rest of {name}")) for name, of in of_slice.items()]


def _parts(
    lists: pd.DataFrame, users: pd.DataFrame
) -> Iterator[tuple[str, str, np.ndarray, np.ndarray, np.ndarray]]:
    """dimension, level, AP of ALS, AP of the hybrid, and which lists are in it; none is empty."""
    als, hybrid = (lists[f"ap_{name}"].to_numpy() for name in ("als", "hybrid"))
    dimensions = {"positives in the history": activity(lists["n_positives"].to_numpy())}
    rows = lists["user"].to_numpy()
    for name, values in users.items():
        level = levels(values.take(rows))
        if level.nunique() > 1:
            dimensions[name] = level
    for dimension, level in dimensions.items():
        for one in level.cat.categories:
            is_in = (level == one).to_numpy()
            if is_in.any():
                yield dimension, str(one), als, hybrid, is_in
    for level, prefix in (("most popular tenth", "popular"), ("all others", "tail")):
        als, hybrid = (lists[f"{prefix}_{name}"].to_numpy() for name in ("als", "hybrid"))
        if not np.isnan(als).all():
            yield "popularity of the item", level, als, hybrid, ~np.isnan(als)


def activity(n_positives: np.ndarray) -> pd.Series:
    """Category (n_lists,): how much the user's history holds, the bounds as in slices.csv."""
    names = ["none (cold)"] + [
        f"{low} to {high - 1}" if high else f"{low} +" for low, high in SLICES
    ]
    code = np.searchsorted([low for low, _ in SLICES], n_positives, side="right")
    return pd.Series(pd.Categorical.from_codes(code, names))


def levels(values: pd.Series) -> pd.Series:
    """Category (n,): the levels of a column of the users. Categories beyond the largest ones are
    `others`, numbers with many values are cut into quarters, missing ones are `unknown`.
    """
    values = values.reset_index(drop=True)
    if isinstance(values.dtype, pd.CategoricalDtype):
        counts = values.value_counts()
        counts = counts[counts > 0]
        order = list(counts.index)
        if len(order) > MOST_LEVELS:
            kept = order[: MOST_LEVELS - 1]
            named = values.astype(object).where(values.isin(kept) | values.isna(), "others")
            order = [*kept, "others"]
        else:
            named, order = values.astype(object), sorted(order)
    else:
        named, order = _named_numbers(values)
    if named.isna().any():
        named, order = named.fillna("unknown"), [*order, "unknown"]
    return pd.Series(pd.Categorical(named, order))


def _named_numbers(values: pd.Series) -> tuple[pd.Series, list[str]]:
    distinct = np.unique(values.dropna())
    if len(distinct) <= MOST_LEVELS:
        return values.map(lambda value: f"{value:g}", na_action="ignore"), [
            f"{value:g}" for value in distinct
        ]
    low = np.unique(np.quantile(values.dropna(), [0, 0.25, 0.5, 0.75]))
    names = [
        f"{start:g} to {stop:g}" for start, stop in zip(low, [*low[1:], distinct[-1]], strict=True)
    ]
    code = np.searchsorted(low, values.fillna(low[0]), side="right") - 1
    return pd.Series(np.array(names, dtype=object)[code]).where(values.notna()), names

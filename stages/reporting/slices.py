"""Slices of the judged lists: by activity, by each column of the users, by popularity of items."""

import numpy as np
import pandas as pd

from evaluation.bootstrap import Interval, intervals
from evaluation.results import by_activity

MOST_LEVELS = 8  # of a column: smaller categories are merged, numbers are cut into quarters


def slices_of(
    lists: pd.DataFrame, users: pd.DataFrame, n_resamples: int, seed: int, n_threads: int
) -> dict[tuple[str, str], Interval]:
    """Return the paired gain of the hybrid over ALS in each slice: (dimension, level) -> interval.

    lists  see reporting.list_table; users  the features of users.parquet, one row per user
    """
    gain = (lists["ap_hybrid"] - lists["ap_als"]).to_numpy()
    dimensions = {"positives in the history": by_activity(lists["n_positives"].to_numpy())}
    for name, values in users.items():
        of_column = levels(values.take(lists["user"].to_numpy()))
        if len(of_column) > 1:
            dimensions[name.replace("_", " ")] = of_column
    columns = {
        (dimension, level): np.where(is_in, gain, np.nan)
        for dimension, of in dimensions.items()
        for level, is_in in of.items()
    }
    for level, prefix in (("most popular tenth", "popular"), ("all others", "tail")):
        of_items = (lists[f"{prefix}_hybrid"] - lists[f"{prefix}_als"]).to_numpy()
        columns["popularity of the item", level] = of_items
    return intervals(columns, lists["user"].to_numpy(), n_resamples, seed, n_threads)


def levels(values: pd.Series) -> dict[str, np.ndarray]:
    """Return the levels of a column of the users that occur: name -> bool (n,).

    Numbers with many values are cut into quarters. Of many categories, the largest have a level.
    """
    is_number = pd.api.types.is_numeric_dtype(values)
    is_cut = is_number and values.nunique() > MOST_LEVELS
    if is_cut:
        quarters = pd.qcut(values, 4, duplicates="drop")
        values = quarters.map(lambda one: one.right, na_action="ignore").astype(float)
    prefix = "up to " if is_cut else ""
    kept = sorted(values.value_counts().index[:MOST_LEVELS])
    masks = {f"{prefix}{one:g}" if is_number else str(one): values == one for one in kept}
    masks["all others"] = values.notna() & ~values.isin(kept)
    masks["unknown"] = values.isna()
    return {name: of.to_numpy() for name, of in masks.items() if of.any()}

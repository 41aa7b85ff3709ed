"""Levels of a user column: categories, numbers, or ranges of numbers."""

import numpy as np


def lowest_of_levels(values: np.ndarray, is_categorical: bool, most: int = 32) -> np.ndarray:
    """Return the lowest known value of each level, ascending.

    Numbers with more than `most` distinct values are cut into 8 quantiles.
    """
    values = values[~np.isnan(values)]
    distinct = np.unique(values)
    if len(distinct) > most and not is_categorical:
        return np.unique(np.quantile(values, np.linspace(0, 1, 9)[:-1]))
    return distinct


def levels(values: np.ndarray, lowest: np.ndarray, is_categorical: bool) -> np.ndarray:
    """Return the level of each value, int (n,), given the lowest value of each level.

    NaN and unknown categories have an additional, last level.
    """
    level = np.maximum(np.searchsorted(lowest, values, side="right") - 1, 0)
    is_known = np.isin(values, lowest) if is_categorical else ~np.isnan(values)
    return np.where(is_known, level, len(lowest))

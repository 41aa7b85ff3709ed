"""Columns of features, and small operations that several families share."""

import numpy as np
import pandas as pd
from scipy import sparse

Columns = dict[str, np.ndarray | pd.Categorical]  # name -> (n_rows,): float32, or a category


def float32(columns: dict[str, np.ndarray]) -> Columns:
    """Convert columns to float32."""
    return {name: np.asarray(values, dtype=np.float32) for name, values in columns.items()}


def is_category(values: np.ndarray | pd.Categorical | pd.Series) -> bool:
    """Return whether the column is a category for LightGBM, by its dtype."""
    return isinstance(values.dtype, pd.CategoricalDtype)


def codes(values: np.ndarray | pd.Categorical | pd.Series) -> np.ndarray:
    """Return numbers, or codes of categories, as float32 (n,); NaN if missing."""
    if is_category(values):
        numbers = pd.Categorical(values).codes.astype(np.float32)
        return np.where(numbers < 0, np.nan, numbers)
    return np.asarray(values, dtype=np.float32)


def z_scores(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return z-scores within each list, because the scale of scores differs between fits.

    The z-scores of equal scores are 0. starts  int64 (n_lists,): the first row of each list
    """
    size = np.diff(np.append(starts, len(values)))
    mean = np.repeat(np.add.reduceat(values, starts) / size, size)
    variance = np.repeat(np.add.reduceat((values - mean) ** 2, starts) / size, size)
    return (values - mean) / np.sqrt(variance + 1e-12)


def elements(matrix: sparse.csr_array, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return matrix[row[i], column[i]] for each i, float32 (n,)."""
    if not len(row):  # scipy would return a sparse matrix
        return np.zeros(0, dtype=np.float32)
    matrix = sparse.csr_matrix(matrix)
    matrix.sum_duplicates()  # also sorts, which makes this fast
    return np.asarray(matrix[row, column], dtype=np.float32).ravel()


def lowest_of_levels(values: np.ndarray, is_categorical: bool, most: int = 32) -> np.ndarray:
    """Return the lowest value of each level, ascending; more than `most` numbers have 8 levels."""
    values = values[~np.isnan(values)]
    distinct = np.unique(values)
    if len(distinct) > most and not is_categorical:
        return np.unique(np.quantile(values, np.linspace(0, 1, 9)[:-1]))
    return distinct


def levels(values: np.ndarray, lowest: np.ndarray, is_categorical: bool) -> np.ndarray:
    """Return the level of each value, int (n,); NaN and unknown categories have one more."""
    level = np.maximum(np.searchsorted(lowest, values, side="right") - 1, 0)
    is_known = np.isin(values, lowest) if is_categorical else ~np.isnan(values)
    return np.where(is_known, level, len(lowest))

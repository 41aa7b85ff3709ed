"""Popularity of an item among users of the same age, gender, …"""

import math

from core.weights import weights_by_age

import numpy as np

from families.columns import Columns, codes, is_category, levels
from families.context import Context, FamilyOfFold, Rows


def demographics(context: Context) -> FamilyOfFold:
    """For each column of users.parquet: log of the lift of the item in the user's group g.

    The lift is the item's smoothed share of positives from g, divided by the share of all positives
    from g. Numbers with many levels are cut into 8 quantiles. Unknown values are a group.
    """
    lifts = {f"{name}_lift": lift(context, name) for name in context.users}
    return lambda rows: {
        name: by_level[level[rows.user], rows.item].astype(np.float32)
        for name, (level, by_level) in lifts.items()
    }


def lift(context: Context, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the level of each served user, int (n_users,), and the lift of each item by level.

    The lift is float64 (n_levels, n_items). name  a column of the users
    """
    s = context.params.smoothing
    total = context.item_counts[1].sum(axis=1)
    is_categorical = is_category(context.users[name])
    lowest, counts = context.positives_by_level(name)
    share = counts.sum(axis=1, keepdims=True) / max(counts.sum(), 1)
    smoothed = (counts + s * share) / (total + s)
    by_level = np.log(np.maximum(smoothed, 1e-9) / np.maximum(share, 1e-9))
    served = codes(context.served.metadata[name])
    return levels(served, lowest, is_categorical), by_level


def group_popularity(context: Context) -> FamilyOfFold:
    """group_popularity is log(1 + D) + (sum of the n log lifts of `demographics`) / sqrt(n).

    D is the number of positives of the item, weighted with a half-life of `recent_windows` windows.
    This column ranks the lists of cold users. It is a naive Bayes score, damped by sqrt(n) because
    user columns are correlated.
    """
    weights = weights_by_age(context.history.n_windows, context.params.recent_windows)
    recent = np.log1p(context.item_counts[1] @ weights[::-1])
    lifts = [lift(context, name) for name in context.users]

    def columns(rows: Rows) -> Columns:
        total = sum(by_level[level[rows.user], rows.item] for level, by_level in lifts)
        score = recent[rows.item] + total / math.sqrt(max(len(lifts), 1))
        return {"group_popularity": score.astype(np.float32)}

    return columns

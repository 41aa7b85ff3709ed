"""Recent popularity of an item, and its popularity among users of the same age, gender, …"""

import math

from core.weights import weights_by_age

import numpy as np

from families.columns import Columns
from families.context import Context, FamilyOfFold, Rows
from families.demographics import lift


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

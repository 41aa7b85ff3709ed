"""How similar an item's embedding is to those of the items that the user liked."""

from core.products import normalised

import numpy as np

from families.columns import Columns, float32, z_scores
from families.context import Context, FamilyOfFold, Rows


def similarity(context: Context) -> FamilyOfFold:
    """content_all, content_last: cosine of the item's embedding and the mean embedding of the
    user's positives, and of the last ones, weighted 1, 1/2, 1/3, …; NAME_z: z-score of each within
    the list. Similarity by co-occurrence is a score: see features.scores.
    """
    items = normalised(context.embeddings)
    positives, last = context.served.history.positives, context.last_positives
    profiles = {"content_all": positives, "content_last": last}

    def columns(rows: Rows) -> Columns:
        users, at = np.unique(rows.user, return_inverse=True)
        columns = {}
        for name, profile in profiles.items():
            means = normalised(profile[users] @ items)
            columns[name] = np.einsum("ij,ij->i", means[at], items[rows.item])
            columns[f"{name}_z"] = z_scores(columns[name], rows.starts)
        return float32(columns)

    return columns

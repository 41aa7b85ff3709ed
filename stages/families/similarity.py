"""Similarity of an item's embedding to those of the items that the user liked."""

from core.products import normalised

import numpy as np

from families.columns import Columns, float32, z_scores
from families.context import Context, FamilyOfFold, Rows


def similarity(context: Context) -> FamilyOfFold:
    """Cosine of the item's embedding and the mean embedding of the user's positives.

    content_all uses all positives, content_last the last ones, weighted 1, 1/2, 1/3, … NAME_z is
    the z-score of each within the list. For similarity by co-occurrence, see features.scores.
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

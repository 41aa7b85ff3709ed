"""How similar an item is to what the user liked."""

import numpy as np

from families.columns import Columns, canonical, elements, float32, z_scores
from families.context import Context, FamilyOfFold, Rows
from folds.decay import decayed
from folds.similarity import item_knn_similarity, normalised, transitions


def similarity(context: Context) -> FamilyOfFold:
    """To what the user liked. S = item-item similarity by co-occurrence, T = by order of watching,
    c = cosine of embeddings, q = ALS factors; "last" = the last positives, weighted 1, 1/2, 1/3, …

    knn_all, knn_last, knn_disliked: sum of S over all positives, the last ones, and the exposures
    that were not liked; next_last: sum of T over the last ones; content_all, content_last: c with
    the mean of all and of the last positives; als_last: q_i times the normalised sum of q over the
    last ones; NAME_z: z-score within the list.
    """
    history, served, last = context.history, context.served.history, context.last_positives
    positives = decayed(history, "positives", context.knn.half_life)
    knn = item_knn_similarity(positives, context.knn, context.n_threads)
    by_matrix = {
        "knn_all": (served.positives, knn),
        "knn_last": (last, knn),
        "knn_disliked": (served.negatives, knn),
        "next_last": (last, transitions(history)),
    }
    vectors, item_factors = normalised(context.embeddings), context.factors.item_factors
    by_vectors = {
        "content_all": (served.positives, vectors),
        "content_last": (last, vectors),
        "als_last": (last, item_factors),
    }

    def columns(rows: Rows) -> Columns:
        users, at = np.unique(rows.user, return_inverse=True)
        columns = {
            name: elements(canonical(profile[users] @ matrix), at, rows.item)
            for name, (profile, matrix) in by_matrix.items()
        }
        for name, (profile, items) in by_vectors.items():
            means = normalised(profile[users] @ items)
            columns[name] = np.einsum("ij,ij->i", means[at], items[rows.item])
        for name in ("knn_all", "knn_last", "next_last", "content_all", "als_last"):
            columns[f"{name}_z"] = z_scores(columns[name], rows.starts)
        return float32(columns)

    return columns

"""What ALS says of a user and an item."""

import numpy as np

from families.columns import Columns, float32, z_scores
from families.context import Context, FamilyOfFold, Rows


def als(context: Context) -> FamilyOfFold:
    """Dot product p_u q_i, its rank among ALS candidates, its z-score within the list, cosine, and
    both norms.
    """
    users, items = context.factors.user_factors, context.factors.item_factors
    user_norms, item_norms = (np.linalg.norm(vectors, axis=1) for vectors in (users, items))

    def columns(rows: Rows) -> Columns:
        score = np.einsum("ij,ij->i", users[rows.user], items[rows.item])
        user_norm, item_norm = user_norms[rows.user], item_norms[rows.item]
        rank = rows.rank["als"].astype(np.float32)
        return float32(
            {
                "als_score": score,
                "als_rank": np.where(rank > 0, rank, np.nan),
                "als_score_z": z_scores(score, rows.starts),
                "als_cosine": score / np.maximum(user_norm * item_norm, 1e-12),
                "als_user_norm": user_norm,
                "als_item_norm": item_norm,
            }
        )

    return columns

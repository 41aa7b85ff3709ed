"""Score and rank by ALS."""

import numpy as np

from families.columns import Columns, float32, z_scores
from families.context import Context, FamilyOfFold, Rows


def als(context: Context) -> FamilyOfFold:
    """Dot product p_u q_i; its rank among the candidates of ALS; its z-score within the list.

    In z-scores, an item that ALS does not know has the score 0.
    """

    def columns(rows: Rows) -> Columns:
        score, rank = rows.score["als"], rows.rank["als"].astype(np.float32)
        return float32(
            {
                "als_score": score,
                "als_rank": np.where(rank > 0, rank, np.nan),
                "als_score_z": z_scores(np.nan_to_num(score), rows.starts),
            }
        )

    return columns

"""Scores of the models of features.scores for every candidate."""

import numpy as np

from families.columns import Columns, float32, z_scores
from families.context import Context, FamilyOfFold, Rows


def scores(context: Context) -> FamilyOfFold:
    """score_NAME_z for each NAME of `features.scores`: z-score of the model's score in the list.

    We use z-scores because the scale differs between users and fits. An item that the model does
    not know has the score 0, like an item without evidence.
    """

    def columns(rows: Rows) -> Columns:
        return float32(
            {
                f"score_{name}_z": z_scores(np.nan_to_num(rows.score[name]), rows.starts)
                for name in rows.score
                if name not in rows.rank
            }
        )

    return columns

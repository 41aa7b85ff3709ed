"""The scores of the models of features.scores for every candidate."""

import numpy as np

from families.columns import Columns, float32, z_scores
from families.context import Context, FamilyOfFold, Rows


def scores(context: Context) -> FamilyOfFold:
    """score_NAME_z for each NAME of `features.scores`: the z-score of the model's score within the
    list, since its scale differs from user to user and from fit to fit. An item that the model does
    not know counts as one without evidence, 0.
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

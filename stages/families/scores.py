"""What models say of every candidate, whichever source named it."""

import numpy as np
from scipy import sparse

from families.columns import Columns, float32, z_scores
from families.context import Context, FamilyOfFold, Rows
from families.score_models import Scores
from folds.products import blocks


def scores(context: Context) -> FamilyOfFold:
    """score_NAME_z for each NAME of `features.scores`: z-score within the list of the score by
    that model, since its scale differs from user to user and from fit to fit.
    """
    served = context.served.history
    models = {
        name: model.scores(context.fitted(name), served)
        for name, model in context.params.scores.items()
    }

    def columns(rows: Rows) -> Columns:
        return float32(
            {
                f"score_{name}_z": z_scores(pair_scores(model, rows, served.n_items), rows.starts)
                for name, model in models.items()
            }
        )

    return columns


def pair_scores(model: Scores, rows: Rows, n_items: int) -> np.ndarray:
    """The model's score of each row, float32 (n_rows,), of so many users at once that the scores of
    all items stay small.
    """
    users, at = np.unique(rows.user, return_inverse=True)
    found = np.empty(len(rows.user), dtype=np.float32)

    for block in blocks(np.arange(len(users)), n_items):
        scores = model(users[block])
        # dense: to search sorted columns takes longer, where many items have a score
        of_all = scores.toarray() if sparse.issparse(scores) else scores
        is_in = (at >= block[0]) & (at <= block[-1])
        found[is_in] = of_all[at[is_in] - block[0], rows.item[is_in]]
    return found

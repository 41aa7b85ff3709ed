"""Scores candidates by trained rankers, for users of a fold and for new users."""

from dataclasses import dataclass

from core.candidate_lists import Candidates
from core.history import History

import numpy as np
from scipy.linalg import hadamard

from families import families_of, feature_matrix
from families.context import Context, FamilyOfFold, rows_of
from rankers import trained as models
from rankers.lean_lightgbm import lightgbm as lgb


@dataclass(frozen=True)
class Scorer:
    """Models and features for ranking the lists of warm or cold users."""

    boosters: list[lgb.Booster]
    families: dict[str, FamilyOfFold]  # features of the models; without models, the score
    served: History  # history of the users of the lists


def scorer_of(boosters: list[lgb.Booster], context: Context, groups: list[str]) -> Scorer:
    """Return models and features for the lists of the context's users.

    Without models, the family group_popularity is the score.
    """
    families = families_of(context, groups if boosters else ["group_popularity"])
    return Scorer(boosters, families, context.served.history)


def scores(lists: Candidates, warm: Scorer, cold: Scorer, n_threads: int) -> np.ndarray:
    """Return the score of each model for each row, float64 (n_models, n_rows).

    If there are no models for cold users, their scores do not differ between models.
    """
    score = np.empty((len(warm.boosters), len(lists.user)))
    is_warm = lists.is_retrieved
    for rows, scorer in ((is_warm, warm), (~is_warm, cold)):
        if rows.any():
            found = feature_matrix(scorer.families, rows_of(lists.take(rows), scorer.served)).values
            if scorer.boosters:
                found = models.predict(scorer.boosters, found, n_threads).T
            score[:, rows] = found.T
    return score


def ensembles(score: np.ndarray) -> list[np.ndarray]:
    """Return the mean score of each row, float64 (n_rows,), over all models and over each half.

    Rankings of halves differ as much as rankings of ensembles of n_models with other seeds, because
    any two halves share half of their models or none (balanced half-samples, McCarthy 1969). A
    single model has no halves.

    score  float64 (n_models, n_rows); models are halved in up to 8 groups
    """
    n_models = len(score)
    n_groups = 2 ** min(3, n_models.bit_length() - 1)
    first = hadamard(n_groups)[1:, np.arange(n_models) % n_groups] > 0  # (n_groups - 1, n_models)
    return [score.mean(axis=0), *(score[half].mean(axis=0) for half in (*first, *~first))]

"""Scores candidates by trained rankers, for users of a fold and for new users."""

from dataclasses import dataclass

from core.candidate_lists import Candidates
from core.history import History

import numpy as np
from scipy.linalg import hadamard

from families import families_of, feature_matrix
from families.context import Context, FamilyOfFold, rows_of
from families.demographics import group_popularity
from rankers import trained as models


@dataclass(frozen=True)
class Scorer:
    """Models and features for ranking the lists of served users."""

    boosters: list[models.lgb.Booster]
    families: dict[str, FamilyOfFold]  # features of the models
    of_cold: FamilyOfFold  # its column is the score of the lists of cold users
    served: History  # history of the users of the lists


def scorer_of(boosters: list[models.lgb.Booster], context: Context, groups: list[str]) -> Scorer:
    """Return the scorer of the context's users; group_popularity ranks those who are cold."""
    families, of_cold = families_of(context, groups), group_popularity(context)
    return Scorer(boosters, families, of_cold, context.served.history)


def scores(lists: Candidates, scorer: Scorer, n_threads: int) -> np.ndarray:
    """Return each model's score of each row, float64 (n_models, n_rows); for cold users equal."""
    score = np.empty((len(scorer.boosters), len(lists.user)))
    rows, is_warm = rows_of(lists, scorer.served), lists.is_retrieved
    if is_warm.any():
        values = feature_matrix(scorer.families, rows.take(is_warm)).values
        score[:, is_warm] = models.predict(scorer.boosters, values, n_threads)
    if not is_warm.all():
        (column,) = scorer.of_cold(rows.take(~is_warm)).values()
        score[:, ~is_warm] = column
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

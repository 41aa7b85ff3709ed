"""What scores the lists of warm and of cold users, and items that may be recommended."""

from core.candidate_lists import Candidates

import numpy as np
import pytest

from families.columns import float32
from families.context import Rows
from histories import LIKED, SEEN, history_of
from models.scoring import Served
from rankers import serving
from rankers.scoring import Scorer, ensembles, scores
from rankers.trained import lgb

HISTORY = history_of([(0, 0, 0, LIKED), (0, 1, 0, SEEN), (1, 2, 0, SEEN)], 1)
LISTS = Candidates(  # user 0 is warm, 1 only watched, 2 has no history
    np.array([0, 0, 1, 1, 2, 2], dtype=np.int32),
    np.array([2, 1, 0, 1, 2, 0], dtype=np.int32),
    {"als": np.array([1, 2, 0, 0, 0, 0], dtype=np.int16)},
    {"als": np.zeros(6, dtype=np.float32)},
)


def item_number(rows: Rows) -> dict[str, np.ndarray]:
    return float32({"item": rows.item})


def booster(sign: int) -> lgb.Booster:
    """Scores an item by its number, or by minus its number."""
    item = np.arange(3.0).repeat(10)[:, None]
    settings = {"min_data_in_leaf": 1, "min_data_in_bin": 1, "learning_rate": 1, "verbosity": -1}
    data = lgb.Dataset(item, sign * item[:, 0], params=settings)
    return lgb.train({**settings, "boost_from_average": False}, data, 1)


UP, DOWN = booster(1), booster(-1)


def test_models_rank_lists_of_warm_users_and_one_column_those_of_cold_users() -> None:
    served = HISTORY.with_users(np.arange(3))
    scorer = Scorer([UP, DOWN], {"number": item_number}, item_number, served)
    expected = [[2, 1, 0, 1, 2, 0], [-2, -1, 0, 1, 2, 0]]
    np.testing.assert_allclose(scores(LISTS, scorer, n_threads=1), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("n_models", "error"), [(2, 0), (4, 0), (8, 0), (16, 0.01), (3, 0.15), (12, 0.1)]
)
def test_halves_differ_as_much_as_ensembles_of_other_seeds(n_models: int, error: float) -> None:
    assert len(ensembles(np.ones((1, 3)))) == 1  # one model has no halves
    score = np.random.default_rng(0).normal(size=(n_models, 2000))
    mean, *halves = ensembles(score)
    np.testing.assert_allclose(mean, score.mean(axis=0))
    expected = score.var(axis=0, ddof=1) / n_models
    np.testing.assert_allclose(np.mean(np.var(halves, axis=0) / expected), 1, atol=error + 1e-9)


def test_items_must_be_allowed_and_alive() -> None:
    """New items that are not allowed are not retrieved either."""
    alive, is_new = np.array([True, True, False, True]), np.array([False, False, False, True])
    served = Served(None, {}, [], None, 1, alive, is_new)
    found = serving.among(served, np.array([True, False, True, False]))
    assert found.alive.tolist() == [True, False, False, False]
    assert found.is_new.tolist() == [False] * 4

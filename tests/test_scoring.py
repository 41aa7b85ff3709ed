"""Retrieval from scores and candidate lists: against plain loops, and the same bytes however they
are computed.
"""

from core import products
from core.candidate_lists import Retrieved, merge
from core.history import History
from core.products import Products, vector_scores

import numpy as np
import pytest
from scipy import sparse

from models.model import Ranking, Scores
from models.popular import RecentPopularParams, recent_popular
from models.registry import MODELS
from models.scoring import (
    Seen,
    Served,
    candidate_lists,
    filled,
    retrieve,
    scores_at,
    seen_by,
    top_n,
)
from plain_models import PLAIN, SETTINGS, best_unseen, inputs_of, random_history

N_ITEMS = 60


def matrix_of(kind: str, n_users: int, seed: int) -> np.ndarray:
    """Return few distinct scores, so that most are ties; float32 (n_users, N_ITEMS)."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(-3, 4, (n_users, N_ITEMS)).astype(np.float32)
    if kind == "ranking":
        return np.tile(scores[:1], (n_users, 1))
    if kind == "vectors":
        return scores
    if kind == "dense":
        return np.where(rng.random(scores.shape) < 0.3, np.float32(-np.inf), scores)
    return np.where(rng.random(scores.shape) < (0.1 if kind == "sparse" else 0.7), scores, 0)


def scores_of(kind: str, matrix: np.ndarray) -> Scores:
    """Return the matrix in the form of a model's scores."""
    if kind == "ranking":
        return Ranking(matrix[0])
    if kind == "vectors":
        return vector_scores(matrix.__getitem__, np.eye(N_ITEMS, dtype=np.float32))
    of = matrix if kind == "dense" else sparse.csr_array(matrix)
    return lambda users: of[users].copy()


@pytest.fixture(scope="module")
def history() -> History:
    """User 0 has seen all items."""
    return random_history(3, n_users=20, n_items=N_ITEMS - 1)


@pytest.mark.parametrize("n", [1, 5, 100])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["ranking", "dense", "vectors", "sparse", "half sparse"])
@pytest.mark.parametrize("share_alive", [None, 0.5])
def test_retrieve_equals_a_plain_loop(
    share_alive: float | None, kind: str, seed: int, n: int, history: History
) -> None:
    """The n best unseen items that are alive, ties by item; of sparse scores those above 0; the
    block of scores is left as it was.
    """
    alive = share_alive and np.random.default_rng(seed).random(N_ITEMS) < share_alive
    matrix = matrix_of(kind, history.n_users, seed)
    users = np.random.default_rng(seed).permutation(history.n_users)
    scores = scores_of(kind, matrix)
    block = scores if kind == "ranking" else scores(users)
    found = retrieve(block, seen_by(history, users), len(users), n, alive)
    assert found.item.shape == found.score.shape == (len(users), n)
    assert (found.item.dtype, found.score.dtype) == (np.int32, np.float32)
    usable = np.where(matrix <= 0, -np.inf, matrix) if "sparse" in kind else matrix
    usable = usable if alive is None else np.where(alive, usable, -np.inf)
    for user, item, score in zip(users, found.item, found.score, strict=True):
        expected = best_unseen(history, user, usable[user], n)
        assert item.tolist() == expected + [-1] * (n - len(expected))
        np.testing.assert_array_equal(score[: len(expected)], matrix[user, expected])
        assert np.isnan(score[len(expected) :]).all()
    row, item = (of.ravel() for of in np.indices((len(users), N_ITEMS)))
    expected = matrix[users][row, item]
    expected[np.isneginf(expected)] = np.nan
    np.testing.assert_array_equal(scores_at(block, row, item), expected)


@pytest.mark.parametrize("width", [2, 64])
def test_the_best_of_vectors_are_found_where_float32_cannot_tell_them_apart(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The 100 best of 400 items have scores closer than the error of the estimates, many of them
    equal in float32. No more scores are computed exactly than needed.
    """
    rng = np.random.default_rng(width)
    users, items = (rng.normal(size=(n, width)).astype("f4") for n in (5, 400))
    close = rng.choice(400, 100, replace=False)
    items[close] = 9 * users[0] / np.linalg.norm(users[0]) + rng.normal(size=(100, width)) * 2e-6
    block = vector_scores(users.__getitem__, items)(np.arange(5))
    seen = Seen(np.array([0, 0, 4]), np.array([close[0], 7, 9], dtype=np.int32))
    expected = retrieve(block.toarray(), seen, 5, 60)
    estimates, error = block.estimates()
    assert (np.abs(estimates - block.toarray()) < error[:, None]).all()
    monkeypatch.setattr(Products, "toarray", None)
    found = retrieve(block, seen, 5, 60)
    assert np.isin(found.item[0], close).all()
    order = np.argsort(-estimates[0, found.item[0]], kind="stable")
    assert width == 2 or (order != np.arange(60)).any()
    for name in ("item", "score"):
        assert getattr(found, name).tobytes() == getattr(expected, name).tobytes()


def test_a_user_whose_scores_are_all_equal() -> None:
    block = vector_scores(np.zeros((2, 3), "f4").__getitem__, np.ones((500, 3), "f4"))(np.arange(2))
    seen = Seen(np.array([1, 1]), np.array([0, 2], dtype=np.int32))
    assert retrieve(block, seen, 2, 3).item.tolist() == [[0, 1, 2], [1, 3, 4]]


@pytest.mark.parametrize("kind", ["ranking", "dense", "sparse"])
def test_top_n_of_any_users_in_blocks(
    kind: str, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes for any users; a user without history gets the top of a ranking."""
    matrix = matrix_of(kind, history.n_users, 5)
    scores = scores_of(kind, matrix)
    whole = top_n(scores, history, np.arange(history.n_users), 4, 1)
    monkeypatch.setattr(products, "BLOCK", 150)
    for users in ([*range(history.n_users)], [7, 2, 11], [3], []):
        found = top_n(scores, history, np.array(users, int), 4, n_threads=3)
        assert found.item.tobytes() == whole.item[users].tobytes()
        assert found.score.tobytes() == whole.score[users].tobytes()
        assert found.item.shape == (len(users), 4)
    if kind == "ranking":
        found = top_n(scores, history, np.array([-1, 4, -1]), 4, 1).item.tolist()
        expected = best_unseen(history, -1, matrix[0], 4)
        assert found == [expected, whole.item[4].tolist(), expected]


# --- candidate lists

MODELS_IN_USE = {f"{of[0]}_{number}": of for number, of in enumerate(SETTINGS)}
SOURCES = [*MODELS_IN_USE][:6]  # the others score candidates alone
USERS = np.arange(27)  # the history has 1, 3, … 23, of which 23 liked nothing


def served(n_threads: int) -> Served:
    """Every model, fitted with these threads."""
    inputs = inputs_of(random_history(6), n_threads)
    models = {key: MODELS[name].fit(inputs, of) for key, (name, of) in MODELS_IN_USE.items()}
    fallback = recent_popular(inputs, RecentPopularParams(windows=2))
    return Served(inputs.history, models, SOURCES, fallback, 4)


def test_candidate_lists_equal_plain_loops() -> None:
    """A warm user gets what the sources retrieve, a cold one the fallback; with every model's own
    score of every candidate: 0 for a user without history, NaN for an item that EASE does not know.
    """
    history, inputs = served(1).history, inputs_of(random_history(6))
    plain = {key: PLAIN[name](inputs, of) for key, (name, of) in MODELS_IN_USE.items()}
    fallback = PLAIN["recent_popular"](inputs, RecentPopularParams(windows=2))[0]
    lists = candidate_lists(served(1), USERS, 1)
    row = 0
    for user in USERS:
        own = int(history.user_of(np.array([user]))[0])
        is_warm = own >= 0 and history.n_positives[own] > 0
        expected = best_unseen(history, own, fallback, 4)
        if is_warm:
            retrieved = {}
            for key in SOURCES:
                is_evidence = key.startswith(("next_item", "author_top"))  # sparse
                of_user = plain[key][own]
                usable = np.where(of_user <= 0, -np.inf, of_user) if is_evidence else of_user
                item = best_unseen(history, own, usable, 4)
                retrieved[key] = np.array([item + [-1] * (4 - len(item))])
            merged = merge(np.array([user]), retrieved, history.n_items)
            expected = merged.item.tolist()
            for key in SOURCES:
                ranks = lists.rank[key][row : row + len(expected)]
                assert ranks.tolist() == merged.rank[key].tolist()
        for item in expected:
            assert (lists.user[row], lists.item[row]) == (user, history.items[item])
            assert lists.is_retrieved[row] == is_warm
            for key, scores in plain.items():
                is_ranking = "popular" in key
                score = scores[max(own, 0), item] if own >= 0 or is_ranking else 0.0
                score = np.nan if np.isneginf(score) else score
                found = lists.score[key][row]
                np.testing.assert_allclose(found, score, rtol=1e-4, atol=1e-5, err_msg=key)
            row += 1
    assert row == len(lists.user)
    assert list(lists.score) == [*MODELS_IN_USE]
    assert any(np.isnan(of).any() for of in lists.score.values())


@pytest.mark.parametrize("n_threads", [1, 4])
@pytest.mark.parametrize("block", [1, 50, 10**7])
def test_candidate_lists_are_the_same_however_they_are_computed(
    block: int, n_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lists do not depend on threads, blocks or other users. Blocks may have only cold users, or be
    empty.
    """
    whole = candidate_lists(served(1), USERS, 1)
    monkeypatch.setattr(products, "BLOCK", block)
    of = served(n_threads)
    for users in (USERS, USERS[[3, 4, 9]], USERS[[2]], USERS[[0, 23]], USERS[:0]):
        expected = whole.take(np.isin(whole.user, users)).table()
        found = candidate_lists(of, users, n_threads).table()
        assert found.schema == expected.schema
        for name in found.column_names:
            assert found[name].to_numpy().tobytes() == expected[name].to_numpy().tobytes(), name


@pytest.mark.parametrize("seed", range(5))
def test_short_lists_are_filled_by_the_fallback(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k, is_warm = 4, np.array([True, False, True, True])
    found = np.stack([rng.permutation(9)[:k] for _ in range(3)])
    for row, end in zip(found, (0, 2, 4), strict=True):
        row[end:] = -1
    score = np.where(found < 0, np.nan, 10.0 - np.arange(k))
    popular = np.stack([rng.permutation(9)[: 2 * k] for _ in is_warm])
    popular[1, 2:] = -1
    fallback = Retrieved(popular, np.ones(popular.shape))
    result = filled(Retrieved(found, score), is_warm, fallback, k)
    own = iter(found.tolist())
    for row, (warm, more) in enumerate(zip(is_warm, popular.tolist(), strict=True)):
        first = [item for item in next(own) if item >= 0] if warm else []
        expected = (first + [item for item in more if item >= 0 and item not in first])[:k]
        assert result.item[row].tolist() == expected + [-1] * (k - len(expected))
        kept = result.score[row][: len(first)].tolist()
        assert kept == (10.0 - np.arange(len(first))).tolist()

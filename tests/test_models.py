"""Models: their scores against plain code, and the same bytes however they are computed."""

from collections import Counter
from dataclasses import replace

from core import products
from core.factors import Factors
from core.params import Strict
from core.script import InputError
from core.weights import WEIGHT_BITS, decayed, entry_bits

import numpy as np
import pytest
from scipy import sparse

from histories import CANDIDATES, LIKED, history_of, part_of
from models import ease as ease_module
from models import item_knn as item_knn_module
from models import registry
from models.ease import co_occurrence, ease_scores, most_frequent, weights_of_gram
from models.item_knn import ItemKnnParams, item_knn_similarity
from models.model import Inputs, Model, NoParams, Ranking, Scores
from models.registry import MODELS, ScoresParams, SourcesParams, fit_all
from plain_models import EASE, PLAIN, SETTINGS, inputs_of, random_history
from test_products import exact_sum

EVERY_SETTING = pytest.mark.parametrize(("name", "params"), SETTINGS)


def full(scores: Scores, users: np.ndarray) -> np.ndarray:
    """Return the scores of these users for every item, float32 (n, n_items)."""
    if isinstance(scores, Ranking):
        return np.tile(scores.scores, (len(users), 1)).astype(np.float32)
    found = scores(users)
    found = found if isinstance(found, np.ndarray) else found.toarray()
    assert found.dtype == np.float32
    return found


def test_plain_code_covers_every_model() -> None:
    assert PLAIN.keys() == MODELS.keys() == {name for name, _ in SETTINGS}


@pytest.mark.parametrize("n_items", [15, 90])  # many entries a user, and few: BLAS, and scipy
@pytest.mark.parametrize("seed", range(3))
@EVERY_SETTING
def test_scores_are_those_of_plain_code(name: str, params: Strict, seed: int, n_items: int) -> None:
    inputs = inputs_of(random_history(seed, n_items=n_items))
    users = np.arange(inputs.history.n_users)
    found = full(MODELS[name].fit(inputs, params), users)
    np.testing.assert_allclose(found, PLAIN[name](inputs, params), rtol=1e-4, atol=1e-5)


@EVERY_SETTING
def test_scores_are_the_same_however_they_are_computed(
    name: str, params: Strict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores are equal to the bit at any number of threads, in small blocks, for a single user, and
    for new users with the interactions of known users.
    """
    inputs = inputs_of(random_history(1, n_items=40))
    whole = full(MODELS[name].fit(inputs, params), np.arange(inputs.history.n_users))
    chosen = [7, 0, 7, 3]
    new, factors = part_of(inputs.history, chosen), inputs.factors
    factors = Factors(factors.user_factors[chosen], factors.item_factors, new.users, new.items)
    new_users = replace(inputs_of(inputs.history), factors=factors, new_users=new)
    found = full(MODELS[name].fit(new_users, params), np.arange(4))
    assert found.tobytes() == whole[chosen].tobytes()
    monkeypatch.setattr(products, "BLOCK", 100)
    for share in (0, 1):  # dense products of the users' rows, or sparse ones
        for module in (ease_module, item_knn_module):
            monkeypatch.setattr(module, "DENSE_SHARE", share)
        scores = MODELS[name].fit(inputs_of(inputs.history, n_threads=3), params)
        for users in (np.arange(12), np.array([7, 2, 11]), np.array([3]), np.zeros(0, int)):
            assert full(scores, users).tobytes() == whole[users].tobytes()


# --- EASE


def test_an_l2_that_vanishes_beside_the_counts_is_one_line() -> None:
    """An item that nobody likes, and float32, which has no 1e-50."""
    gram = np.array([[2, 0], [0, 0]], dtype=np.float32)
    with pytest.raises(InputError, match="l2 of EASE is 1e-50: too low, the matrix of these 2"):
        weights_of_gram(gram, 1e-50, 1)


@pytest.mark.parametrize("block", [1, 10**6])
@pytest.mark.parametrize("half_life", [0, 1.5])
@pytest.mark.parametrize("n_users", [3, 300])
def test_co_occurrence_is_exact(
    n_users: int, half_life: float, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few entries use a sparse product, many a dense one. Results are rounded once, to float32."""
    monkeypatch.setattr(products, "BLOCK", block)
    rng = np.random.default_rng(n_users)
    users, windows = range(n_users), range(4)
    rows = [(u, int(i), w, LIKED) for w in windows for u in users for i in rng.choice(30, 3)]
    user_item = decayed(history_of(rows, 4), "positives", half_life)
    units = np.rint(user_item.toarray() * 2**WEIGHT_BITS).astype(np.int64)
    found = co_occurrence(user_item, n_threads=3)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.float32(units.T @ units / 4.0**WEIGHT_BITS))


def test_scores_of_ease_are_exact_sums() -> None:
    rows = decayed(random_history(4), "positives", 1.5)
    items = most_frequent(np.bincount(rows.indices, minlength=rows.shape[1]), 12)
    weights = weights_of_gram(co_occurrence(rows[:, items], 1), 2.0, entry_bits(rows))
    found = ease_scores(items, weights, rows)(np.arange(12))
    for user, item in np.ndindex(12, len(items)):
        expected = exact_sum(rows[:, items].toarray()[user].astype(float), weights[:, item])
        assert found[user, items[item]] == np.float32(expected)
    assert np.isneginf(np.delete(found, items, axis=1)).all()


# --- item-kNN


def test_similarities_by_hand() -> None:
    likes = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 1], [0, 0, 1, 0]])  # of four users

    def knn(weighting: str, neighbours: int = 10, last_items: int = 10) -> np.ndarray:
        settings = {"neighbours": neighbours, "weighting": weighting, "last_items": last_items}
        params = ItemKnnParams(of="positives", half_life=0, **settings)
        return item_knn_similarity(sparse.csr_array(likes), params, 1).toarray()

    counts = np.array([[0, 2, 1, 1], [2, 0, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]])
    n = np.array([3, 2, 2, 1])  # users of each item
    np.testing.assert_array_equal(knn("count"), counts)
    np.testing.assert_allclose(knn("cosine"), counts / np.sqrt(np.outer(n, n)), rtol=1e-6)
    # of the user with 0, 1, 2 only 1 and 2 are left
    last = [[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]]
    np.testing.assert_array_equal(knn("count", last_items=2), last)
    # every item keeps its best neighbour; that of item 0 is 1, twice
    best = knn("count", neighbours=1)
    assert (best > 0).sum(axis=1).tolist() == [1, 1, 1, 1]
    assert best[0, 1] == 2
    for similarity in map(knn, ("tfidf", "bm25")):
        assert similarity.any()
        assert not similarity.diagonal().any()  # no item is its own neighbour


# --- fitting several


def test_no_model_is_fitted_twice_with_the_same_parameters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sources and models of features.scores share fits; EASE at two l2 shares X'X, too."""
    fits, grams = Counter(), Counter()

    def counted_fit(name: str, params: Strict, inputs: Inputs) -> Scores:
        fits[name, params] += 1
        return MODELS[name].fit(inputs, params)

    def counted_gram(user_item: sparse.csr_array, n_threads: int) -> np.ndarray:
        grams[user_item.nnz] += 1
        return co_occurrence(user_item, n_threads)

    monkeypatch.setattr(registry, "fit", counted_fit)
    monkeypatch.setattr(ease_module, "co_occurrence", counted_gram)
    own = {"model": "ease", **EASE, "of": "positives", "half_life": 0}
    settings = {
        name: of.model_dump() for name, of in reversed(SETTINGS) if type(of) is not NoParams
    }
    params = CANDIDATES.model_copy(update={"sources": [*MODELS]})
    scores = {
        "again": own,
        "other_l2": {**own, "l2": 3.0},
        "of_exposures": {**own, "of": "exposures"},
        "popular_again": {"model": "popular"},
    }
    inputs = inputs_of(random_history(2), n_threads=3)
    found = fit_all(params, SourcesParams(**settings), ScoresParams.model_validate(scores), inputs)
    assert list(found) == [*MODELS, *scores]
    assert set(fits.values()) == {1}
    assert sum(fits.values()) == len(MODELS) + 2  # EASE with another l2, and on exposures
    assert sorted(grams.values()) == [1, 1]
    assert found["ease"] is found["again"]
    assert found["popular"] is found["popular_again"]
    of_ease = {full(found[name], np.arange(12)).tobytes() for name in ("ease", *scores)}
    assert len(of_ease) == 1 + 2 + 1  # and the popular items


@pytest.mark.parametrize("own", [Ranking(np.ones(9)), lambda users: np.ones((len(users), 9))])
def test_scores_of_a_wrong_shape_are_refused(own: Scores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "mine", Model(lambda inputs, params: own))
    with pytest.raises(InputError, match=r"mine: its scores have shape .*9.*must be .*16"):
        registry.fit("mine", NoParams(), inputs_of(random_history(1, n_items=15)))

"""Candidate sources: what none may name, and each against a plain computation."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from folds import products
from folds.candidate_lists import Retrieved
from folds.ease import ease_weights, most_popular
from folds.factors import Factors
from folds.history import History
from folds.similarity import ItemKnnParams, by_recency, item_knn_similarity, transitions
from histories import LIKED, SEEN, history_of, part_of
from retrieval import SOURCES, Inputs, SourcesParams, fit
from retrieval.author_top import AuthorTopParams
from retrieval.ease import EaseParams
from retrieval.next_item import NextItemParams
from retrieval.popular import RecentPopularParams, popularity, recent_popularity
from retrieval.top_n import by_ranking, by_vectors
from test_products import exact_sum

PARAMS = SourcesParams(
    item_knn=ItemKnnParams(neighbours=5, weighting="cosine", last_items=10, half_life=0),
    recent_popular=RecentPopularParams(windows=1),
    ease=EaseParams(l2=2.0, max_items=100, half_life=0),
    next_item=NextItemParams(last_items=3, reach=2),
    author_top=AuthorTopParams(favourites=2, windows=1),
)


def random_history(seed: int, n_users: int = 12, n_items: int = 15) -> History:
    """Every user has a positive; user 0 was exposed to every item."""
    rng = np.random.default_rng(seed)
    pairs = {(0, item) for item in range(n_items)}
    pairs |= {(user, int(rng.integers(n_items))) for user in range(n_users) for _ in range(6)}
    rows = [(*pair, int(rng.integers(3)), int(rng.integers(2))) for pair in sorted(pairs)]
    rows += [(user, n_items, 0, LIKED) for user in range(n_users)]
    return history_of(sorted(rows, key=lambda row: row[2]), 3)


def inputs_of(history: History, n_threads: int = 1) -> Inputs:
    rng = np.random.default_rng(7)
    embeddings = rng.normal(size=(history.n_items, 3)).astype(np.float32)
    embeddings[1] = np.nan  # an item without one
    users = rng.normal(size=(history.n_users, 4)).astype(np.float32)
    items = rng.normal(size=(history.n_items, 4)).astype(np.float32)
    factors = Factors(users, items, history.users, history.items)
    shares = rng.integers(0, 3, size=(history.n_items, 4))
    shares[2] = 0  # an item without a tag
    tags = sparse.csr_array(
        (shares / np.maximum(shares.sum(axis=1, keepdims=True), 1)).astype("f4")
    )
    return Inputs(history, embeddings, n_threads, factors, tags)


def retrieve(
    name: str, inputs: Inputs, users: np.ndarray, n: int, params: SourcesParams = PARAMS
) -> Retrieved:
    """The n best of a source, fitted for these users alone."""
    return fit(name, inputs, params)(users, n)


def best_unseen(history: History, scores: np.ndarray, n: int) -> list[list[int]]:
    """For each user: the n best unseen items of a row of scores, ties by item; -inf is no item."""
    lists = []
    for user, row in enumerate(scores):
        seen = set(history.exposures[[user]].indices.tolist())
        order = sorted(range(history.n_items), key=lambda item, row=row: (-row[item], item))
        named = [item for item in order if item not in seen and row[item] > -np.inf][:n]
        lists.append(named + [-1] * (n - len(named)))
    return lists


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("n", [1, 4, 40])
def test_no_source_names_an_exposed_item(name: str, n: int) -> None:
    """Nor an item twice; best first, and -1 with NaN in the places it cannot fill."""
    history = random_history(0)
    users = np.arange(history.n_users)
    found = retrieve(name, inputs_of(history), users, n)
    assert found.item.shape == found.score.shape == (history.n_users, n)
    assert (found.item.dtype, found.score.dtype) == (np.int32, np.float32)
    assert (found.item >= 0).any()
    for user, item, score in zip(users, found.item, found.score, strict=True):
        named = item[item >= 0]
        assert not set(named.tolist()) & set(history.exposures[[user]].indices.tolist())
        assert len(set(named.tolist())) == len(named)
        assert (item[len(named) :] == -1).all()
        assert (np.isnan(score) == (item == -1)).all()
        assert (np.diff(score[: len(named)]) <= 0).all()
    assert (found.item[0] == -1).all()  # user 0 has seen all


@pytest.mark.parametrize("name", SOURCES)
def test_sources_serve_the_users_asked_for(name: str) -> None:
    """In any order, one alone, and nobody: to the last bit, whoever else is served."""
    inputs = inputs_of(random_history(1, n_items=40))
    all_users = retrieve(name, inputs, np.arange(inputs.history.n_users), 5)
    for users in (np.array([7, 2, 11]), np.array([3])):
        found = retrieve(name, inputs, users, 5)
        assert found.item.tobytes() == all_users.item[users].tobytes()
        assert found.score.tobytes() == all_users.score[users].tobytes()
    assert retrieve(name, inputs, users[:0], 5).item.shape == (0, 5)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("n_items", [15, 90])
def test_new_users_are_served_as_those_of_the_history(name: str, n_items: int) -> None:
    """To the last bit, where they have done the same; what is fitted, is fitted without them."""
    inputs = inputs_of(random_history(5, n_items=n_items))
    all_users = retrieve(name, inputs, np.arange(inputs.history.n_users), 5)
    chosen = [7, 0, 7, 3]
    users, factors = part_of(inputs.history, chosen), inputs.factors
    factors = Factors(factors.user_factors[chosen], factors.item_factors, users.users, users.items)
    found = retrieve(name, replace(inputs, factors=factors, new_users=users), np.arange(4), 5)
    assert found.item.tobytes() == all_users.item[chosen].tobytes()
    assert found.score.tobytes() == all_users.score[chosen].tobytes()


@pytest.mark.parametrize("name", SOURCES)
def test_blocks_of_users_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    users = np.arange(12)
    whole = retrieve(name, inputs_of(random_history(2)), users, 5)
    monkeypatch.setattr(products, "BLOCK", 100)  # 2 to 20 users at a time
    found = retrieve(name, inputs_of(random_history(2)), users, 5)
    assert found.item.tobytes() == whole.item.tobytes()
    assert found.score.tobytes() == whole.score.tobytes()


@pytest.mark.parametrize("block", [1, 40, 130, 10**6])
def test_scores_by_vectors_are_exact_sums_in_any_order_and_block(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last bit of a float32; a row of a product of BLAS alone is not, under any kernel."""
    monkeypatch.setattr(products, "BLOCK", block)
    history = random_history(4, n_users=25, n_items=40)
    rng = np.random.default_rng(1)
    users = rng.permutation(history.n_users)
    vectors, items = (
        rng.normal(size=(n, 32)).astype(np.float32) for n in (len(users), history.n_items)
    )
    place = np.argsort(users)  # vectors[i] is that of users[i]
    retrieved = by_vectors(history, lambda asked: vectors[place[asked]], items, n_threads=2)
    found = retrieved(users, 7)
    n_bits = products.grid_bits(32) // 2
    vectors, items = (products.on_grid(of, n_bits).tolist() for of in (vectors, items))
    for row in range(len(users)):
        for item, score in zip(found.item[row], found.score[row], strict=True):
            if item >= 0:
                assert score == np.float32(exact_sum(vectors[row], items[item]))


@pytest.mark.parametrize("is_dense", [True, False])
def test_scores_of_ease_are_exact_sums(is_dense: bool) -> None:
    """Whether the positives are multiplied as a dense or as a sparse matrix."""
    history = random_history(4, n_users=25, n_items=40)
    if not is_dense:  # most items are in nobody's positives
        rows = [(int(u), int(u) % 3, 0, LIKED) for u in range(30)]
        history = history_of([*rows, *((0, item, 0, SEEN) for item in range(3, 90))], 1)
    known = most_popular(history.positives, PARAMS.ease.max_items)
    weights = ease_weights(history.positives[:, known], PARAMS.ease.l2, n_threads=1)
    positives = history.positives[:, known].toarray()
    assert (positives.mean() > 0.1) == is_dense
    found = retrieve("ease", inputs_of(history), np.arange(history.n_users), 5)
    place = {item: number for number, item in enumerate(known.tolist())}
    for row, items in enumerate(found.item.tolist()):
        for number, item in enumerate(items):
            if item >= 0:
                column = weights[:, place[item]]
                expected = np.float32(exact_sum(positives[row].tolist(), column.tolist()))
                assert found.score[row, number] == expected


@pytest.mark.parametrize("name", SOURCES)
def test_sources_are_the_same_at_any_number_of_threads(name: str) -> None:
    one, three = (
        retrieve(name, inputs_of(random_history(3), n_threads=n), np.arange(12), 5) for n in (1, 3)
    )
    assert one.item.tobytes() == three.item.tobytes()
    assert one.score.tobytes() == three.score.tobytes()


@pytest.mark.parametrize("n", [1, 5, 30])
@pytest.mark.parametrize("seed", range(5))
def test_als_equals_all_dot_products(seed: int, n: int) -> None:
    history = random_history(seed)
    inputs = inputs_of(history)
    scores = inputs.factors.user_factors.astype(float) @ inputs.factors.item_factors.T.astype(float)
    found = retrieve("als", inputs, np.arange(history.n_users), n)
    assert found.item.tolist() == best_unseen(history, scores, n)
    for user in range(history.n_users):
        is_named = found.item[user] >= 0
        expected = scores[user, found.item[user][is_named]]
        np.testing.assert_allclose(found.score[user][is_named], expected, rtol=1e-4, atol=1e-6)


def test_als_breaks_ties_by_item() -> None:
    """Every score is one of -1, 0 and 1, exactly."""
    history = random_history(3, n_items=40)
    rng = np.random.default_rng(3)
    items = np.eye(4, dtype=np.float32)[rng.integers(4, size=history.n_items)]
    users = np.zeros((history.n_users, 4), dtype=np.float32)
    users[:, 1], users[:, 2] = 1, -1
    factors = Factors(users, items, history.users, history.items)
    inputs = Inputs(history, np.zeros((history.n_items, 1), np.float32), 1, factors)
    found = retrieve("als", inputs, np.arange(history.n_users), 12)
    assert found.item.tolist() == best_unseen(history, users @ items.T, 12)


@pytest.mark.parametrize("n_items", [15, 90])  # many positives a user, and few: BLAS, and scipy
@pytest.mark.parametrize("seed", range(5))
def test_ease_equals_the_closed_formula(seed: int, n_items: int) -> None:
    history = random_history(seed, n_items=n_items)
    positives = history.positives.toarray().astype(np.float64)
    inverse = np.linalg.inv(positives.T @ positives + 2.0 * np.eye(history.n_items))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    np.testing.assert_allclose(ease_weights(history.positives, 2.0, 1), weights, atol=1e-5)
    scores = positives @ weights
    found = retrieve("ease", inputs_of(history), np.arange(history.n_users), 6)
    for user, item in enumerate(best_unseen(history, scores, 6)):
        is_named = np.array(item) >= 0
        np.testing.assert_allclose(
            found.score[user][is_named], scores[user, np.array(item)[is_named]], atol=1e-5
        )
        np.testing.assert_allclose(  # the same items, but for ties within rounding
            scores[user, found.item[user][is_named]], found.score[user][is_named], atol=1e-5
        )


def test_ease_keeps_to_the_popular_items_of_a_large_catalogue() -> None:
    """Items 0, 1, 2, 3 have 1, 3, 1, 2 positives; the tie is broken by item."""
    liked = [(0, 1), (1, 1), (2, 1), (0, 3), (1, 3), (2, 0), (1, 2)]
    history = history_of([(*pair, 0, LIKED) for pair in liked], 1)
    params = PARAMS.model_copy(update={"ease": EaseParams(l2=2.0, max_items=3, half_life=0)})
    assert most_popular(history.positives, 3).tolist() == [0, 1, 3]
    found = retrieve("ease", inputs_of(history), np.arange(3), 4, params)
    assert set(found.item.ravel().tolist()) <= {-1, 0, 1, 3}
    assert found.item[0].tolist()[1:] == [-1, -1, -1]  # unseen: 0, 2, and 2 is not known


@pytest.mark.parametrize("seed", range(5))
def test_item_knn_sums_the_similarities_to_the_positives(seed: int) -> None:
    history = random_history(seed)
    inputs = inputs_of(history)
    similarity = item_knn_similarity(history.positives, PARAMS.item_knn, n_threads=1)
    scores = history.positives.toarray() @ similarity.toarray()
    scores[scores <= 0] = -np.inf
    found = retrieve("item_knn", inputs, np.arange(history.n_users), 6)
    expected = np.array(best_unseen(history, scores, 6))
    np.testing.assert_array_equal(found.item == -1, expected == -1)
    row, place = np.nonzero(expected >= 0)
    best = scores[row, expected[row, place]]
    np.testing.assert_allclose(found.score[row, place], best, rtol=1e-5)
    np.testing.assert_allclose(scores[row, found.item[row, place]], best, rtol=1e-5)


@pytest.mark.parametrize("name", ["item_knn", "ease"])
def test_old_positives_weigh_less(name: str) -> None:
    """Of the models as of the user: item 2 stands beside the one that user 0 liked long ago, item 3
    beside the one it liked lately, else all is alike.
    """
    old = [(user, item, 0, LIKED) for user, item in ((0, 0), (1, 0), (1, 2))]
    new = [(user, item, 3, LIKED) for user, item in ((0, 1), (2, 1), (2, 3))]
    inputs = inputs_of(history_of(old + new, 4))
    of_age = {"half_life": 1.0}
    decaying = PARAMS.model_copy(update={name: getattr(PARAMS, name).model_copy(update=of_age)})
    without, with_decay = (
        retrieve(name, inputs, np.array([0]), 2, params) for params in (PARAMS, decaying)
    )
    assert without.item.tolist() == [[2, 3]]
    assert without.score[0, 0] == pytest.approx(without.score[0, 1])
    assert with_decay.item.tolist() == [[3, 2]]
    assert with_decay.score[0, 0] > 2 * with_decay.score[0, 1]


@pytest.mark.parametrize("n", [1, 6, 20])
@pytest.mark.parametrize("seed", range(3))
def test_item_knn_of_a_large_catalogue(seed: int, n: int) -> None:
    """Most items are similar to none that a user likes; of all those that 40 users like one alike,
    many have equal scores.
    """
    rng = np.random.default_rng(seed)
    pairs = sorted({(u, int(u % 4 * 100 + rng.integers(15))) for u in range(40) for _ in range(4)})
    pairs += [(0, item) for item in range(400, 1000)]  # user 0 only saw these
    history = history_of([(u, i, 0, LIKED if i < 400 else SEEN) for u, i in pairs], 1)
    item_knn = ItemKnnParams(neighbours=50, weighting="count", last_items=10, half_life=0)
    params = PARAMS.model_copy(update={"item_knn": item_knn})
    similarity = item_knn_similarity(history.positives, item_knn, n_threads=1)
    product = sparse.csr_matrix(history.positives) @ similarity
    assert 4 * product.nnz < product.shape[0] * product.shape[1]  # or this tests nothing new
    scores = product.toarray()
    scores[scores <= 0] = -np.inf
    found = retrieve("item_knn", inputs_of(history), np.arange(history.n_users), n, params)
    assert found.item.tolist() == best_unseen(history, scores, n)
    row, place = np.nonzero(found.item >= 0)
    np.testing.assert_array_equal(found.score[row, place], scores[row, found.item[row, place]])


def test_item_knn_names_only_similar_items() -> None:
    """Item 2 has no user in common with item 0."""
    history = history_of(
        [(0, 0, 0, LIKED), (1, 0, 0, LIKED), (1, 1, 0, LIKED), (2, 2, 0, LIKED)], 1
    )
    found = retrieve("item_knn", inputs_of(history), np.array([0]), 3)
    assert found.item.tolist() == [[1, -1, -1]]
    np.testing.assert_allclose(found.score[0, 0], 1 / (2 * 1) ** 0.5, rtol=1e-6)


ROWS = [
    (0, 0, 0, LIKED),
    (1, 0, 0, LIKED),
    (2, 1, 0, LIKED),
    (2, 3, 0, SEEN),
    (0, 1, 1, LIKED),
    (0, 2, 2, LIKED),
    (1, 3, 2, SEEN),
]


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        (None, [2, 2, 1, 0]),
        (1, [0, 0, 1, 0]),
        (2, [0, 1, 1, 0]),
        (3, [2, 2, 1, 0]),
        (50, [2, 2, 1, 0]),
    ],
)
def test_popularity_of_the_last_windows(windows: int | None, expected: list[int]) -> None:
    assert popularity(history_of(ROWS, 3), windows).tolist() == expected


def test_the_last_windows_are_those_before_the_target_even_if_empty() -> None:
    assert popularity(history_of(ROWS, 5), 2).tolist() == [0, 0, 0, 0]
    assert popularity(history_of(ROWS, 5), 3).tolist() == [0, 0, 1, 0]


def test_recent_popularity_breaks_ties_by_all_positives() -> None:
    expected = [0 + 2 / 3, 1 + 2 / 3, 1 + 1 / 3, 0 + 0 / 3]
    np.testing.assert_allclose(recent_popularity(history_of(ROWS, 3), 2), expected)


def test_by_ranking_skips_what_was_seen_and_breaks_ties_by_item() -> None:
    """User 0 has seen 0, 1, 2; user 1 has seen 0, 3; -1 is unknown."""
    history = history_of(ROWS, 3)
    scores = np.array([5.0, 1.0, 7.0, 1.0])
    found = by_ranking(history, scores, n_threads=1)(np.array([-1, 0, 1, -1]), 3)
    assert found.item.tolist() == [[2, 0, 1], [3, -1, -1], [2, 1, -1], [2, 0, 1]]
    np.testing.assert_array_equal(
        found.score, [[7, 5, 1], [1, np.nan, np.nan], [7, 1, np.nan], [7, 5, 1]]
    )


@pytest.mark.parametrize("users", [[-1, -1], []])
def test_by_ranking_of_unknown_users_alone(users: list[int]) -> None:
    retrieved = by_ranking(history_of(ROWS, 3), np.array([0.0, 1.0, 2.0, 3.0]), n_threads=2)
    found = retrieved(np.array(users, int), 6)
    assert found.item.tolist() == [[3, 2, 1, 0, -1, -1]] * len(users)
    assert found.score.shape == (len(users), 6)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("block", [10, 16_000_000])
def test_by_ranking_equals_a_plain_loop(
    seed: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "BLOCK", block)
    history = random_history(seed)
    scores = np.random.default_rng(seed).integers(0, 4, history.n_items).astype(np.float32)
    expected = best_unseen(history, np.tile(scores, (history.n_users, 1)), 5)
    users = np.append(np.arange(history.n_users), -1)
    unknown = sorted(range(history.n_items), key=lambda item: (-scores[item], item))[:5]
    assert by_ranking(history, scores, n_threads=1)(users, 5).item.tolist() == [*expected, unknown]


def test_by_ranking_goes_as_deep_as_it_must() -> None:
    """User 0 has seen the first 50 of the ranking, user 1 the last."""
    rows = [(0, item, 0, LIKED) for item in range(50)] + [(1, 60, 0, LIKED)]
    rows += [(2, item, 0, SEEN) for item in range(61)]
    history = history_of(rows, 1)
    found = by_ranking(history, -np.arange(61.0), n_threads=2)(np.array([0, 1, 2]), 3)
    assert found.item.tolist() == [[50, 51, 52], [0, 1, 2], [-1, -1, -1]]


def test_content_is_the_cosine_with_the_mean_of_the_positives() -> None:
    """User 0 likes items 0 and 1 at right angles; item 3 has no embedding."""
    rows = [(0, 0, 0, LIKED), (0, 1, 0, LIKED), (1, 2, 0, LIKED), (1, 3, 0, LIKED)]
    embeddings = np.array([[2, 0], [0, 3], [0, 5], [np.nan, np.nan]], dtype=np.float32)
    inputs = Inputs(history_of(rows, 1), embeddings, 1)
    found = retrieve("content", inputs, np.array([0]), 3)
    assert found.item.tolist() == [[2, 3, -1]]
    np.testing.assert_allclose(found.score[0, :2], [1 / 2**0.5, 0], rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_next_item_sums_the_transitions_from_the_latest_positives(seed: int) -> None:
    history = random_history(seed)
    scores = by_recency(history.positives, 3).toarray() @ transitions(history, 2).toarray()
    scores[scores <= 0] = -np.inf
    found = retrieve("next_item", inputs_of(history), np.arange(history.n_users), 6)
    expected = np.array(best_unseen(history, scores, 6))
    np.testing.assert_array_equal(found.item == -1, expected == -1)
    row, place = np.nonzero(expected >= 0)
    best = scores[row, expected[row, place]]
    np.testing.assert_allclose(found.score[row, place], best, rtol=1e-5)
    np.testing.assert_allclose(scores[row, found.item[row, place]], best, rtol=1e-5)


def test_next_item_by_hand() -> None:
    """Users 1 and 2 liked 1 after 0, user 3 liked 2 and 3 after it, user 4 liked 4 before it; user
    0 liked 0 last. Of the equal 2 and 3, with reach 1 only 2 comes next.
    """
    orders = {0: [0], 1: [0, 1], 2: [0, 1], 3: [0, 2, 3], 4: [4, 0]}
    rows = [(user, item, 0, LIKED) for user, items in orders.items() for item in items]
    inputs = inputs_of(history_of(rows, 1))
    params = PARAMS.model_copy(update={"next_item": NextItemParams(last_items=1, reach=1)})
    found = retrieve("next_item", inputs, np.array([0]), 4, params)
    assert found.item.tolist() == [[1, 2, -1, -1]]
    np.testing.assert_allclose(found.score[0, :2], [2 / (5 * 2) ** 0.5, 1 / (5 * 1) ** 0.5])


TAGGED = [  # user, item, window, strength: items 0, 1 of A, 2, 3 of B, 4 of A and B, 5 of none
    (0, 0, 0, LIKED),
    (0, 2, 0, LIKED),
    (0, 4, 0, SEEN),
    (1, 1, 0, LIKED),
    (2, 1, 0, LIKED),
    (3, 1, 0, LIKED),
    (1, 3, 1, LIKED),
    (2, 3, 1, LIKED),
    (1, 5, 1, LIKED),
    (2, 0, 1, SEEN),
    (3, 4, 1, LIKED),
    (2, 6, 1, SEEN),
]
TAGS = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1 / 2, 1 / 2], [0, 0], [1, 0]], np.float32)


@pytest.mark.parametrize(
    ("favourites", "windows", "expected"),
    [
        (1, 1, [[1, -1, -1], [4, 0, -1], [4, -1, -1]]),
        (2, 1, [[3, 1, -1], [4, 0, 2], [4, 2, -1]]),
        (2, 2, [[1, 3, -1], [0, 2, 4], [2, 4, -1]]),
        (9, 2, [[1, 3, -1], [0, 2, 4], [2, 4, -1]]),
    ],
)
def test_author_top_by_hand(favourites: int, windows: int, expected: list[list[int]]) -> None:
    """Users 0, 1 and 2 like A and B once each, so A is the favourite. Items 0 to 5 have 1, 3, 1, 2,
    1, 1 positives, in the last window 0, 0, 0, 2, 1, 1; nobody likes item 6, and item 5 has no tag.
    """
    inputs = Inputs(history_of(TAGGED, 2), TAGS, 1, tags=sparse.csr_array(TAGS))
    params = AuthorTopParams(favourites=favourites, windows=windows)
    found = retrieve(
        "author_top", inputs, np.arange(3), 3, PARAMS.model_copy(update={"author_top": params})
    )
    assert found.item.tolist() == expected


def test_author_top_counts_the_positives_of_a_tag_by_its_share() -> None:
    """User 3 liked 1 of A, and 4 of A and B: A counts 3 / 2, B 1 / 2."""
    inputs = Inputs(history_of(TAGGED, 2), TAGS, 1, tags=sparse.csr_array(TAGS))
    params = AuthorTopParams(favourites=1, windows=2)
    found = retrieve(
        "author_top", inputs, np.array([3]), 3, PARAMS.model_copy(update={"author_top": params})
    )
    assert found.item.tolist() == [[0, -1, -1]]
    assert found.score[0, 0] == np.float32(1 + 1 / (3 + 1))

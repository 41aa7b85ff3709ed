"""Item-item similarities by hand and by plain loops."""

import numpy as np
import pytest
from scipy import sparse

from folds.similarity import (
    ItemKnnParams,
    by_recency,
    item_knn_similarity,
    latest,
    normalised,
    transitions,
)
from histories import LIKED, SEEN, history_of


def user_item(*rows: list[int], n_items: int) -> sparse.csr_array:
    """Ones; the columns of each row in the given order, which is that of time."""
    indices = np.concatenate([np.array(row, dtype=np.int32) for row in rows])
    indptr = np.cumsum([0, *(len(row) for row in rows)]).astype(np.int32)
    ones = np.ones(len(indices), dtype=np.float32)
    return sparse.csr_array((ones, indices, indptr), shape=(len(rows), n_items))


def test_latest_keeps_the_end_of_each_row() -> None:
    kept = latest(user_item([3, 0, 2], [], [1], [2, 3], n_items=4), 2)
    assert kept.indices.tolist() == [0, 2, 1, 2, 3]
    assert kept.indptr.tolist() == [0, 2, 2, 3, 5]
    assert (kept.shape, kept.dtype, kept.data.tolist()) == ((4, 4), np.float32, [1.0] * 5)


def test_by_recency_weighs_the_latest_most() -> None:
    matrix = by_recency(user_item([3, 0, 2], [], [1], n_items=4), 2)
    expected = [[1 / 2, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]]
    np.testing.assert_array_equal(matrix.toarray(), expected)


def test_latest_of_all_is_the_matrix() -> None:
    matrix = user_item([3, 0, 2], [1], n_items=4)
    kept = latest(matrix, 100)
    assert (kept.indices.tolist(), kept.indptr.tolist()) == ([3, 0, 2, 1], [0, 3, 4])


def test_latest_keeps_the_weights() -> None:
    matrix = user_item([3, 0, 2], [1], n_items=4)
    matrix.data = np.array([1 / 4, 1 / 2, 1, 1], dtype=np.float32)
    assert latest(matrix, 2).data.tolist() == [1 / 2, 1, 1]


MATRIX = user_item([0, 1], [0, 1, 2], [0, 3], [2], n_items=4)


def knn(weighting: str, neighbours: int = 10, last_items: int = 10) -> np.ndarray:
    params = ItemKnnParams(
        neighbours=neighbours, weighting=weighting, last_items=last_items, half_life=0
    )
    similarity = item_knn_similarity(MATRIX, params, n_threads=1)
    assert similarity.dtype == np.float32
    assert similarity.has_sorted_indices
    return similarity.toarray()


def test_counts_of_common_users() -> None:
    expected = [[0, 2, 1, 1], [2, 0, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]]
    np.testing.assert_array_equal(knn("count"), expected)


def test_cosine() -> None:
    n = [3, 2, 2, 1]  # users of each item
    expected = np.zeros((4, 4))
    for i, j, common in ((0, 1, 2), (0, 2, 1), (0, 3, 1), (1, 2, 1)):
        expected[i, j] = expected[j, i] = common / (n[i] * n[j]) ** 0.5
    np.testing.assert_allclose(knn("cosine"), expected, rtol=1e-6)


def test_counts_of_weights() -> None:
    """A sum of products: items 0 and 1 of two users, 1/2 x 1 and 1 x 1/4."""
    weights = sparse.csr_array(np.array([[1 / 2, 1], [1, 1 / 4]], dtype=np.float32))
    params = ItemKnnParams(neighbours=1, weighting="count", last_items=2, half_life=1)
    similarity = item_knn_similarity(weights, params, n_threads=1)
    assert similarity.toarray().tolist() == [[0, 1 / 2 + 1 / 4], [1 / 2 + 1 / 4, 0]]


@pytest.mark.parametrize("weighting", ["count", "cosine", "tfidf", "bm25"])
def test_no_item_is_its_own_neighbour(weighting: str) -> None:
    similarity = knn(weighting)
    assert similarity.any()
    assert not similarity.diagonal().any()


def test_only_the_best_neighbours_are_kept() -> None:
    """Item 0 has the neighbours 1 (twice), 2 and 3."""
    similarity = knn("count", neighbours=1)
    assert (similarity > 0).sum(axis=0).max() == 1 or (similarity > 0).sum(axis=1).max() == 1
    assert similarity[1, 0] == 2


def test_only_the_latest_positives_count() -> None:
    """Of the user with 0, 1, 2 only 1 and 2 are left."""
    expected = [[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]]
    np.testing.assert_array_equal(knn("count", last_items=2), expected)


def test_similarity_is_the_same_at_any_number_of_threads() -> None:
    rng = np.random.default_rng(0)
    matrix = sparse.csr_array(rng.random((60, 25)) < 0.2, dtype=np.float32)
    params = ItemKnnParams(neighbours=5, weighting="cosine", last_items=10, half_life=0)
    one, two = (item_knn_similarity(matrix, params, n) for n in (1, 2))
    for part in ("indptr", "indices", "data"):
        assert getattr(one, part).tobytes() == getattr(two, part).tobytes()


ROWS = [
    (0, 0, 0, LIKED),
    (0, 1, 0, LIKED),
    (1, 1, 0, LIKED),
    (0, 3, 0, SEEN),  # not liked, so not part of the order
    (0, 2, 1, LIKED),
    (1, 2, 1, LIKED),
]


def test_transitions_by_hand() -> None:
    """User 0 likes 0, 1, 2, user 1 likes 1, 2; items 0, 1, 2, 3 are liked 1, 2, 2, 0 times."""
    expected = np.zeros((4, 4))
    expected[0, 1] = 1 / (1 * 2) ** 0.5
    expected[0, 2] = (1 / 2) / (1 * 2) ** 0.5
    expected[1, 2] = (1 + 1) / (2 * 2) ** 0.5
    np.testing.assert_allclose(transitions(history_of(ROWS, 2)).toarray(), expected, rtol=1e-6)


def test_transitions_reach_no_further() -> None:
    matrix = transitions(history_of(ROWS, 2), reach=1).toarray()
    assert [tuple(pair) for pair in np.argwhere(matrix)] == [(0, 1), (1, 2)]


def test_transitions_of_the_latest_positives() -> None:
    """Both users are left with 1, 2."""
    matrix = transitions(history_of(ROWS, 2), most=2).toarray()
    assert [tuple(pair) for pair in np.argwhere(matrix)] == [(1, 2)]
    assert matrix[1, 2] == pytest.approx((1 + 1) / (2 * 2) ** 0.5)


def test_transitions_of_a_single_positive() -> None:
    """Fewer rows than the reach."""
    matrix = transitions(history_of([(0, 0, 0, LIKED), (0, 1, 0, SEEN)], 1))
    assert (matrix.shape, matrix.nnz) == ((2, 2), 0)


def test_normalised() -> None:
    result = normalised(np.array([[3.0, 4.0], [0.0, 0.0], [np.nan, 1.0]], dtype=np.float32))
    np.testing.assert_allclose(result[0], [3 / 5, 4 / 5], rtol=1e-6)
    assert result[1:].tolist() == [[0, 0], [0, 0]]
    assert result.dtype == np.float32

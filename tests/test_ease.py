"""The weights of EASE, and its scores of users."""

from harness.script import InputError

import numpy as np
import pytest
from scipy import sparse

from folds import ease
from folds.ease import (
    co_occurrence,
    ease_scores,
    ease_weights,
    most_popular,
    sparse_co_occurrence,
)

LIKES = sparse.csr_array(np.array([[1, 0, 1], [1, 1, 0], [0, 0, 0]], dtype=np.float32))


def test_weights_of_two_items_by_hand() -> None:
    """X'X + 2 I = [[2 + 2, 1], [1, 1 + 2]]; its inverse is [[3, -1], [-1, 4]] / 11."""
    user_item = sparse.csr_array(np.array([[1, 0], [1, 1]], dtype=np.float32))
    np.testing.assert_allclose(
        ease_weights(user_item, 2.0, n_threads=1), [[0, 1 / 4], [1 / 3, 0]], rtol=1e-5
    )


def test_an_l2_that_vanishes_beside_the_counts_is_one_line() -> None:
    """An item that nobody likes, and float32, which has no 1e-50."""
    user_item = sparse.csr_array(np.array([[1, 0], [1, 0]], dtype=np.float32))
    with pytest.raises(InputError, match=r"an l2 of EASE is 1e-50: too little for these 2 items"):
        ease_weights(user_item, 1e-50, n_threads=1)


@pytest.mark.parametrize("dense_share", [0.0, 1.0])
def test_scores_are_the_rows_times_the_weights(
    dense_share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of dense rows as of sparse ones."""
    monkeypatch.setattr(ease, "DENSE_SHARE", dense_share)
    weights = ease_weights(LIKES, 2.0, n_threads=1)
    expected = [[0, 0, 0], [0, 0, 0], weights[0] + weights[2]]
    found = ease_scores(LIKES, 2.0, n_threads=1)(np.array([2, 2, 0]))
    np.testing.assert_array_equal(found, np.float32(expected))
    assert found.dtype == np.float32


def test_the_most_popular_items_ties_by_item() -> None:
    assert most_popular(LIKES, 10).tolist() == [0, 1, 2]
    assert most_popular(LIKES, 2).tolist() == [0, 1]


@pytest.mark.parametrize("n_users", [3, 400])
def test_co_occurrence_is_the_product(n_users: int) -> None:
    """Of few entries, as a sparse product, and of many."""
    rng = np.random.default_rng(0)
    user_item = sparse.csr_array((rng.random((n_users, 20)) < 0.3).astype(np.float32))
    expected = user_item.toarray().T @ user_item.toarray()
    np.testing.assert_array_equal(co_occurrence(user_item, n_threads=1), expected)


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("shape", [(30, 50), (5, 3), (4, 1), (0, 4), (6, 0)])
def test_sparse_co_occurrence_is_the_product(shape: tuple[int, int], n_threads: int) -> None:
    """Whatever falls into a block: some items have most of the entries, others none."""
    rng = np.random.default_rng(0)
    share = np.linspace(0, 1, shape[1]) ** 3
    dense = (rng.random(shape) < share) * rng.integers(1, 5, shape).astype(np.float64)
    found = sparse_co_occurrence(sparse.csr_array(dense), n_threads)
    np.testing.assert_array_equal(found, dense.T @ dense)
    assert found.shape == (shape[1], shape[1])

"""Popularity and diversity of lists, by hand arithmetic."""

from core.top_lists import TopLists

import numpy as np
import pytest
from scipy import sparse

from evaluation.beyond_accuracy import diversity, mean, membership, percentiles, popularity
from histories import LIKED, fold_of

LISTS = sparse.csr_array(  # of four users, the last one without a list
    np.array([[1, 1, 0, 0], [0, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]], dtype=np.float64)
)


def test_popularity_is_the_mean_percentile_of_the_list() -> None:
    found = popularity(LISTS, np.array([0.5, 0.1, 0.2, 0.0]))
    expected = [(0.5 + 0.1) / 2, (0.1 + 0.2 + 0.0) / 3, 0.5, np.nan]
    np.testing.assert_allclose(found, expected)


def test_diversity_is_one_minus_the_mean_cosine() -> None:
    """Item 3 has no vector. A list of one item has no pair, and neither has one without vectors."""
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8], [0, 0]], dtype=np.float32)
    found = diversity(LISTS, vectors)
    np.testing.assert_allclose(found, [1 - 0, 1 - 0.8, np.nan, np.nan], rtol=1e-6)
    assert np.isnan(diversity(LISTS, np.zeros((4, 0), np.float32))).all()


def test_percentiles_have_the_mean_rank_of_ties_and_0_for_a_new_item() -> None:
    found = percentiles(np.array([7, 2, 0, 2, 0]), np.array([True, True, False, True, True]))
    assert found.tolist() == [4 / 4, (2 + 3) / 2 / 4, 0, (2 + 3) / 2 / 4, 1 / 4]


def test_only_the_lists_of_the_users_count() -> None:
    """Rows of users.parquet and items.parquet become places: item 9 is the second of two."""
    history, _ = fold_of([(0, 4, 0, LIKED), (1, 9, 0, LIKED), (1, 4, 1, LIKED)], 1)
    lists = TopLists(np.array([1, 2, 2]), np.array([4, 4, 9]), np.array([1, 1, 2]), np.zeros(3))
    matrix = membership(lists, np.array([2, 3]), history)
    assert matrix.toarray().tolist() == [[1, 1], [0, 0]]


def test_a_list_without_a_value_does_not_count() -> None:
    assert mean(np.array([0.25, np.nan, 0.75])) == pytest.approx((0.25 + 0.75) / 2)
    assert np.isnan(mean(np.array([np.nan])))

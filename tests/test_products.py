"""Products of matrices: exact on a grid, whatever is multiplied at once."""

from fractions import Fraction

from core.products import grid_bits, on_grid, vector_scores

import numpy as np
import pytest


def exact_sum(left: np.ndarray, right: np.ndarray) -> float:
    """Return the dot product in rational numbers, rounded once."""
    pairs = zip(left.tolist(), right.tolist(), strict=True)
    return float(sum(Fraction(a) * Fraction(b) for a, b in pairs))


@pytest.mark.parametrize("width", [1, 3, 33, 200])
def test_scores_of_vectors_are_exact_sums_on_a_fine_grid(width: int) -> None:
    """Vectors of very different sizes, one of zeros; whichever users are asked for at once."""
    rng = np.random.default_rng(width)
    left, right = (
        (rng.normal(size=(20, width)) * 10.0 ** rng.integers(-6, 6, size=(20, width))).astype("f4")
        for _ in range(2)
    )
    left[0] = 0
    n_bits = grid_bits(width) // 2
    scores = vector_scores(left.__getitem__, right)
    whole = scores(np.arange(20)).toarray()
    assert whole.dtype == np.float32
    for user, item in np.ndindex(whole.shape):
        expected = exact_sum(on_grid(left[[user]], n_bits)[0], on_grid(right[[item]], n_bits)[0])
        assert whole[user, item] == np.float32(expected)
    for users in ([7, 2, 11], [3], []):
        block = scores(np.array(users, int))
        assert block.toarray().tobytes() == whole[users].tobytes()
        row, item = (of.ravel() for of in np.indices(block.shape))
        assert block.at(row, item).tobytes() == whole[users].tobytes()
    assert 2 * n_bits + np.log2(width) <= 53  # no sum of products is ever rounded
    for vectors in (left, right):
        largest = np.abs(vectors).max(axis=1, keepdims=True)
        steps = np.ldexp(on_grid(vectors, n_bits), n_bits - np.frexp(largest)[1])
        np.testing.assert_array_equal(steps, np.rint(steps))
    moved = np.abs(on_grid(left, n_bits) - left).max(axis=1)
    assert (moved <= np.abs(left).max(axis=1) * 2.0**-n_bits).all()
    np.testing.assert_array_equal(on_grid(left.T, n_bits, axis=0), on_grid(left, n_bits).T)

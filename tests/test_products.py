"""Products of matrices: exact on a grid, whatever is multiplied at once."""

from fractions import Fraction

import numpy as np
import pytest

from folds import products
from folds.products import blocks, grid_bits, on_grid


def test_blocks_are_the_users_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "BLOCK", 7)
    users = np.array([5, 1, 2, 8, 9])
    assert [block.tolist() for block in blocks(users, 3)] == [[5, 1], [2, 8], [9]]
    assert [block.tolist() for block in blocks(users, 100)] == [[5], [1], [2], [8], [9]]
    assert list(blocks(users[:0], 3)) == []


def exact_sum(left: np.ndarray, right: np.ndarray) -> float:
    """The dot product in rational numbers, rounded once."""
    return float(sum(Fraction(a) * Fraction(b) for a, b in zip(left, right, strict=True)))


@pytest.mark.parametrize("width", [1, 3, 32, 33, 500])
def test_products_on_a_grid_are_exact(width: int) -> None:
    """Factors of very different sizes, and a row of zeros: BLAS gives the exact sum."""
    rng = np.random.default_rng(width)
    left, right = (
        (rng.normal(size=(20, width)) * 10.0 ** rng.integers(-6, 6, size=(20, width))).astype("f4")
        for _ in range(2)
    )
    left[0] = 0
    n_bits = grid_bits(width) // 2
    left, right = on_grid(left, n_bits), on_grid(right, n_bits)
    product = left @ right.T
    for row, column in np.ndindex(product.shape):
        assert product[row, column] == exact_sum(left[row].tolist(), right[column].tolist())


@pytest.mark.parametrize("width", [1, 32, 500])
def test_the_grid_is_fine(width: int) -> None:
    """It moves no factor by more than half a unit of the last of n_bits bits of the largest."""
    values = np.random.default_rng(0).normal(size=(50, width)).astype(np.float32)
    n_bits = grid_bits(width) // 2
    moved = np.abs(on_grid(values, n_bits) - values).max(axis=1)
    assert (moved <= np.abs(values).max(axis=1) * 2.0**-n_bits).all()
    np.testing.assert_array_equal(on_grid(values.T, n_bits, axis=0), on_grid(values, n_bits).T)

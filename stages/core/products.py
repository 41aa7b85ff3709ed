"""Products of matrices with the same last bits, however many rows are multiplied at once."""

from collections.abc import Callable, Iterator

import numpy as np

BLOCK = 2_000_000  # scores held at once by each thread (16 MB)


def blocks(users: np.ndarray, width: int) -> Iterator[np.ndarray]:
    """Yield the users in parts, so that each has at most BLOCK scores of `width` items."""
    size = max(1, BLOCK // width)
    for start in range(0, len(users), size):
        yield users[start : start + size]


def on_grid(values: np.ndarray, n_bits: int, axis: int = 1) -> np.ndarray:
    """Return each vector along the axis rounded to multiples of one power of two, such that its
    largest absolute value takes n_bits bits: float64, same shape.

    The sum of d products of two such vectors needs at most the bits of both and log2(d) more. While
    these are no more than the 53 of a float64 nothing is ever rounded, so the sum is the same in
    any order, on any processor, in any block. BLAS promises none of that.
    """
    along = {"axis": axis, "keepdims": True, "initial": 0}
    largest_value = np.maximum(values.max(**along), -values.min(**along))
    unit = np.ldexp(1.0, np.frexp(largest_value)[1] - n_bits)
    grid = np.empty(values.shape)
    for rows in blocks(np.arange(len(values)), 64 * values.shape[1]):  # they stay in the cache
        part, of_part = slice(rows[0], rows[-1] + 1), unit[rows] if axis == 1 else unit
        block = np.multiply(values[part], 1 / of_part, out=grid[part])  # exact: a power of two
        np.multiply(np.rint(block, out=block), of_part, out=block)
    return grid


def grid_bits(width: int) -> int:
    """Return the bits left for both sides together in a sum of `width` products; see on_grid."""
    return 53 - (width - 1).bit_length()


def normalised(vectors: np.ndarray) -> np.ndarray:
    """Return rows of length 1, float32 of the same shape; rows of zeros or with NaN become 0."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(vectors / lengths, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32)


def vector_scores(
    vectors_of: Callable[[np.ndarray], np.ndarray], items: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from users, int (n,), to the dot products of their vectors with the items',
    float32 (n, n_items). vectors_of: users -> float32 (n, d); items: float32 (n_items, d)
    """
    n_bits = grid_bits(items.shape[1]) // 2
    columns = on_grid(items, n_bits).T
    return lambda users: (on_grid(vectors_of(users), n_bits) @ columns).astype(np.float32)

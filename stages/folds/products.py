"""Products of matrices that are the same to the last bit, however many rows are multiplied at once.

BLAS promises nothing of that kind: its sums depend on the processor, on the threads and on which
rows stand beside each other.
"""

from collections.abc import Iterator

import numpy as np

BLOCK = 2_000_000  # scores held at once by each thread (16 MB)


def blocks(users: np.ndarray, width: int) -> Iterator[np.ndarray]:
    """The users in parts, of each of which BLOCK scores of `width` items are held at once."""
    size = max(1, BLOCK // width)
    for start in range(0, len(users), size):
        yield users[start : start + size]


def on_grid(values: np.ndarray, n_bits: int, axis: int = 1) -> np.ndarray:
    """float64, same shape: each vector along the axis rounded to multiples of one power of two,
    such that its largest absolute value takes n_bits bits.

    The sum of d products of two such vectors needs at most the bits of both and log2(d) more. While
    these are no more than the 53 of a float64 nothing is ever rounded, so the sum is the same in
    any order, on any processor, whichever vectors stand beside it. BLAS promises none of that.
    """
    largest_value = np.maximum(
        values.max(axis=axis, keepdims=True, initial=0),
        -values.min(axis=axis, keepdims=True, initial=0),
    )
    unit = np.ldexp(1.0, np.frexp(largest_value)[1] - n_bits)
    grid = values * (1 / unit)  # the unit is a power of two, so this rounds nothing
    return np.multiply(np.rint(grid, out=grid), unit, out=grid)


def grid_bits(width: int) -> int:
    """Bits left for both sides together in a sum of `width` products; see on_grid."""
    return 53 - (width - 1).bit_length()

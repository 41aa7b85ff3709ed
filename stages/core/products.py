"""Matrix products whose bytes do not depend on the number of rows multiplied at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

BLOCK = 4_000_000  # scores that each thread holds at once (16 MB of float32)


def blocks(users: np.ndarray, width: int) -> Iterator[np.ndarray]:
    """Yield the users in blocks with at most BLOCK scores, `width` for each user."""
    size = max(1, BLOCK // width)
    for start in range(0, len(users), size):
        yield users[start : start + size]


def on_grid(values: np.ndarray, n_bits: int, axis: int = 1) -> np.ndarray:
    """Round each vector along the axis to multiples of a power of two, float64 of the same shape.

    The power is such that the largest absolute value of the vector has n_bits bits. A sum of d
    products of two such vectors needs at most the bits of both and log2(d) more. If these are at
    most the 53 bits of a float64, nothing is rounded, so the sum is the same in any order, on any
    processor and for any block of rows. BLAS alone does not guarantee this.
    """
    along = {"axis": axis, "keepdims": True, "initial": 0}
    largest_value = np.maximum(values.max(**along), -values.min(**along))
    unit = np.ldexp(1.0, np.frexp(largest_value)[1] - n_bits)
    grid = np.empty(values.shape)
    for rows in blocks(np.arange(len(values)), 128 * values.shape[1]):  # they fit the CPU cache
        part, of_part = slice(rows[0], rows[-1] + 1), unit[rows] if axis == 1 else unit
        block = np.multiply(values[part], 1 / of_part, out=grid[part])  # exact: a power of two
        np.multiply(np.rint(block, out=block), of_part, out=block)
    return grid


def grid_bits(width: int) -> int:
    """Return the bits for both factors together in an exact sum of `width` products."""
    return 53 - (width - 1).bit_length()


def normalised(vectors: np.ndarray) -> np.ndarray:
    """Return rows scaled to length 1, float32; rows of zeros or with NaN become 0."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(vectors / lengths, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32)


@dataclass(frozen=True)
class Products:
    """Exact dot products of the user vectors of a block with all item vectors, when needed."""

    users: np.ndarray  # float64 (n, d), on the grid
    items: np.ndarray  # float64 (n_items, d), on the grid
    rough: np.ndarray  # float32 (n_items, d): the same as items
    longest: float  # length of the longest item vector

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.users), len(self.items)

    def toarray(self) -> np.ndarray:
        """Return all products, float32 (n, n_items)."""
        return (self.users @ self.items.T).astype(np.float32)

    def at(self, row: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Return the products at these rows and items, float32 (len(row),)."""
        found = np.empty(len(row), dtype=np.float32)
        for part in blocks(np.arange(len(row)), 16 * self.items.shape[1]):
            of = slice(part[0], part[-1] + 1)
            found[of] = np.einsum("ij,ij->i", self.users[row[of]], self.items[item[of]])
        return found

    def estimates(self, items: np.ndarray | slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """Return estimates of the products with some items, (n, n_some), and the largest error of
        each row, (n,).

        Both are float32. Float32 arithmetic is three times faster. The error bound holds for any
        order of additions (Higham 2002, Accuracy and Stability of Numerical Algorithms, section
        3.1). items  int (n_some,); by default all
        """
        lengths = np.linalg.norm(self.users, axis=1)
        error = (self.items.shape[1] + 8) * 2.0**-24 * lengths * self.longest + 1e-30
        return self.users.astype(np.float32) @ self.rough[items].T, error.astype(np.float32)


def vector_scores(
    vectors_of: Callable[[np.ndarray], np.ndarray], items: np.ndarray
) -> Callable[[np.ndarray], Products]:
    """Return a function from users, int (n,), to the dot products of their vectors with all items.

    vectors_of  users -> float32 (n, d); items  float32 (n_items, d)
    """
    n_bits = grid_bits(items.shape[1]) // 2
    exact = on_grid(items, n_bits)
    of_items = exact, exact.astype(np.float32), np.linalg.norm(exact, axis=1).max(initial=0)
    return lambda users: Products(on_grid(vectors_of(users), n_bits), *of_items)

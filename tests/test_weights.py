"""Weights of interactions by age; test_models.py tests those by recency."""

from core.weights import WEIGHT_BITS, decayed, entry_bits, weights_by_age

import numpy as np
import pytest

from histories import LIKED, SEEN, history_of

ROWS = [
    (0, 2, 0, LIKED),
    (1, 0, 0, LIKED),
    (0, 0, 1, SEEN),
    (0, 1, 2, LIKED),
    (1, 1, 2, SEEN),
    (0, 2, 2, LIKED),  # again
]


@pytest.mark.parametrize(
    ("of", "n_windows", "half_life", "expected"),
    [
        ("positives", 3, 2.0, [[0, 1, 1 / 2], [1 / 2, 0, 0]]),  # a pair ages from its first row on
        ("exposures", 3, 2.0, [[724 / 1024, 1, 1 / 2], [1 / 2, 1, 0]]),  # 1 / sqrt(2) on the grid
        ("positives", 5, 1.0, [[0, 1 / 4, 1 / 16], [1 / 16, 0, 0]]),  # nothing in the last windows
    ],
)
def test_entries_weigh_half_after_each_half_life(
    of: str, n_windows: int, half_life: float, expected: list[list[float]]
) -> None:
    history = history_of(ROWS, n_windows)
    found = decayed(history, of, half_life)
    np.testing.assert_array_equal(found.toarray(), expected)
    assert found.dtype == np.float32
    assert found.indices.tolist() == getattr(history, of).indices.tolist()  # in time order
    assert (getattr(history, of).data == 1).all()
    assert (entry_bits(getattr(history, of)), entry_bits(found)) == (1, 1 + WEIGHT_BITS)
    assert decayed(history, of, 0) is getattr(history, of)


@pytest.mark.parametrize("half_life", [1e-320, 0.3, 4.0, 1e9])
def test_weights_are_on_the_grid_and_never_zero(half_life: float) -> None:
    units = weights_by_age(50, half_life) * 2**WEIGHT_BITS
    assert units[0] == 2**WEIGHT_BITS
    assert (units == np.rint(units)).all()
    assert units.min() >= 1
    assert (np.diff(units) <= 0).all()

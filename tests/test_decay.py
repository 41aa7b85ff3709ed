"""What an interaction weighs, by its age; and that sums of such weights are exact."""

import numpy as np
import pytest

from folds import ease, products
from folds.decay import WEIGHT_BITS, decayed, entry_bits, weights_by_age
from folds.ease import co_occurrence, ease_scores, ease_weights
from folds.history import History
from histories import LIKED, SEEN, history_of
from test_products import exact_sum

ROWS = [
    (0, 2, 0, LIKED),
    (1, 0, 0, LIKED),
    (0, 0, 1, SEEN),
    (0, 1, 2, LIKED),
    (1, 1, 2, SEEN),
    (0, 2, 2, LIKED),  # again
]


def random_history(n_users: int) -> History:
    """Of four windows."""
    rng = np.random.default_rng(n_users)
    return history_of(
        [
            (u, int(i), w, LIKED)
            for w in range(4)
            for u in range(n_users)
            for i in rng.choice(30, 3)
        ],
        4,
    )


def test_a_positive_weighs_half_after_each_half_life() -> None:
    """Two windows: those of the first of three weigh 2^(-2 / 2), a pair from its first row on."""
    found = decayed(history_of(ROWS, 3), "positives", 2.0)
    np.testing.assert_array_equal(found.toarray(), [[0, 1, 1 / 2], [1 / 2, 0, 0]])
    assert found.dtype == np.float32


def test_exposures_that_are_not_positive_decay_too() -> None:
    """1 / sqrt 2 is 724 / 1024."""
    found = decayed(history_of(ROWS, 3), "exposures", 2.0)
    np.testing.assert_array_equal(found.toarray(), [[724 / 1024, 1, 1 / 2], [1 / 2, 1, 0]])


def test_age_counts_from_the_end_of_the_history_though_nothing_happened_there() -> None:
    found = decayed(history_of(ROWS, 5), "positives", 1.0)
    np.testing.assert_array_equal(found.toarray(), [[0, 1 / 4, 1 / 16], [1 / 16, 0, 0]])


@pytest.mark.parametrize("of", ["positives", "exposures"])
def test_without_a_half_life_it_is_the_very_matrix(of: str) -> None:
    history = history_of(ROWS, 3)
    assert decayed(history, of, 0) is getattr(history, of)


def test_decay_keeps_the_order_and_changes_no_history() -> None:
    history = history_of(ROWS, 3)
    found = decayed(history, "positives", 1.0)
    assert found.indices.tolist() == history.positives.indices.tolist() == [2, 1, 0]
    assert history.positives.data.tolist() == [1, 1, 1]


@pytest.mark.parametrize("half_life", [1e-320, 0.3, 4.0, 1e9])
def test_weights_are_on_the_grid_and_never_zero(half_life: float) -> None:
    units = weights_by_age(50, half_life) * 2**WEIGHT_BITS
    assert units[0] == 2**WEIGHT_BITS
    assert (units == np.rint(units)).all()
    assert units.min() >= 1
    assert (np.diff(units) <= 0).all()


def test_bits_of_an_entry() -> None:
    history = history_of(ROWS, 3)
    assert entry_bits(history.positives) == 1
    assert entry_bits(decayed(history, "positives", 2.0)) == 11


@pytest.mark.parametrize("block", [1, 10**6])
@pytest.mark.parametrize("n_users", [3, 300])
def test_co_occurrence_of_weights_is_exact(
    n_users: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of few entries, as a sparse product, and of many; rounded once, to float32."""
    monkeypatch.setattr(products, "BLOCK", block)
    user_item = decayed(random_history(n_users), "positives", 1.5)
    units = np.rint(user_item.toarray() * 2**WEIGHT_BITS).astype(np.int64)
    expected = np.float32((units.T @ units) / 2.0 ** (2 * WEIGHT_BITS))
    found = co_occurrence(user_item, n_threads=1)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dense_share", [0.0, 1.0])
def test_scores_of_ease_by_weights_are_exact_sums(
    dense_share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ease, "DENSE_SHARE", dense_share)
    user_item = decayed(random_history(40), "positives", 1.5)
    weights = ease_weights(user_item, 2.0, n_threads=1)
    found = ease_scores(user_item, 2.0, n_threads=1)(np.arange(40))
    sums = user_item.toarray().astype(np.float64) @ weights
    for user, row in enumerate(user_item.toarray().tolist()):
        for item, column in enumerate(weights.T.tolist()):
            assert sums[user, item] == exact_sum(row, column)  # in float64, to the last bit
            assert found[user, item] == np.float32(sums[user, item])


def test_weights_of_ease_by_hand() -> None:
    """Item 0 a window ago, weight 1/2, item 1 now: X'X + I = [[1/4 + 1, 1/2], [1/2, 1 + 1]]; the
    inverse is [[2, -1/2], [-1/2, 5/4]] / (9/4), so 0 gives 1 a weight of 2/5, 1 gives 0 one of 1/4.
    """
    user_item = decayed(history_of([(0, 0, 0, LIKED), (0, 1, 1, LIKED)], 2), "positives", 1.0)
    expected = [[0, (1 / 2) / (5 / 4)], [(1 / 2) / 2, 0]]
    np.testing.assert_allclose(ease_weights(user_item, 1.0, n_threads=1), expected, rtol=1e-5)

"""The bootstrap over users, against a plain loop and hand arithmetic."""

import numpy as np
import pytest

from evaluation import bootstrap as module
from evaluation.bootstrap import Interval, bootstrap, intervals, seed_variance
from rankers.scoring import ensembles

DIFFERENCE = np.array([0.5, 0.0, 0.0, -0.25, 0.5, 0.1, 0.0, 0.3, -0.1, 0.0, 0.2, -0.05])
USER = np.array([3, 3, 1, 7, 7, 6, 2, 9, 4, 10, 5, 8])  # of each list


def plain_bootstrap(
    difference: np.ndarray, user: np.ndarray, n_resamples: int
) -> tuple[float, float, float, float]:
    """Low, high, p-value and standard deviation, by drawing users with all their lists."""
    rng = np.random.default_rng(99)
    lists = [difference[user == one].tolist() for one in np.unique(user)]
    means = []
    for _ in range(n_resamples):
        drawn = [value for at in rng.integers(len(lists), size=len(lists)) for value in lists[at]]
        means.append(sum(drawn) / len(drawn))
    means.sort()
    tail = min(sum(mean <= 0 for mean in means), sum(mean >= 0 for mean in means))
    low, high = means[n_resamples * 25 // 1000], means[n_resamples * 975 // 1000]
    return low, high, 2 * tail / n_resamples, float(np.std(means))


@pytest.mark.parametrize("user", [np.arange(12), USER], ids=["a list each", "several lists"])
def test_it_agrees_with_a_plain_loop(user: np.ndarray) -> None:
    low, high, p_value, deviation = plain_bootstrap(DIFFERENCE, user, 20_000)
    result = bootstrap(DIFFERENCE, user, 20_000, seed=1)
    # standard error of a quantile: sqrt(0.025 * 0.975 / 20 000) / density, and the density of the
    # means at their quantiles is 0.058 / 0.065: 0.0012, 0.0017 for two; 0.01 is six times that
    assert result["ci95_low"] == pytest.approx(low, abs=0.01)
    assert result["ci95_high"] == pytest.approx(high, abs=0.01)
    assert result["p_value"] == pytest.approx(p_value, abs=2 * 6 * (0.05 * 0.95 / 20_000) ** 0.5)
    assert result["min_detectable"] == pytest.approx(2.8 * deviation, rel=0.05)


def test_both_ways_to_draw_agree() -> None:
    """With few distinct values counts are drawn, otherwise users. Half of the lists belong to a
    user with two.
    """
    user = np.arange(200) // np.repeat([2, 1], 100)
    few = np.repeat([0.5, 0.0, -0.3], [60, 100, 40])
    many = few + np.linspace(0, 1e-9, len(few))
    one, other = (bootstrap(values, user, 20_000, seed=1) for values in (few, many))
    assert one != other
    for key, value in one.items():
        assert other[key] == pytest.approx(value, abs=0.003)


def test_it_depends_on_the_seed_and_not_on_the_order_of_users() -> None:
    first = bootstrap(DIFFERENCE, np.arange(12), 1000, seed=1)
    assert bootstrap(DIFFERENCE, np.arange(12), 1000, seed=1) == first
    assert bootstrap(DIFFERENCE[::-1], np.arange(12), 1000, seed=1) == first
    assert bootstrap(DIFFERENCE, np.arange(12), 1000, seed=2) != first


def test_draws_in_blocks_are_the_same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last block is not full. A position that is not filled would be zero."""
    whole = bootstrap(DIFFERENCE + 5, USER, 100, seed=3)
    monkeypatch.setattr(np, "empty", np.zeros)
    monkeypatch.setattr(module, "CELLS_AT_ONCE", 7 * 11)
    assert bootstrap(DIFFERENCE + 5, USER, 100, seed=3) == whole
    assert whole["p_value"] == 2 * (0 + 1) / (100 + 1)


@pytest.mark.parametrize(("value", "p_value"), [(0.0, 1.0), (0.5, 2 / 101), (-0.5, 2 / 101)])
def test_a_constant_has_no_width_and_its_p_value_is_never_zero(
    value: float, p_value: float
) -> None:
    """Fewer than ten users have no interval, however many lists they have."""
    enough = bootstrap(np.full(40, value), np.arange(40) % 10, 100, seed=0)
    bounds = {"ci95_low": value, "ci95_high": value}
    assert enough == {**bounds, "p_value": p_value, "min_detectable": 0.0}
    few = bootstrap(np.full(40, value), np.arange(40) % 9, 100, seed=0)
    assert few.keys() == enough.keys()
    assert np.isnan(list(few.values())).all()


def test_columns_have_intervals_over_the_lists_that_count() -> None:
    """Each interval is that of the bootstrap. A column without lists is left out."""
    user = np.arange(40) % 20
    values = np.linspace(-1, 2, 40)
    columns = {name: np.where(user < n, values, np.nan) for name, n in (("some", 12), ("none", 0))}
    found = intervals(columns, user, 200, seed=3, n_threads=2)
    assert list(found) == ["some"]
    is_in = user < 12
    alone = bootstrap(values[is_in], user[is_in], 200, seed=3)
    mean = pytest.approx(sum(values[is_in]) / 24)
    assert found["some"] == Interval(mean, alone["ci95_low"], alone["ci95_high"], 24)


def jackknife(of_models: np.ndarray) -> float:
    """The variance of the mean of the models, by leaving out one at a time: float64 (n_models,)."""
    n = len(of_models)
    left = [np.mean([*of_models[:out], *of_models[out + 1 :]]) for out in range(n)]
    return (n - 1) / n * sum((one - np.mean(left)) ** 2 for one in left)


def test_variance_over_seeds_is_that_of_a_jackknife_over_models() -> None:
    """The metric is linear in the models, and windows have different models."""
    rng = np.random.default_rng(0)
    window = np.repeat([3, 4], [20, 30])
    models = rng.normal(size=(8, 2))[:, window - 3] + rng.normal(size=(8, 50))
    total, common = seed_variance(np.stack(ensembles(models)[1:], axis=1), window)
    shares = [jackknife(models[:, window == one].mean(axis=1)) for one in (3, 4)]
    assert total == pytest.approx((0.4**2 * shares[0]) + (0.6**2 * shares[1]))
    of_lists = sum(jackknife(models[:, at]) for at in range(50)) / 50**2
    assert common == pytest.approx(total - of_lists)

"""Many intervals by one bootstrap: against arithmetic, and against the one of evaluate."""

import numpy as np
import pytest

from evaluation.metrics import bootstrap
from findings import intervals as module
from findings.intervals import Interval, intervals

USER = np.array([0, 0, 1, 2])


@pytest.fixture
def _any_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interval of however few users."""
    monkeypatch.setattr(module, "FEWEST_USERS", 1)


def test_means_are_over_the_rows_that_count() -> None:
    columns = {"all": np.array([1.0, 2, 3, 6]), "some": np.array([np.nan, 2, np.nan, 6])}
    found = intervals(columns.items(), USER, 200, 0)
    assert (found["all"].value, found["all"].n) == ((1 + 2 + 3 + 6) / 4, 4)
    assert (found["some"].value, found["some"].n) == ((2 + 6) / 2, 2)


def test_a_column_without_values_is_left_out() -> None:
    assert intervals({"none": np.full(4, np.nan)}.items(), USER, 200, 0) == {}


@pytest.mark.usefixtures("_any_users")
def test_a_constant_has_no_width_and_one_user_decides_nothing_else() -> None:
    columns = {"constant": np.full(4, 0.5), "of user 0": np.array([1.0, 1, np.nan, np.nan])}
    found = intervals(columns.items(), USER, 200, 0)
    assert found["constant"] == Interval(0.5, 0.5, 0.5, 4)
    assert found["of user 0"] == Interval(1, 1, 1, 2)  # resamples without user 0 do not count


def test_it_agrees_with_the_bootstrap_of_evaluate() -> None:
    """Other draws of the same thing."""
    rng = np.random.default_rng(1)
    user = np.sort(rng.integers(0, 300, 500))
    values = rng.normal(0.02, 0.2, 500) + 0.1 * rng.normal(size=300)[user]
    one = intervals({"x": values}.items(), user, 10_000, 0)["x"]
    other = bootstrap(values, user, 10_000, 7)
    width = one.high - one.low
    assert one.low == pytest.approx(other["ci95_low"], abs=0.05 * width)
    assert one.high == pytest.approx(other["ci95_high"], abs=0.05 * width)


def test_many_users_are_drawn_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """To an interval as wide."""
    rng = np.random.default_rng(2)
    user, values = np.arange(4000), rng.normal(size=4000)
    whole = intervals({"x": values}.items(), user, 2000, 0)["x"]
    monkeypatch.setattr(module, "MOST_CLUSTERS", 500)
    grouped = intervals({"x": values}.items(), user, 2000, 0)["x"]
    assert grouped.value == pytest.approx(whole.value, abs=1e-12)
    assert grouped.high - grouped.low == pytest.approx(whole.high - whole.low, rel=0.1)


def test_a_column_of_few_users_has_no_interval() -> None:
    """Their number is that of users with a value, whoever else there is."""
    user = np.arange(40) % 20
    few = np.where(user < 9, 0.5, np.nan)
    enough = np.where(user < 10, 0.5, np.nan)
    found = intervals({"few": few, "enough": enough}.items(), user, 200, 0)
    assert (found["few"].value, found["few"].n) == (0.5, 18)
    assert np.isnan(found["few"][1:3]).all()
    assert not any((found["few"].is_known, found["few"].is_above_zero, found["few"].is_below_zero))
    assert found["enough"] == Interval(0.5, 0.5, 0.5, 20)
    assert found["enough"].is_known


@pytest.mark.usefixtures("_any_users")
def test_draws_in_parts_are_the_same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"x": np.array([1.0, 2, 3, 6])}
    whole = intervals(columns.items(), USER, 200, 3)
    monkeypatch.setattr(module, "CELLS_AT_ONCE", 7)
    assert intervals(columns.items(), USER, 200, 3) == whole

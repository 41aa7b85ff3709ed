"""Each check on numbers with a problem, without one, and too few to decide."""

import math
from dataclasses import replace

import pandas as pd
import pytest

from reporting.diagnostics import CHECKS, Facts, diagnose

UPLIFT = {"map@10": 0.02, "ci95_low": 0.01, "ci95_high": 0.03, "min_detectable": 0.015}


def summary(**changed: object) -> dict:
    return {
        "n_lists": 1000,
        "n_cold_users": 100,
        "als": {"map@10": 0.10},
        "hybrid": {"map@10": 0.12, "seed_sd": 0.001},
        "uplift": UPLIFT,
    } | changed


def gains(*gains: tuple[float, float]) -> pd.DataFrame:
    """gain and half the width of its interval, of every window."""
    return pd.DataFrame(
        [{"gain": g, "gain_low": g - half, "gain_high": g + half} for g, half in gains]
    )


def windows(*n_tied: int) -> pd.DataFrame:
    """Two windows of 500 interactions that start at the same time."""
    return pd.DataFrame({"n_interactions": [500, 500], "start": [7, 7], "n_tied": n_tied})


def curve(*values: float) -> pd.DataFrame:
    return pd.DataFrame({"trees": range(5, 5 * len(values) + 1, 5), "map": values})


def baselines(*tried: tuple[float, float], popular: float = 0.05) -> dict:
    rows = [
        {"model": "ease", "l2": l2, "of": "positives", "validation_map": value}
        for l2, value in tried
    ]
    maps = {"ease": {"map@10": 0.1}, "popular": {"map@10": popular}}
    return {"tried": rows, "validation": maps}


TRIED = ((1, 0.09), (5, 0.1), (25, 0.1005))  # l2, and MAP: the last step gains less than 1 %
HEALTHY = Facts(
    summary={"validation": summary(), "test": summary()},
    baselines=baselines(*TRIED),
    gains=gains((0.02, 0.01), (0.025, 0.01)),
    windows=windows(9, 9),
    learning_curve=curve(0.1, 0.11, 0.12),
    k=10,
)


def with_kind(kind: str, **changed: object) -> Facts:
    return replace(HEALTHY, summary={**HEALTHY.summary, kind: summary(**changed)})


ILL = [
    ("D1", replace(HEALTHY, gains=gains((0.05, 0.01), (-0.01, 0.01)))),
    ("D2", with_kind("test", uplift=UPLIFT | {"min_detectable": 0.04})),
    ("D3", replace(HEALTHY, baselines=baselines((1, 0.08), (5, 0.09), (25, 0.1)))),
    ("D3", replace(HEALTHY, baselines=baselines((5, 0.09), (1, 0.1)))),
    ("D4", with_kind("validation", als={"map@10": 0.08})),  # below 0.9 of EASE
    ("D4", replace(HEALTHY, baselines=baselines(*TRIED, popular=0.101))),
    ("D5", replace(HEALTHY, windows=windows(10, 10))),
    ("D6", with_kind("validation", n_cold_users=400)),
    ("D7", replace(HEALTHY, learning_curve=curve(0.1, 0.12, 0.11))),
    ("D8", with_kind("validation", hybrid={"map@10": 0.12, "seed_sd": 0.011})),
]
NO_INTERVAL = UPLIFT | dict.fromkeys(("ci95_low", "ci95_high", "min_detectable"), math.nan)
UNDECIDED = [
    ("D1", replace(HEALTHY, gains=gains((0.05, 0.01), (0.02, math.nan)))),
    ("D2", with_kind("validation", uplift=UPLIFT | {"map@10": -0.01})),
    ("D2", with_kind("test", uplift=NO_INTERVAL)),
    ("D3", replace(HEALTHY, baselines=baselines())),
    ("D5", replace(HEALTHY, windows=windows(9, 9).drop(columns="n_tied"))),
    ("D7", replace(HEALTHY, learning_curve=curve())),
    ("D8", with_kind("validation", hybrid={"map@10": 0.12, "seed_sd": 0.0})),
]


def answers(facts: Facts) -> dict[str, bool | None]:
    return {code: one.is_problem for code, one in diagnose(facts).items()}


def test_nothing_is_found_in_a_healthy_run() -> None:
    assert answers(HEALTHY) == dict.fromkeys(CHECKS, False)


@pytest.mark.parametrize(("code", "facts"), ILL)
def test_each_check_finds_what_it_is_for_and_nothing_else(code: str, facts: Facts) -> None:
    assert answers(facts) == dict.fromkeys(CHECKS, False) | {code: True}


@pytest.mark.parametrize(("code", "facts"), UNDECIDED)
def test_a_check_without_its_numbers_is_undecided(code: str, facts: Facts) -> None:
    assert answers(facts)[code] is None


@pytest.mark.parametrize(("factor", "is_problem"), [(0.99, False), (1.01, True)])
def test_two_windows_differ_by_a_test_at_5_percent(factor: float, is_problem: bool) -> None:
    """Q of two windows is the square of their difference in standard errors of it."""
    error = 0.005
    difference = factor * 1.96 * error * 2**0.5
    facts = replace(HEALTHY, gains=gains((0.01, 1.96 * error), (0.01 + difference, 1.96 * error)))
    assert answers(facts)["D1"] == is_problem


def test_texts_have_the_numbers() -> None:
    texts = {code: diagnose(facts)[code].text for code, facts in reversed(ILL)}
    assert "needs about 4,000" in texts["D2"]  # half the gain it can detect: four times the lists
    assert "ease, l2 = 25" in texts["D3"]
    assert texts["D5"].startswith("1.0% of the interactions")  # windows with one start count once

"""Each check on literal figures that it must find, that it must not, and that say nothing."""

import math
import re
from dataclasses import replace

import pandas as pd
import pytest

from findings.diagnostics import CHECKS, Facts, Fine, Found, Unknown, diagnose
from findings.intervals import Interval
from findings.slices import Slice

UPLIFT = {"map@10": 0.02, "ci95_low": 0.01, "ci95_high": 0.03, "min_detectable": 0.015}


def summary(**changed: object) -> dict:
    return {
        "n_lists": 1000,
        "n_cold_users": 100,
        "als": {"map@10": 0.10},
        "hybrid": {"map@10": 0.12, "seed_sd": 0.001},
        "uplift": UPLIFT,
        "candidates": {"oracle_map@10": 0.7, "recall": 0.5},
    } | changed


def windows(*gains: tuple[float, float]) -> pd.DataFrame:
    """gain and half the width of its interval, of every window."""
    return pd.DataFrame(
        [{"gain": g, "gain_low": g - half, "gain_high": g + half} for g, half in gains]
    )


def curve(*values: float) -> pd.DataFrame:
    return pd.DataFrame({"trees": range(5, 5 * len(values) + 1, 5), "map": values})


def slice_of(gain: tuple[float, float, float], rest: tuple[float, float, float]) -> Slice:
    return Slice("gender", "F", 0.1, 0.12, Interval(*gain, 500), Interval(*rest, 500))


HEALTHY = Facts(
    summary={"validation": summary(), "test": summary()},
    baselines={
        "parameters": {"ease": {"l2": 5, "max_items": 100}},
        "tried": [
            {"model": "ease", "l2": l2, "max_items": 100, "validation_map": value}
            for l2, value in ((1, 0.09), (5, 0.1), (25, 0.08))
        ],
        "validation": {"ease": {"map@10": 0.1}, "popular": {"map@10": 0.05}},
    },
    windows=windows((0.02, 0.01), (0.025, 0.01)),
    learning_curve=curve(0.1, 0.11, 0.12),
    slices=[slice_of((0.02, 0.01, 0.03), (0.02, 0.01, 0.03))],
    k=10,
)


def with_validation(**changed: object) -> Facts:
    return replace(HEALTHY, summary={**HEALTHY.summary, "validation": summary(**changed)})


def with_tried(*tried: tuple[float, float], best: float) -> Facts:
    rows = [
        {"model": "ease", "l2": l2, "max_items": 100, "validation_map": value}
        for l2, value in tried
    ]
    parameters = {"ease": {"l2": best, "max_items": 100}}
    return replace(HEALTHY, baselines=HEALTHY.baselines | {"tried": rows, "parameters": parameters})


ILL = {
    "D1": replace(HEALTHY, windows=windows((0.05, 0.01), (-0.01, 0.01))),
    "D2": replace(
        HEALTHY,
        summary={
            "validation": summary(),
            "test": summary(uplift=UPLIFT | {"min_detectable": 0.04}),
        },
    ),
    "D3": with_tried((1, 0.08), (5, 0.09), (25, 0.1), best=25),
    "D4": with_validation(als={"map@10": 0.08}),
    "D5": replace(HEALTHY, slices=[slice_of((0.05, 0.03, 0.07), (0.001, -0.01, 0.01))]),
    "D6": with_validation(n_cold_users=400),
    "D7": with_validation(candidates={"oracle_map@10": 0.2, "recall": 0.1}),
    "D8": replace(HEALTHY, learning_curve=curve(0.1, 0.12, 0.11)),
    "D9": with_validation(hybrid={"map@10": 0.12, "seed_sd": 0.011}),
}
SILENT = {
    "D1": replace(HEALTHY, windows=windows((0.05, 0.01))),
    "D2": with_validation(uplift=UPLIFT | {"map@10": -0.01}),
    "D3": replace(HEALTHY, baselines=HEALTHY.baselines | {"tried": []}),
    "D5": with_validation(uplift=UPLIFT | {"ci95_low": -0.01}),
    "D7": with_validation(candidates={"oracle_map@10": 0.0, "recall": 0.0}),
    "D8": replace(HEALTHY, learning_curve=curve()),
    "D9": with_validation(hybrid={"map@10": 0.12, "seed_sd": 0.0}),
}


def test_nothing_is_found_in_a_healthy_run() -> None:
    assert {code: type(one) for code, (_, one) in diagnose(HEALTHY).items()} == dict.fromkeys(
        CHECKS, Fine
    )


@pytest.mark.parametrize("code", CHECKS)
def test_each_check_finds_what_it_is_for_and_nothing_else(code: str) -> None:
    outcomes = {name: one for name, (_, one) in diagnose(ILL[code]).items()}
    found = {name for name, one in outcomes.items() if isinstance(one, Found)}
    assert found == {code}
    assert re.fullmatch(r"[A-Z0-9].*\.", outcomes[code].finding)
    assert re.fullmatch(r"[A-Z].*(\.|--draws 20)", outcomes[code].advice)


@pytest.mark.parametrize("code", SILENT)
def test_what_cannot_be_checked_is_said(code: str) -> None:
    assert isinstance(CHECKS[code][1](SILENT[code]), Unknown)


def test_few_users_are_no_finding() -> None:
    """What has no interval says nothing, and what has one is checked as ever."""
    none = dict.fromkeys(("ci95_low", "ci95_high", "min_detectable"), math.nan)
    of = summary(uplift=UPLIFT | none)
    rows = pd.DataFrame([{"gain": 0.02, "gain_low": math.nan, "gain_high": math.nan}] * 2)
    slices = [slice_of((0.05, math.nan, math.nan), (0.001, -0.01, 0.01))]
    facts = replace(HEALTHY, summary={"validation": of, "test": of}, windows=rows, slices=slices)
    outcomes = {code: type(one) for code, (_, one) in diagnose(facts).items()}
    assert outcomes == dict.fromkeys(CHECKS, Fine) | dict.fromkeys(("D1", "D2", "D5"), Unknown)
    facts = replace(HEALTHY, slices=slices)
    assert isinstance(CHECKS["D5"][1](facts), Fine)


@pytest.mark.parametrize(("factor", "outcome"), [(0.99, Fine), (1.01, Found)])
def test_two_windows_differ_by_a_test_at_5_percent(factor: float, outcome: type) -> None:
    """Q of two windows is the square of their difference in standard errors of it."""
    error = 0.005
    difference = factor * 1.96 * error * 2**0.5
    facts = replace(
        HEALTHY, windows=windows((0.01, 1.96 * error), (0.01 + difference, 1.96 * error))
    )
    assert isinstance(CHECKS["D1"][1](facts), outcome)


def test_only_stronger_models_are_named_against_als() -> None:
    finding = CHECKS["D4"][1](ILL["D4"]).finding
    assert "simpler model: ease 0.1000." in finding  # popular, 0.05, is not above


def test_a_small_rest_is_no_finding() -> None:
    """It is sure of nothing, whatever it gains."""
    facts = replace(HEALTHY, slices=[slice_of((0.02, 0.01, 0.03), (0.0, -0.05, 0.05))])
    assert isinstance(CHECKS["D5"][1](facts), Fine)


def test_how_many_lists_a_test_needs() -> None:
    """Twice the smallest gain it can find: four times the lists."""
    assert "about 4,000 lists" in CHECKS["D2"][1](ILL["D2"]).advice


def test_an_edge_counts_where_the_last_step_gained() -> None:
    flat = with_tried((1, 0.08), (5, 0.1), (25, 0.1005), best=25)
    assert isinstance(CHECKS["D3"][1](flat), Fine)
    least = CHECKS["D3"][1](with_tried((1, 0.1), (5, 0.09), best=1))
    assert "l2 = 1, the least that was tried" in least.finding

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
    rows = [(gain, gain - half, gain + half) for gain, half in gains]
    return pd.DataFrame(rows, columns=["gain", "gain_low", "gain_high"])


def windows(*n_tied: int) -> pd.DataFrame:
    """Two windows of 500 interactions."""
    columns = {"start": [7, 8], "part": ["train", "test"], "n_tied": n_tied}
    return pd.DataFrame({"n_interactions": [500, 500], **columns})


def item_age(share: float, recall: float) -> pd.DataFrame:
    """Return results for new items on both kinds of folds. The first row is for a single fold."""
    rows = [("test_2", "test", 0.9, 0), ("all", "test", share, recall)]
    frame = pd.DataFrame(rows, columns=["fold", "kind", "share", "recall_hybrid"])
    return frame.assign(age="new")


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
    windows=windows(4, 5),
    learning_curve=curve(0.1, 0.11, 0.12),
    item_age=item_age(0.2, 0.01),
    energy_share=0.6,
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
    ("D5", replace(HEALTHY, windows=windows(0, 10))),  # the first window has no edge
    ("D6", with_kind("validation", n_cold_users=400)),
    ("D7", replace(HEALTHY, learning_curve=curve(0.1, 0.12, 0.11))),
    ("D8", with_kind("validation", hybrid={"map@10": 0.12, "seed_sd": 0.011})),
    ("D9", replace(HEALTHY, windows=windows(0, 0).assign(start=[7, 9]))),
    ("D9", replace(HEALTHY, windows=windows(0, 0).assign(part="validation"))),
    ("D10", replace(HEALTHY, item_age=item_age(0.06, 0.0))),
    ("D11", replace(HEALTHY, energy_share=0.995)),
]
NO_INTERVAL = UPLIFT | dict.fromkeys(("ci95_low", "ci95_high", "min_detectable"), math.nan)
UNDECIDED = [
    ("D1", replace(HEALTHY, gains=gains((0.05, 0.01), (0.02, math.nan)))),
    ("D2", with_kind("validation", uplift=UPLIFT | {"map@10": -0.01})),
    ("D2", with_kind("test", uplift=NO_INTERVAL)),
    ("D3", replace(HEALTHY, baselines=baselines())),
    ("D5", replace(HEALTHY, windows=windows(0, 0).drop(columns="n_tied"))),
    ("D9", replace(HEALTHY, windows=windows(0, 0).drop(columns="part"))),
    ("D7", replace(HEALTHY, learning_curve=curve())),
    ("D8", with_kind("validation", hybrid={"map@10": 0.12, "seed_sd": 0.0})),
]


def answers(facts: Facts) -> dict[str, bool | None]:
    return {code: is_problem for code, (is_problem, _) in diagnose(facts).items()}


def test_nothing_is_found_in_a_healthy_run() -> None:
    assert answers(HEALTHY) == dict.fromkeys(CHECKS, False)


@pytest.mark.parametrize(("code", "facts"), ILL)
def test_each_check_finds_what_it_is_for_and_nothing_else(code: str, facts: Facts) -> None:
    assert answers(facts) == dict.fromkeys(CHECKS, False) | {code: True}


@pytest.mark.parametrize(("code", "facts"), UNDECIDED)
def test_a_check_without_its_numbers_is_undecided(code: str, facts: Facts) -> None:
    assert answers(facts)[code] is None

"""Diagnostics: what may be wrong with a run, each with a code, a finding and what to do.

A check is a function (Facts) -> Outcome with a line in CHECKS. Only D2 looks at the test folds.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import chdtrc

WINDOWS_P = 0.05  # below, windows differ by more than chance
EDGE_GAIN = 0.01  # relative gain of the last step to the edge of a grid
ALS_SHARE = 0.9  # of the MAP of the best baseline
TIED_SHARE = 0.01
COLD_SHARE = 1 / 3
FALL = 0.01  # relative fall of the learning curve from its best point
SEEDS = 2.0  # standard deviations over seeds that a gain must exceed


@dataclass(frozen=True)
class Facts:
    """The input of the checks.

    summary         kind (validation, test) -> metrics/KIND.json
    baselines       metrics/baselines.json; gains: metrics/windows.csv
    windows         data/split/windows.csv
    learning_curve  metrics/tables/learning_curve.csv
    k               cut-off of the metrics
    """

    summary: Mapping[str, dict]
    baselines: dict
    gains: pd.DataFrame
    windows: pd.DataFrame
    learning_curve: pd.DataFrame
    k: int

    def gain(self, kind: str) -> float:
        """MAP@k of the hybrid minus that of ALS."""
        return self.summary[kind]["uplift"][f"map@{self.k}"]

    def map_of(self, model: str) -> float:
        """MAP@k of ALS or the hybrid on validation."""
        return self.summary["validation"][model][f"map@{self.k}"]


class Outcome(NamedTuple):
    """What a check saw. is_problem is None where the check cannot run on these data."""

    is_problem: bool | None
    text: str


def windows_disagree(facts: Facts) -> Outcome:
    """Test whether windows differ: Cochran's Q, with standard errors from the intervals."""
    known = facts.gains[facts.gains["gain_high"] > facts.gains["gain_low"]]
    if len(known) < 2:
        return Outcome(None, "fewer than two windows have an interval")
    gain = known["gain"]
    weight = ((known["gain_high"] - known["gain_low"]) / (2 * 1.96)) ** -2  # 1 / variance
    q = (weight * (gain - np.average(gain, weights=weight)) ** 2).sum()
    p = float(chdtrc(len(known) - 1, q))
    text = (
        f"the gains of {len(known)} windows are between {gain.min():+.3f} and {gain.max():+.3f}; "
        f"chance alone spreads them this much with p = {p:.2g} (Cochran's Q)"
    )
    return Outcome(p < WINDOWS_P, text)


def underpowered_test(facts: Facts) -> Outcome:
    """Test whether the test lists are too few to detect the gain on validation."""
    expected, least = facts.gain("validation"), facts.summary["test"]["uplift"]["min_detectable"]
    n_lists = facts.summary["test"]["n_lists"]
    if expected <= 0 or math.isnan(least):
        return Outcome(None, "validation shows no gain, or test has too few users for an interval")
    n_needed = n_lists * (least / expected) ** 2
    text = (
        f"test has {n_lists:,} lists; to detect the gain of {expected:.4f} on validation with 80 % "
        f"power, it needs about {n_needed:,.0f}"
    )
    return Outcome(n_needed > n_lists, text)


def baseline_is_untuned(facts: Facts) -> Outcome:
    """Test whether a baseline is best at the edge of its grid, and MAP still rises there."""
    tried = pd.DataFrame(facts.baselines["tried"])
    if tried.empty:
        return Outcome(None, "no baseline has a list of values in params.yaml")
    edges = []
    for model, rows in tried.groupby("model", sort=False):
        for name in rows.columns.difference(["model", "validation_map"], sort=False):
            maps = rows.groupby(name)["validation_map"].max()  # by value, ascending
            if len(maps) < 2 or not pd.api.types.is_numeric_dtype(maps.index):
                continue
            best, inner = maps.to_numpy().argmax(), {0: 1, len(maps) - 1: -2}
            if best in inner and maps.iloc[best] > (1 + EDGE_GAIN) * maps.iloc[inner[best]]:
                edges.append(f"{model}, {name} = {maps.index[best]:g}")
    if not edges:
        return Outcome(False, f"{len(tried)} settings tried, MAP rises at the edge of no grid")
    return Outcome(True, f"MAP still rises at the edge of a grid: {'; '.join(edges)}")


def als_is_untuned(facts: Facts) -> Outcome:
    """Test whether ALS is too weak for a gain over it to mean much."""
    maps = {name: of[f"map@{facts.k}"] for name, of in facts.baselines["validation"].items()}
    als, best, popular = facts.map_of("als"), max(maps.values()), maps.get("popular", 0.0)
    text = (
        f"MAP@{facts.k} on validation is {als:.4f} for ALS, {best:.4f} for the best baseline and "
        f"{popular:.4f} for the most popular items"
    )
    return Outcome(als < max(ALS_SHARE * best, popular), text)


def windows_share_times(facts: Facts) -> Outcome:
    """Test whether many interactions have the timestamp of an edge between windows."""
    if "n_tied" not in facts.windows:
        return Outcome(None, "the data have no timestamps")
    n_tied = facts.windows.groupby("start")["n_tied"].first().sum()  # windows may share a start
    share = n_tied / facts.windows["n_interactions"].sum()
    text = f"{share:.1%} of the interactions share the timestamp at which a window starts"
    return Outcome(share >= TIED_SHARE, text)


def cold_users_dominate(facts: Facts) -> Outcome:
    """Test whether many lists are of users without a positive in the history."""
    of = facts.summary["validation"]
    share = of["n_cold_users"] / of["n_lists"]
    text = f"{share:.0%} of the {of['n_lists']:,} validation lists are of cold users"
    return Outcome(share >= COLD_SHARE, text)


def ranker_overfits(facts: Facts) -> Outcome:
    """Test whether more trees made MAP on validation worse."""
    curve = facts.learning_curve
    if len(curve) < 3:
        return Outcome(None, "the learning curve has fewer than three points")
    best, last = curve.loc[curve["map"].idxmax()], curve.iloc[-1]
    text = (
        f"MAP on validation is {best['map']:.4f} at its best, with {best['trees']:.0f} trees, and "
        f"{last['map']:.4f} with all {last['trees']:.0f}"
    )
    return Outcome(last["map"] < (1 - FALL) * best["map"], text)


def seeds_decide(facts: Facts) -> Outcome:
    """Test whether other seeds of the ranker move MAP by as much as the gain."""
    gain, deviation = facts.gain("validation"), facts.summary["validation"]["hybrid"]["seed_sd"]
    if not deviation:
        return Outcome(None, "one model has no spread (ranker.n_seeds)")
    text = (
        f"the gain on validation is {gain:+.4f}; MAP@{facts.k} has a standard deviation of "
        f"{deviation:.4f} over seeds of the ranker"
    )
    return Outcome(abs(gain) <= SEEDS * deviation, text)


class Check(NamedTuple):
    """A check with the title of the problem that it looks for, and what to do about it."""

    title: str
    run: Callable[[Facts], Outcome]
    advice: str


CHECKS = {
    "D1": Check(
        "windows disagree",
        windows_disagree,
        "Judge on more windows (folds: validation_5, …), and look for what changed in between.",
    ),
    "D2": Check(
        "test is underpowered",
        underpowered_test,
        "Add test folds. Until then, a test without a significant gain shows little.",
    ),
    "D3": Check(
        "a baseline is untuned",
        baseline_is_untuned,
        "Extend the list under baselines in params.yaml until the best value is inside.",
    ),
    "D4": Check(
        "ALS is untuned",
        als_is_untuned,
        "A gain over a weak ALS means little. Tune it first: python stages/search.py "
        "als.alpha=0.1..100:log als.regularization=0.1..100:log als.factors=16..256:log --draws 20",
    ),
    "D5": Check(
        "windows start within equal timestamps",
        windows_share_times,
        "The order of the file, not the time, decides the windows of these interactions: read the "
        "windows as parts of the file, not as periods, or use fewer of them (split.windows).",
    ),
    "D6": Check(
        "cold users dominate",
        cold_users_dominate,
        "A cold user gets recent popular items, ranked by metadata. Compare the models on warm "
        "users (warm in metrics/validation.json).",
    ),
    "D7": Check(
        "the ranker overfits",
        ranker_overfits,
        "Lower ranker.n_estimators or ranker.learning_rate, or add label folds.",
    ),
    "D8": Check(
        "seeds decide the result", seeds_decide, "Average more models: raise ranker.n_seeds."
    ),
}


def diagnose(facts: Facts) -> dict[str, Outcome]:
    """Return the outcome of every check, by code."""
    return {code: check.run(facts) for code, check in CHECKS.items()}

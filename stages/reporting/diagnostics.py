"""Diagnostics: possible problems of a run, each with a code, a finding and what to do.

A check is a function (Facts) -> Outcome with the decorator `check`. Only D2 and D9 use test folds.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from core.factors import COLLAPSED, TUNE
from core.history import MANY_TIED, tied_share

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from evaluation.results import NEW

WINDOWS_P = 0.05  # p-value below which windows differ by more than chance
EDGE_GAIN = 0.01  # relative gain of the last step to the edge of a grid
ALS_SHARE = 0.9  # share of the best baseline's MAP below which ALS is too weak
COLD_SHARE = 1 / 3
FALL = 0.01  # relative fall of the learning curve from its best point
NEW_SHARE = 0.05  # share of the relevant pairs on new items that counts as many
SEEDS = 2.0  # number of standard deviations over seeds that a gain must exceed


@dataclass(frozen=True)
class Facts:
    summary: Mapping[str, dict]  # kind (validation, test) -> metrics/KIND.json
    baselines: dict  # metrics/baselines.json
    gains: pd.DataFrame  # metrics/windows.csv
    windows: pd.DataFrame  # data/split/windows.csv
    learning_curve: pd.DataFrame  # metrics/tables/learning_curve.csv
    item_age: pd.DataFrame  # metrics/tables/item_age.csv
    energy_share: float  # largest core.factors.energy_share of items in validation folds
    k: int  # cut-off of the metrics

    def gain(self, kind: str) -> float:
        """Return MAP@k of the hybrid minus that of ALS."""
        return self.summary[kind]["uplift"][f"map@{self.k}"]


Outcome = tuple[bool | None, str]  # whether there is a problem, None if unknown; a finding


class Check(NamedTuple):
    title: str  # of the problem
    advice: str
    run: Callable[[Facts], Outcome]


CHECKS: dict[str, Check] = {}


def check(title: str, advice: str) -> Callable:
    """Add a function to CHECKS under the next code."""

    def add(run: Callable[[Facts], Outcome]) -> Callable[[Facts], Outcome]:
        CHECKS[f"D{len(CHECKS) + 1}"] = Check(title, advice, run)
        return run

    return add


@check(
    "windows disagree",
    "Evaluate on more windows (folds: validation_5, …), and look for what changed in between.",
)
def windows_disagree(facts: Facts) -> Outcome:
    """Test whether gains differ between windows: Cochran's Q with errors from the intervals."""
    known = facts.gains[facts.gains["gain_high"] > facts.gains["gain_low"]]
    if len(known) < 2:
        return None, "fewer than two windows have an interval"
    gain = known["gain"]
    weight = ((known["gain_high"] - known["gain_low"]) / (2 * 1.96)) ** -2  # 1 / variance
    q = (weight * (gain - np.average(gain, weights=weight)) ** 2).sum()
    p = float(chdtrc(len(known) - 1, q))
    text = (
        f"the gains of {len(known)} windows are between {gain.min():+.3f} and {gain.max():+.3f}; "
        f"chance alone spreads them this much with p = {p:.2g} (Cochran's Q)"
    )
    return p < WINDOWS_P, text


@check(
    "test is underpowered",
    "Add test folds. Until then, a test without a significant gain shows little.",
)
def underpowered_test(facts: Facts) -> Outcome:
    expected, least = facts.gain("validation"), facts.summary["test"]["uplift"]["min_detectable"]
    n_lists = facts.summary["test"]["n_lists"]
    if expected <= 0 or math.isnan(least):
        return None, "validation shows no gain, or test has too few users for an interval"
    n_needed = n_lists * (least / expected) ** 2
    text = (
        f"test has {n_lists:,} lists; to detect the gain of {expected:.4f} on validation with 80 % "
        f"power, it needs about {n_needed:,.0f}"
    )
    return n_needed > n_lists, text


@check(
    "a baseline is untuned",
    "Extend the list under baselines in params.yaml until the best value is inside.",
)
def baseline_is_untuned(facts: Facts) -> Outcome:
    tried = pd.DataFrame(facts.baselines["tried"])
    if tried.empty:
        return None, "no baseline has a list of values in params.yaml"
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
        return False, f"{len(tried)} settings tried, MAP rises at the edge of no grid"
    return True, f"MAP still rises at the edge of a grid: {'; '.join(edges)}"


@check("ALS is untuned", f"A gain over a weak ALS means little. Tune it first: {TUNE}")
def als_is_untuned(facts: Facts) -> Outcome:
    maps = {name: of[f"map@{facts.k}"] for name, of in facts.baselines["validation"].items()}
    als = facts.summary["validation"]["als"][f"map@{facts.k}"]
    best, popular = max(maps.values()), maps.get("popular", 0.0)
    text = (
        f"MAP@{facts.k} on validation is {als:.4f} for ALS, {best:.4f} for the best baseline and "
        f"{popular:.4f} for the most popular items"
    )
    return als < max(ALS_SHARE * best, popular), text


@check(
    "windows start within equal timestamps",
    "The order of the file, not the time, decides the window of these interactions. Use fewer "
    "windows (split.windows), or read windows as parts of the file, not as periods.",
)
def windows_share_times(facts: Facts) -> Outcome:
    if "n_tied" not in facts.windows:
        return None, "the data have no timestamps"
    share = tied_share(facts.windows)
    text = f"{share:.1%} of the interactions have exactly the time at which a window starts"
    return share >= MANY_TIED, text


@check(
    "cold users dominate",
    "A cold user gets recent popular items, ranked by metadata. Compare the models on warm "
    "users (warm in metrics/validation.json).",
)
def cold_users_dominate(facts: Facts) -> Outcome:
    of = facts.summary["validation"]
    share = of["n_cold_users"] / of["n_lists"]
    text = f"{share:.0%} of the {of['n_lists']:,} validation lists are of cold users"
    return share >= COLD_SHARE, text


@check(
    "the ranker overfits", "Lower ranker.n_estimators or ranker.learning_rate, or add label folds."
)
def ranker_overfits(facts: Facts) -> Outcome:
    curve = facts.learning_curve
    if len(curve) < 3:
        return None, "the learning curve has fewer than three points"
    best, last = curve.loc[curve["map"].idxmax()], curve.iloc[-1]
    text = (
        f"MAP@10 of one model on warm lists of the fold validation is {best['map']:.4f} at its "
        f"best, with {best['trees']:.0f} trees, and {last['map']:.4f} with all {last['trees']:.0f}"
    )
    return last["map"] < (1 - FALL) * best["map"], text


@check("seeds decide the result", "Average more models: raise ranker.n_seeds.")
def seeds_decide(facts: Facts) -> Outcome:
    gain, deviation = facts.gain("validation"), facts.summary["validation"]["hybrid"]["seed_sd"]
    if not deviation:
        return None, "one model has no spread (ranker.n_seeds)"
    text = (
        f"the gain on validation is {gain:+.4f}; MAP@{facts.k} has a standard deviation of "
        f"{deviation:.4f} over seeds of the ranker"
    )
    return abs(gain) <= SEEDS * deviation, text


@check(
    "weeks are missing",
    "The last week counts as the test, and the weeks around a gap as consecutive. Compare the "
    "results only with runs on the same weeks.",
)
def weeks_are_missing(facts: Facts) -> Outcome:
    if "part" not in facts.windows:
        return None, "the data have no weeks"
    weeks, last = facts.windows["start"], facts.windows["part"].iloc[-1]
    n_absent = weeks.max() - weeks.min() + 1 - len(weeks)
    text = f"{n_absent} weeks between the first and the last are absent; the last is of {last}/"
    return n_absent > 0 or last != "test", text


@check(
    "new items are out of reach",
    "Recommend items without interactions: set candidates.new_items to published or all, "
    "with content among candidates.sources. If it is set, the ranker puts them too low: it "
    "needs more label folds in which new items are relevant.",
)
def new_items_are_missed(facts: Facts) -> Outcome:
    ages = facts.item_age
    new = ages[(ages["age"] == NEW) & (ages["fold"] == "all")].set_index("kind")
    share, recall = new["share"], new["recall_hybrid"].fillna(0)
    text = "; ".join(
        f"{share[kind]:.1%} of the relevant pairs on {kind} are on items that the history does not "
        f"know, of which the hybrid finds {recall[kind]:.1%}"
        for kind in new.index
    )
    return bool(((share >= NEW_SHARE) & (recall == 0)).any()), text


@check(
    "the factors of ALS collapsed",
    f"ALS recommends nearly the same items to all users. Tune it: {TUNE}",
)
def als_collapsed(facts: Facts) -> Outcome:
    text = f"one dimension has {facts.energy_share:.1%} of the energy of the factors of ALS"
    return facts.energy_share > COLLAPSED, text


def diagnose(facts: Facts) -> dict[str, Outcome]:
    return {code: check.run(facts) for code, check in CHECKS.items()}

"""Diagnostics: what may be wrong with a run, each with a code, a finding and what to do.

A check is a function (Facts) -> Outcome, with a line in CHECKS, the only list of them. It applies
(Found), does not (Fine), or cannot be made of these data (Unknown); each says why in a sentence.
What judges the test folds is asked only where test is what it is about.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd
from scipy.special import chdtrc

from evaluation.results import much_stronger_than_als
from findings.slices import FEWEST_LISTS, Slice

WINDOWS_P = 0.05  # below, windows differ by more than chance
EDGE_GAIN = 0.01  # relative: what the last step to the edge of a grid must have brought
COLD_SHARE = 1 / 3
CEILING_SHARE = 0.5
FALL = 0.01  # relative: of the learning curve from its best point
SEEDS = 2.0  # standard deviations of the seeds that a gain must exceed


@dataclass(frozen=True)
class Facts:
    """What the checks look at.

    summary         kind (validation, test) -> metrics/KIND.json
    baselines       metrics/baselines.json; windows: metrics/windows.csv
    learning_curve  metrics/learning_curve.csv
    slices          of the validation folds
    k               cut-off of the metrics
    """

    summary: Mapping[str, dict]
    baselines: dict
    windows: pd.DataFrame
    learning_curve: pd.DataFrame
    slices: list[Slice]
    k: int

    def gain(self, kind: str) -> float:
        """MAP@k of the hybrid minus that of ALS."""
        return self.summary[kind]["uplift"][f"map@{self.k}"]

    def map_of(self, model: str, kind: str = "validation") -> float:
        """MAP@k of ALS or the hybrid."""
        return self.summary[kind][model][f"map@{self.k}"]


@dataclass(frozen=True)
class Found:
    """It applies."""

    finding: str
    advice: str


@dataclass(frozen=True)
class Fine:
    """It was checked and does not apply."""

    reason: str


@dataclass(frozen=True)
class Unknown:
    """It cannot be checked."""

    reason: str


Outcome = Found | Fine | Unknown


def windows_disagree(facts: Facts) -> Outcome:
    """Cochran's Q over all judged windows, with standard errors from the intervals."""
    known = facts.windows[facts.windows["gain_high"] > facts.windows["gain_low"]]
    if len(known) < 2:
        return Unknown("needs two judged windows with a gain")
    variance = ((known["gain_high"] - known["gain_low"]) / (2 * 1.96)) ** 2
    mean = (known["gain"] / variance).sum() / (1 / variance).sum()
    q = ((known["gain"] - mean) ** 2 / variance).sum()
    p = float(chdtrc(len(known) - 1, q))
    low, high = known["gain"].min(), known["gain"].max()
    seen = f"the gains of {len(known)} windows, {low:+.3f} to {high:+.3f}, differ "
    if p >= WINDOWS_P:
        return Fine(f"{seen}no more than chance lets them (Cochran's Q, p = {p:.2f})")
    return Found(
        f"{seen[0].upper()}{seen[1:]}by more than chance (Cochran's Q = {q:.1f}, p = {p:.2g}).",
        "Do not read one window alone: judge on more of them (folds: validation_5, …), and look "
        "for what changed in between, such as a new catalogue or other users.",
    )


def underpowered_test(facts: Facts) -> Outcome:
    """Whether the smallest gain that test can tell from none is above that seen on validation."""
    expected, least = facts.gain("validation"), facts.summary["test"]["uplift"]["min_detectable"]
    n_lists = facts.summary["test"]["n_lists"]
    if expected <= 0:
        return Unknown("validation shows no gain that test could be asked to find")
    if math.isnan(least):
        return Unknown("test has too few users for an interval")
    if least <= expected:
        return Fine(
            f"{n_lists:,} test lists can tell {least:.4f} from none, and validation promises "
            f"{expected:.4f}"
        )
    return Found(
        f"With {n_lists:,} lists, test finds a gain of {least:.4f} or more (80 % power); "
        f"validation promises {expected:.4f}.",
        f"Add test folds: about {n_lists * (least / expected) ** 2:,.0f} lists are needed for a "
        "gain of this size. Until then a test without a significant gain says little.",
    )


def _at_edge(tried: pd.DataFrame, best: dict) -> list[str]:
    """Of a model's settings, the parameters whose best value is the last of their grid and was
    worth the last step to it.
    """
    edges = []
    for name, value in best.items():
        others = [key for key in best if key != name]
        is_line = tried[name].notna()
        for key in others:
            is_line &= tried[key] == best[key]
        line = tried[is_line].sort_values(name)
        values = line[name].tolist()
        if isinstance(value, str) or len(values) < 2 or value not in (values[0], values[-1]):
            continue
        maps = line["validation_map"].tolist()
        top, next_to = (maps[0], maps[1]) if value == values[0] else (maps[-1], maps[-2])
        if top > (1 + EDGE_GAIN) * next_to:
            step = f"{value:g}, {'the least' if value == values[0] else 'the most'} that was tried"
            edges.append(f"{name} = {step}")
    return edges


def baseline_is_untuned(facts: Facts) -> Outcome:
    """Whether a baseline's best setting is at the edge of its grid, with a slope behind it."""
    tried = pd.DataFrame(facts.baselines["tried"])
    if tried.empty:
        return Unknown("no baseline has a list of values in params.yaml")
    edges = []
    for model, rows in tried.groupby("model", sort=False):
        best = facts.baselines["parameters"][model]
        edges += [f"{model}: {edge}" for edge in _at_edge(rows, best)]
    if not edges:
        return Fine(
            f"none of the {len(tried)} settings that are best stands at the edge of a grid with "
            "more to gain beyond"
        )
    return Found(
        f"The best setting is at the edge of the grid, and still gained there: {'; '.join(edges)}.",
        "Widen the list under baselines in params.yaml until the best value lies inside; a gain "
        "over an untuned baseline is no gain.",
    )


def als_is_untuned(facts: Facts) -> Outcome:
    """Whether ALS is so weak that a gain over it says little."""
    own = {name: facts.map_of(name) for name in ("als", "hybrid")}
    others = {name: of[f"map@{facts.k}"] for name, of in facts.baselines["validation"].items()}
    if not others:
        return Unknown("there is no baseline to hold ALS against")
    best = max(others, key=others.get)
    seen = f"MAP@{facts.k} of ALS on validation is {own['als']:.4f}"
    stronger = much_stronger_than_als(own | others)
    if not stronger:
        return Fine(f"{seen}; of the best baseline, {best}, {others[best]:.4f}")
    shown = ", ".join(
        f"{name} {value:.4f}" for name, value in stronger.items() if value > own["als"]
    )
    return Found(
        f"{seen}, far below a simpler model: {shown}. A gain over it says little.",
        "Tune ALS first: python stages/search.py als.alpha=0.1..100:log "
        "als.regularization=0.1..100:log als.factors=16..256:log --draws 20",
    )


def _is_alone(one: Slice) -> bool:
    """Whether there is a gain in the slice, none that is sure in the rest, and more in the slice
    than in the rest by more than chance. A small rest alone, which is sure of nothing, is none.
    """
    width = ((one.gain.high - one.gain.low) ** 2 + (one.rest.high - one.rest.low) ** 2) ** 0.5
    is_more = one.gain.value - one.rest.value > width / 2  # 1.96 standard errors of the difference
    return one.gain.is_above_zero and not one.rest.is_above_zero and is_more


def gain_is_in_one_slice(facts: Facts) -> Outcome:
    """Whether, without one slice, nothing is left of a gain that is there with it."""
    if not facts.summary["validation"]["uplift"]["ci95_low"] > 0:  # or NaN
        return Unknown("validation shows no gain that could stand in one slice")
    large = [
        one for one in facts.slices if one.rest and min(one.gain.n, one.rest.n) >= FEWEST_LISTS
    ]
    alone = [one for one in large if _is_alone(one)]
    if not large:
        return Unknown(f"no slice has {FEWEST_LISTS} lists, with as many beside it")
    if not alone:
        return Fine(f"none of {len(large)} slices gains where all others together do not")
    one = max(alone, key=lambda one: one.gain.value)
    rest = one.rest
    return Found(
        f"The gain stands in one slice, {one.dimension}: {one.level} ({one.gain.value:+.4f}); of "
        f"all other lists it is {rest.value:+.4f} ({rest.low:+.4f} to {rest.high:+.4f}).",
        "Say so where you report the gain; look at what the ranker lacks for the others, and "
        "consider serving them ALS.",
    )


def cold_users_dominate(facts: Facts) -> Outcome:
    """Whether many lists are of users whom no model knows."""
    of = facts.summary["validation"]
    share = of["n_cold_users"] / of["n_lists"]
    seen = f"{share:.0%} of the {of['n_lists']:,} validation lists are of cold users"
    if share < COLD_SHARE:
        return Fine(seen)
    return Found(
        f"{seen}: they tell nothing of how well the models know users, since all "
        "that can be done for them is to rank recent popular items by who they are.",
        "Compare the models on warm users (warm.* in metrics/validation.json).",
    )


def recall_is_the_bottleneck(facts: Facts) -> Outcome:
    """Whether the hybrid is near what any order of the candidates could reach."""
    of = facts.summary["validation"]["candidates"]
    ceiling, hybrid = of[f"oracle_map@{facts.k}"], facts.map_of("hybrid")
    if not ceiling:
        return Unknown("the candidates hold no relevant item")
    share = hybrid / ceiling
    seen = (
        f"the hybrid reaches {share:.0%} of the {ceiling:.3f} that the best order of its "
        f"candidates would have; they hold {of['recall']:.0%} of the relevant items"
    )
    if share < CEILING_SHARE:
        return Fine(f"{seen}, so that there is more to gain in the order")
    return Found(
        f"{seen[0].upper()}{seen[1:]}.",
        "Retrieve more before ranking better: raise candidates.per_source, or add to "
        "candidates.sources.",
    )


def ranker_overfits(facts: Facts) -> Outcome:
    """Whether more trees made it worse."""
    curve = facts.learning_curve
    if len(curve) < 3:
        return Unknown("the learning curve has fewer than three points")
    best, last = curve.loc[curve["map"].idxmax()], curve.iloc[-1]
    fall = 1 - last["map"] / best["map"] if best["map"] else 0.0
    if fall <= FALL:
        return Fine(
            f"with all {last['trees']:.0f} trees MAP on validation is within {FALL:.0%} of its best"
        )
    return Found(
        f"MAP on validation falls by {fall:.1%} from its best, at {best['trees']:.0f} trees, to "
        f"the last of {last['trees']:.0f}.",
        f"Try ranker.n_estimators={best['trees']:.0f}, a lower ranker.learning_rate, fewer leaves, "
        "or more label folds.",
    )


def seeds_decide(facts: Facts) -> Outcome:
    """Whether other seeds of the ranker move MAP by as much as it gains."""
    gain, deviation = facts.gain("validation"), facts.summary["validation"]["hybrid"]["seed_sd"]
    if not deviation:
        return Unknown("one model has no spread; see ranker.n_seeds")
    seen = (
        f"other seeds of the ranker move MAP@{facts.k} on validation by {deviation:.4f} "
        f"(standard deviation); the gain is {gain:+.4f}"
    )
    if abs(gain) > SEEDS * deviation:
        return Fine(seen)
    return Found(f"{seen[0].upper()}{seen[1:]}.", "Average more models: raise ranker.n_seeds.")


CHECKS: dict[str, tuple[str, Callable[[Facts], Outcome]]] = {
    "D1": ("windows disagree", windows_disagree),
    "D2": ("test is underpowered", underpowered_test),
    "D3": ("a baseline is untuned", baseline_is_untuned),
    "D4": ("ALS is untuned", als_is_untuned),
    "D5": ("the gain stands in one slice", gain_is_in_one_slice),
    "D6": ("cold users dominate", cold_users_dominate),
    "D7": ("candidate recall is the bottleneck", recall_is_the_bottleneck),
    "D8": ("the ranker overfits", ranker_overfits),
    "D9": ("seeds decide", seeds_decide),
}


def diagnose(facts: Facts) -> dict[str, tuple[str, Outcome]]:
    """Code -> title and outcome of every check."""
    return {code: (title, check(facts)) for code, (title, check) in CHECKS.items()}

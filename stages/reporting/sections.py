"""Sections of the report: functions from results to markup, and results by slice."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from evaluation import pictures
from evaluation.bootstrap import Interval, intervals
from evaluation.pictures import PALETTE, Row, bars, canvas, forest, gain_of, interval_text, lines
from evaluation.results import by_activity, worse_than
from reporting.diagnostics import CHECKS, Outcome
from reporting.page import Html, figure, figures, join, paragraph, table, tag
from reporting.users import CONTENDERS

N_FEATURES = 15  # number of features shown
MOST_LEVELS = 8  # levels of a column; smaller categories are merged, numbers cut into quarters
KINDS = ("validation", "test")
Summaries = Mapping[str, dict]  # kind -> metrics/KIND.json
Gains = Mapping[str, Mapping[str, Interval]]  # kind -> model or measure -> gain of the hybrid


def headline(summary: Summaries, k: int) -> str:
    """Return which models are significantly better than the hybrid, or else the result on test."""
    for kind in KINDS:
        if worse := worse_than(summary[kind]):
            return f"The hybrid is worse than {' and '.join(worse)} on the {kind} windows"
    gain = gain_of(summary["test"], k)
    if not gain.is_known:
        return "The test windows have too few users to compare the hybrid with ALS"
    if gain.low > 0:
        return "The hybrid beats ALS on the test windows"
    return "On the test windows, the hybrid does not differ significantly from ALS"


def tile(kind: str, summary: dict, n_windows: int, k: int) -> Html:
    """Return the gain of one kind of folds in a few lines."""
    key, best = f"map@{k}", "uplift_over_best_baseline"
    gain, over = gain_of(summary, k), gain_of(summary, k, best)
    p_value = f", p = {summary['uplift']['p_value']:.2g}" if gain.is_known else ""
    return tag(
        "div",
        tag("h3", f"{kind.capitalize()} (windows: {n_windows}, lists: {summary['n_lists']:,})"),
        tag("div", pictures.signed(gain.value), class_="big"),
        paragraph(
            f"MAP@{k} of the hybrid is {summary['hybrid'][key]:.3f} and of ALS "
            f"{summary['als'][key]:.3f}: {interval_text(gain)}{p_value}, over lists of "
            f"{summary['n_users']:,} users. Over the best baseline, {summary[best]['name']}: "
            f"{interval_text(over)}."
        ),
        class_="tile",
    )


def head(
    data: str, summary: Summaries, n_windows: dict[str, int], outcomes: dict[str, Outcome], k: int
) -> Html:
    """Return the first screen. data  a short description of the data; n_windows  by kind"""
    flags = [
        tag("li", tag("a", tag("b", code), f" {CHECKS[code].title}", href=f"#{code}"))
        for code, (is_problem, _) in outcomes.items()
        if is_problem
    ]
    what = f"{data} · candidates of several models, ranked by LightGBM (the hybrid), against ALS"
    tiles = (tile(kind, summary[kind], n_windows[kind], k) for kind in reversed(KINDS))
    return join(
        tag("p", what, class_="eyebrow"),
        tag("h1", headline(summary, k)),
        tag("div", *tiles, class_="tiles"),
        tag(
            "p",
            "Gains are in MAP, with 95 % intervals of a bootstrap over users. Settings were chosen "
            "on validation, so its gain is optimistic. Look at test last.",
            class_="note",
        ),
        paragraph(f"Diagnostics: {len(flags)} of {len(outcomes)} checks found a problem."),
        tag("ul", *flags, class_="flags"),
    )


def number(value: float) -> str:
    """Return a number with three decimals, or an empty text for NaN."""
    return "" if math.isnan(value) else f"{value:.3f}"


def models(summary: Summaries, baselines: dict, differences: Gains, k: int) -> Html:
    """Return a table with MAP@k, paired gains, and popularity and diversity of ALS and the hybrid.

    baselines  metrics/baselines.json
    """
    looks, rows, of_kinds = [f"popularity@{k}", f"diversity@{k}"], [], {}
    for kind, of in summary.items():
        ceiling = {f"map@{k}": of["candidates"][f"oracle_map@{k}"]}
        own = {"als": of["als"], "hybrid": of["hybrid"], "best order of the candidates": ceiling}
        of_kinds[kind] = own | baselines[kind]
    maps = {name: of[f"map@{k}"] for name, of in of_kinds["validation"].items()}
    for name in sorted(maps, key=maps.get, reverse=True):
        row = [name]
        for kind in KINDS:
            gain = differences[kind].get(name)
            row += [f"{of_kinds[kind][name][f'map@{k}']:.4f}", interval_text(gain) if gain else ""]
        for key in looks:
            values = [number(of_kinds[kind][name].get(key, math.nan)) for kind in KINDS]
            row.append(" / ".join(filter(None, values)))
        rows.append(row)
    caption = (
        f"MAP@{k}, and the paired gain of the hybrid over each model with its 95 % interval; "
        "popularity and diversity: validation / test"
    )
    return table(caption, ["model", "validation", "gain", "test", "gain", *looks], rows)


def by_k(curves: Mapping[str, pd.DataFrame]) -> Html:
    return figures(
        "AP@k divides by min(k, relevant items), so a curve can fall as k grows: at k = 1, one "
        "hit is the maximum.",
        *(figure(f"MAP@k by k, {kind}", *lines(curve)) for kind, curve in curves.items()),
    )


def slices_of(
    lists: pd.DataFrame, users: pd.DataFrame, n_resamples: int, seed: int, n_threads: int
) -> dict[tuple[str, str], Interval]:
    """Return the paired gain of the hybrid over ALS by slice: (dimension, level) -> interval.

    lists  data/per_user with the column user, a row of users.parquet
    users  the features of users.parquet, one row per user
    """
    gain = lists["ap_hybrid"] - lists["ap_als"]
    dimensions = {"positives in the history": by_activity(lists["n_positives"])}
    for name, values in users.items():
        of_column = levels(values.take(lists["user"]))
        if len(of_column) > 1:
            dimensions[name.replace("_", " ")] = of_column
    columns = {
        (dimension, level): np.where(is_in, gain, np.nan)
        for dimension, of in dimensions.items()
        for level, is_in in of.items()
    }
    for level, prefix in (("most popular tenth", "popular"), ("all others", "tail")):
        of_items = lists[f"{prefix}_hybrid"] - lists[f"{prefix}_als"]
        columns["popularity of the item", level] = of_items
    return intervals(columns, lists["user"].to_numpy(), n_resamples, seed, n_threads)


def levels(values: pd.Series) -> dict[str, np.ndarray]:
    """Return the levels of a column: name -> bool (n,).

    Numbers with many values are cut into quarters. Of many categories, only the largest are levels.
    """
    is_number = pd.api.types.is_numeric_dtype(values)
    is_cut = is_number and values.nunique() > MOST_LEVELS
    if is_cut:
        quarters = pd.qcut(values, 4, duplicates="drop")
        values = quarters.map(lambda one: one.right, na_action="ignore").astype(float)
    prefix = "up to " if is_cut else ""
    kept = sorted(values.value_counts().index[:MOST_LEVELS])
    masks = {f"{prefix}{one:g}" if is_number else str(one): values == one for one in kept}
    masks["all others"] = values.notna() & ~values.isin(kept)
    masks["unknown"] = values.isna()
    return {name: of.to_numpy() for name, of in masks.items() if of.any()}


def slices(found: Mapping[tuple[str, str], Interval], k: int) -> Html:
    """Return the gain by slice, a picture for each dimension. found  the result of slices_of"""
    rows: dict[str, list[Row]] = {}
    for (dimension, level), gain in found.items():
        kind = "hybrid" if gain.low > 0 else "als" if gain.high < 0 else "baseline"
        rows.setdefault(dimension, []).append(Row(f"{level} · {gain.n:,}", gain, kind))
    return figures(
        "Gain over ALS on the validation lists, with the number of lists of each level. A diamond: "
        "the interval is above 0; a circle: below 0; a square: it includes 0. For items, only the "
        "relevant items of the group count. About one slice in twenty is wrong by chance, and "
        f"there are {len(found)}: use them as hints, not as results.",
        *(figure(f"By {name}", *forest(of, f"gain in MAP@{k}")) for name, of in rows.items()),
    )


def item_age(ages: pd.DataFrame) -> Html:
    """Return MAP and recall by age of the item. ages  metrics/tables/item_age.csv"""
    rows = []
    for of in ages[(ages["fold"] == "all") & (ages["n_lists"] > 0)].itertuples():
        values = of.map_als, of.map_hybrid, of.recall_als, of.recall_hybrid
        row = [of.age, of.kind, f"{of.share:.1%}", f"{of.n_lists:,}"]
        rows.append(row + [f"{value:.4f}" for value in values])
    caption = (
        "By age of the item: new items have no interaction in the history of the fold; only the "
        "relevant items of the age count"
    )
    head = ["age", "folds", "relevant pairs", "lists", "MAP, ALS", "MAP, hybrid"]
    return table(caption, [*head, "recall, ALS", "recall, hybrid"], rows)


def ranker(gain: pd.DataFrame, added: pd.Series, curve: pd.DataFrame) -> Html:
    """Return contributions of families, gain of features and the learning curve.

    gain, curve  metrics/tables/feature_gain.csv and learning_curve.csv, which may be empty
    added        the result of family_contributions
    """
    top = gain.head(N_FEATURES).set_index("feature")["gain"]
    return figures(
        "These are the models of the fold validation. A contribution is what a family of features "
        f"adds to the scores of a user's {CONTENDERS} best candidates, minus its mean over them. "
        "Gain is the reduction of the training loss by splits on a feature. The learning curve "
        "shows MAP@10 of one model on warm lists of the fold. If it falls at its end, "
        "n_estimators is too high.",
        figure("Contribution to the score, by family", *bars(added, "mean |contribution|")),
        figure("Gain, by feature", *bars(top, "share of the gain")),
        figure("Learning curve: MAP@10 by number of trees", *lines(curve)) if len(curve) else None,
    )


def windows(table_: pd.DataFrame, kinds: Sequence[str]) -> Html:
    """Return plots and a table of the windows. kinds  what each window is used for"""
    colour = {"history": "history", "label": "baseline", "validation": "als", "test": "hybrid"}
    letters = {at: kind[0].upper() for at, kind in enumerate(kinds) if kind != "history"}
    drawn = []
    for name in table_.columns.intersection(["n_interactions", "n_positives", "n_users", "n_days"]):
        values = table_[name]
        axes = canvas(2.2, left=0.75)
        axes.bar(values.index, values, color=[PALETTE[colour[kind]] for kind in kinds])
        axes.set_xticks(list(letters), letters.values())
        axes.set_xlabel("window, oldest first")
        words = f"{len(values)} windows, {values.min():,.0f} to {values.max():,.0f}"
        drawn.append(figure(f"{name[2:].capitalize()} by window", axes, words))
    return figures(
        "T: a test window; V: a validation window; L: a label window, which only trains rankers. "
        "The others are only history. A model that is evaluated on a window uses only data from "
        "before that window.",
        *drawn,
    )


def beyond_accuracy(differences: Gains, summary: Summaries, k: int) -> Html:
    rows = []
    for kind in KINDS:
        for measure in ("popularity", "diversity", "coverage"):
            key, gain = f"{measure}@{k}", differences[kind].get(measure)
            means = [number(summary[kind][name][key]) for name in ("als", "hybrid")]
            rows.append([key, kind, *means, interval_text(gain) if gain else ""])
    return join(
        paragraph(
            "Popularity: the mean percentile of the items of a list, by positives in the history; "
            "1 is the most popular item. Diversity: 1 minus the mean cosine of the embeddings of "
            "all pairs of items in a list; 0 means that all items are alike. Coverage: the share "
            "of all items that are in at least one list."
        ),
        table(f"The top {k}", ["", "folds", "ALS", "hybrid", "hybrid minus ALS"], rows),
    )


def diagnostics(outcomes: Mapping[str, Outcome]) -> Html:
    """Return the problems found, and a line for every other check."""
    found, others = [], []
    for code, (is_problem, text) in outcomes.items():
        check, said = CHECKS[code], f"{text[0].upper()}{text[1:]}."
        if is_problem:
            parts = (
                tag("span", code, class_="code"),
                tag("h3", f"{check.title[0].upper()}{check.title[1:]}"),
                paragraph(said),
                paragraph(tag("b", "What to do. "), check.advice),
            )
            found.append(tag("div", *parts, class_="check", id=code))
        else:
            answer = "not checked" if is_problem is None else "no"
            others.append(tag("li", tag("b", code), f" {check.title}: {answer}. {said}"))
    return join(*found, tag("ul", *others, class_="checked"))

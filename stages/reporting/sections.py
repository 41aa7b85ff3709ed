"""Sections of the report: functions from results to markup."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from evaluation import pictures
from evaluation.bootstrap import Interval
from evaluation.pictures import Row, interval_text
from evaluation.results import worse_than
from reporting.diagnostics import CHECKS, Outcome
from reporting.page import Html, figure, figures, join, paragraph, table, tag
from reporting.ranker import CONTENDERS

N_FEATURES = 15  # number of features shown
KINDS = ("validation", "test")
Summaries = Mapping[str, dict]  # kind -> metrics/KIND.json
Gains = Mapping[str, Mapping[str, Interval]]  # kind -> model or measure -> gain of the hybrid


def gain_of(summary: dict, key: str, base: str = "uplift") -> Interval:
    """Return the pooled gain of one kind of folds from metrics/KIND.json."""
    of = summary[base]
    return Interval(of[key], of["ci95_low"], of["ci95_high"], summary["n_lists"])


def headline(gain: Interval, worse: Sequence[str] = ()) -> str:
    """Return the verdict on test, or on validation if the hybrid is significantly worse there.

    worse  the result of results.worse_than
    """
    if worse:
        return f"The hybrid is worse than {' and '.join(worse)} on the validation windows"
    if gain.low > 0:
        return "The hybrid beats ALS on the test windows"
    if gain.high < 0:
        return "The hybrid is worse than ALS on the test windows"
    return "On the test windows, the hybrid does not differ significantly from ALS"


def tile(kind: str, summary: dict, n_windows: int, k: int) -> Html:
    """Return the gain of one kind of folds in a few lines."""
    key, best = f"map@{k}", "uplift_over_best_baseline"
    gain, over = gain_of(summary, key), gain_of(summary, key, best)
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
        for code, one in outcomes.items()
        if one.is_problem
    ]
    what = f"{data} · candidates of several models, ranked by LightGBM (the hybrid), against ALS"
    tiles = (tile(kind, summary[kind], n_windows[kind], k) for kind in reversed(KINDS))
    title = headline(gain_of(summary["test"], f"map@{k}"), worse_than(summary["validation"]))
    return join(
        tag("p", what, class_="eyebrow"),
        tag("h1", title),
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


def forest_figure(heading: str, rows: Sequence[Row], k: int) -> Html:
    """Return a forest plot of gains."""
    words = "; ".join(f"{row.label}: {interval_text(row.interval)}" for row in rows)
    return figure(heading, pictures.forest(rows, f"gain in MAP@{k}"), words)


def gains(windows: pd.DataFrame, summary: Summaries, k: int) -> Html:
    """Return the gain over ALS by window, for each kind of folds."""
    pooled = {kind: gain_of(of, f"map@{k}") for kind, of in summary.items()}
    return forest_figure("Gain of the hybrid over ALS", pictures.gain_rows(windows, pooled), k)


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


def lines_figure(heading: str, frame: pd.DataFrame) -> Html:
    """Return a plot with a line for each column after the first; the frame must have a row."""
    ends = frame.iloc[[0, -1]].T.itertuples()
    words = "; ".join(f"{name}: {first:.4g} to {last:.4g}" for name, first, last in ends)
    return figure(heading, pictures.lines(frame), words)


def by_k(curves: Mapping[str, pd.DataFrame]) -> Html:
    """Return plots of MAP at every cut-off."""
    return join(
        paragraph(
            "AP@k divides by min(k, relevant items), so a curve can fall as k grows: at k = 1, one "
            "hit is the maximum."
        ),
        figures(*(lines_figure(f"MAP@k by k, {kind}", curve) for kind, curve in curves.items())),
    )


def slices(found: Mapping[tuple[str, str], Interval], k: int) -> Html:
    """Return the gain by slice, a picture for each dimension. found  the result of slices_of"""
    rows: dict[str, list[Row]] = {}
    for (dimension, level), gain in found.items():
        kind = "hybrid" if gain.low > 0 else "als" if gain.high < 0 else "baseline"
        rows.setdefault(dimension, []).append(Row(f"{level} · {gain.n:,}", gain, kind))
    return join(
        paragraph(
            "Gain over ALS on the validation lists, with the number of lists of each level. A "
            "diamond: the interval is above 0; a circle: below 0; a square: it includes 0. For "
            "items, only the relevant items of the group count. About one slice in twenty is wrong "
            f"by chance, and there are {len(found)}: use them as hints, not as results."
        ),
        figures(*(forest_figure(f"By {name}", of, k) for name, of in rows.items())),
    )


def item_age(ages: pd.DataFrame) -> Html:
    """Return MAP and recall by age of the item. ages  metrics/tables/item_age.csv"""
    rows = []
    for one in ages[(ages["fold"] == "all") & (ages["n_lists"] > 0)].to_dict("records"):
        of = [one[f"{of}_{model}"] for of in ("map", "recall") for model in ("als", "hybrid")]
        row = [one["age"], one["kind"], f"{one['share']:.1%}", f"{one['n_lists']:,}"]
        rows.append([*row, *(f"{value:.4f}" for value in of)])
    return table(
        "By age of the item: new items have no interaction in the history of the fold; only the "
        "relevant items of the age count",
        ["age", "folds", "relevant pairs", "lists"]
        + ["MAP, ALS", "MAP, hybrid", "recall, ALS", "recall, hybrid"],
        rows,
    )


def bars_figure(heading: str, values: pd.Series, label: str) -> Html:
    """Return a plot with a bar for each value, first on top."""
    words = "; ".join(f"{name}: {value:.3f}" for name, value in values.items())
    return figure(heading, pictures.bars(values, label), words)


def ranker(gain: pd.DataFrame, added: pd.Series, curve: pd.DataFrame) -> Html:
    """Return contributions of families, gain of features and the learning curve.

    gain, curve  metrics/tables/feature_gain.csv and learning_curve.csv, which may be empty
    added        the result of family_contributions
    """
    top = gain.head(N_FEATURES).set_index("feature")["gain"]
    return join(
        paragraph(
            "These are the models of the fold validation. A contribution is what a family of "
            f"features adds to the scores of a user's {CONTENDERS} best candidates, minus its mean "
            "over them. Gain is the reduction of the training loss by splits on a feature. The "
            "learning curve shows one model. If MAP falls at its end, n_estimators is too high."
        ),
        figures(
            bars_figure("Contribution to the score, by family", added, "mean |contribution|"),
            bars_figure("Gain, by feature", top, "share of the gain"),
            lines_figure("Learning curve: MAP by number of trees", curve) if len(curve) else None,
        ),
    )


def windows(table_: pd.DataFrame, kinds: Sequence[str]) -> Html:
    """Return plots and a table of the windows. kinds  what each window is used for"""
    colour = {"history": "history", "label": "baseline", "validation": "als", "test": "hybrid"}
    letters = {at: kind[0].upper() for at, kind in enumerate(kinds) if kind != "history"}
    drawn = []
    for name in table_.columns.intersection(["n_interactions", "n_positives", "n_users", "n_days"]):
        values = table_[name]
        axes = pictures.canvas(2.2, left=0.75)
        axes.bar(values.index, values, color=[pictures.PALETTE[colour[kind]] for kind in kinds])
        axes.set_xticks(list(letters), letters.values())
        axes.set_xlabel("window, oldest first")
        words = f"{len(values)} windows, {values.min():,.0f} to {values.max():,.0f}"
        drawn.append(figure(f"{name[2:].capitalize()} by window", axes, words))
    return join(
        paragraph(
            "T: a test window; V: a validation window; L: a label window, which only trains "
            "rankers. The others are only history. A model that is evaluated on a window uses only "
            "data from before that window."
        ),
        figures(*drawn),
    )


def beyond_accuracy(differences: Gains, summary: Summaries, k: int) -> Html:
    """Return popularity, diversity and coverage of the lists."""
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

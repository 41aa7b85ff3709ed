"""The sections of the report: findings in, markup out."""

from collections.abc import Mapping, Sequence

import pandas as pd

from findings.diagnostics import Fine, Found, Outcome
from findings.intervals import Interval
from findings.ranker_use import CONTENDERS, CONTRIBUTION_LISTS, Calibration
from findings.slices import Slice
from page import charts
from page.charts import Row
from page.document import figure, paragraph, pictures, table
from page.markup import Html, between, join, name_of, plain, signed, tag

KINDS = ("validation", "test")
N_FEATURES = 15


def kind_of_model(model: str) -> str:
    """Which colour and shape a model has."""
    return model if model in ("als", "hybrid") else "baseline"


def gain_text(gain: Interval, places: int = 3) -> str:
    return f"{signed(gain.value, places)} ({between(gain.low, gain.high, places)})"


def interval_text(gain: Interval) -> str:
    """In a sentence."""
    return f"{'95 % interval' if gain.is_known else 'no interval,'} {between(gain.low, gain.high)}"


# --- the verdict


def gain_of(summary: dict, key: str, base: str = "uplift") -> Interval:
    """The gain of a kind of folds, as evaluate found it."""
    of = summary[base]
    return Interval(of[key], of["ci95_low"], of["ci95_high"], summary["n_lists"])


def headline(gain: Interval) -> str:
    """The verdict on test in a few words."""
    if gain.is_above_zero:
        return "The hybrid beats ALS on the test windows"
    if gain.is_below_zero:
        return "The hybrid is worse than ALS on the test windows"
    return "On the test windows, the hybrid cannot be told from ALS"


def sentence(kind: str, summary: dict, n_windows: int, k: int) -> str:
    """The verdict on a kind of folds, with interval and n."""
    key, gain = f"map@{k}", gain_of(summary, f"map@{k}")
    windows = f"{n_windows} {kind} window{'s' if n_windows > 1 else ''}"
    return (
        f"On {windows}, MAP@{k} of the hybrid is {plain(summary['hybrid'][key])} and of ALS "
        f"{plain(summary['als'][key])}: {signed(gain.value)}, {interval_text(gain)}, over "
        f"{summary['n_lists']:,} lists of {summary['n_users']:,} users."
    )


def tile(kind: str, summary: dict, k: int) -> Html:
    """A kind of folds in four lines."""
    key, gain = f"map@{k}", gain_of(summary, f"map@{k}")
    best, over = summary["uplift_over_best_baseline"]["name"], "uplift_over_best_baseline"
    return tag(
        "div",
        tag("h3", f"Gain over ALS, {kind}"),
        tag("div", signed(gain.value), class_="big"),
        paragraph(
            f"{interval_text(gain)}, {summary['n_lists']:,} lists; "
            f"{signed(100 * summary['uplift']['relative'], 0)} %"
            + (f", p = {summary['uplift']['p_value']:.2g}" if gain.is_known else "")
        ),
        paragraph(
            f"over {name_of(best)}, the best baseline: {gain_text(gain_of(summary, key, over))}"
        ),
        class_="tile",
    )


def head(
    source: str,
    positive: str,
    summary: Mapping[str, dict],
    n_windows: Mapping[str, int],
    outcomes: Mapping[str, tuple[str, Outcome]],
    k: int,
) -> Html:
    """What stands on the first screen."""
    found = {code: title for code, (title, one) in outcomes.items() if isinstance(one, Found)}
    flags = tag(
        "ul",
        *(
            tag("li", tag("a", tag("b", code), f" {title}", href=f"#{code}"))
            for code, title in found.items()
        ),
        class_="flags",
    )
    return join(
        paragraph(
            f"{source}, relevant means {positive} · candidates of several models, ordered by a "
            "ranker (the hybrid), against ALS alone",
            class_="eyebrow",
        ),
        tag("h1", headline(gain_of(summary["test"], f"map@{k}"))),
        paragraph(sentence("test", summary["test"], n_windows["test"], k), class_="lead"),
        paragraph(
            sentence("validation", summary["validation"], n_windows["validation"], k),
            " Settings were chosen on validation, so its gain flatters; test is looked at last.",
        ),
        tag("div", *(tile(kind, summary[kind], k) for kind in reversed(KINDS)), class_="tiles"),
        paragraph(
            f"{len(outcomes)} things that can go wrong were checked; ",
            f"{len(found)} of them {'applies' if len(found) == 1 else 'apply'}:"
            if found
            else "none of them applies.",
        ),
        flags if found else None,
    )


# --- gains and models


def gains(windows: pd.DataFrame, summary: Mapping[str, dict], k: int) -> Html:
    """A forest plot for each kind of folds, on one axis."""
    rows = {}
    for kind in KINDS:
        own = windows[windows["fold"].str.split("_").str[0] == kind]
        rows[kind] = [
            _gain_row(f"window {row.window} · {row.n_lists:,} lists", Interval(*gain, row.n_lists))
            for row in own.itertuples()
            for gain in [(row.gain, row.gain_low, row.gain_high)]
        ]
        pooled = gain_of(summary[kind], f"map@{k}")
        rows[kind].append(_gain_row(f"all · {pooled.n:,} lists", pooled, "pooled"))
    span = charts.span_of([row for of in rows.values() for row in of], has_zero=True)
    drawn = [
        figure(
            kind.capitalize(),
            charts.interval_rows(
                f"Gain of the hybrid over ALS by window, {kind}", f"gain in MAP@{k}", of, span
            ),
        )
        for kind, of in rows.items()
    ]
    return join(
        paragraph(
            "Each window is a test of its own, by models that know only what came before it. The "
            "bars are 95 % intervals of a bootstrap over users, each with all their lists; right "
            "of the line at 0 the hybrid is better."
        ),
        pictures(*drawn, is_pair=True),
    )


def _gain_row(label: str, gain: Interval, kind: str = "plain") -> Row:
    return Row(label, gain, gain_text(gain), kind)


def models(
    maps: Mapping[str, Mapping[str, Interval]],
    differences: Mapping[str, Mapping[str, Interval]],
    k: int,
) -> Html:
    """MAP@k of every model with its interval.

    maps  kind -> model -> MAP@k, `ceiling` among them; differences: hybrid minus each, paired
    """
    order = sorted(maps["validation"], key=lambda name: maps["validation"][name].value)
    rows = {
        kind: [
            Row(
                {"ceiling": "best order of the candidates"}.get(name, name_of(name)),
                maps[kind][name],
                f"{plain(maps[kind][name].value)} "
                f"({between(maps[kind][name].low, maps[kind][name].high)})",
                kind_of_model(name),
                name == "ceiling",
            )
            for name in order
        ]
        for kind in KINDS
    }
    span = charts.span_of([row for of in rows.values() for row in of])
    drawn = [
        figure(
            kind.capitalize(),
            charts.interval_rows(f"MAP@{k} of every model, {kind}", f"MAP@{k}", of, span),
        )
        for kind, of in rows.items()
    ]
    cells = [
        [
            name_of(name),
            *(
                cell
                for kind in KINDS
                for cell in (
                    plain(maps[kind][name].value, 4),
                    gain_text(differences[kind][name]) if name in differences[kind] else "",
                )
            ),
        ]
        for name in reversed(order)
    ]
    return join(
        paragraph(
            "Intervals of one model tell how sure its own MAP is. Whether two models differ, tells "
            "the paired difference in the table: the same users are drawn for both, and what makes "
            "a user hard for both falls out."
        ),
        pictures(*drawn, is_pair=True),
        table(
            f"MAP@{k}, and the hybrid's paired gain over each model, with 95 % intervals",
            ["model", "validation", "hybrid's gain", "test", "hybrid's gain"],
            cells,
            strong="hybrid",
        ),
    )


def by_k(curves: Mapping[str, pd.DataFrame]) -> Html:
    """MAP at every cut-off."""
    drawn = [
        figure(
            kind.capitalize(),
            charts.lines(
                f"MAP@k of every model by k, {kind}",
                ("k", "MAP@k"),
                of["k"].tolist(),
                {
                    name_of(name): (kind_of_model(name), of[name].tolist())
                    for name in of.columns[1:]
                },
            ),
        )
        for kind, of in curves.items()
    ]
    return join(
        paragraph(
            "MAP at every cut-off. AP@k divides by min(k, relevant items), so that a curve may "
            "fall as k grows: at k = 1 one hit is all there is to find."
        ),
        pictures(*drawn, is_pair=True),
    )


def slices(found: Sequence[Slice], k: int) -> Html:
    """The gain by slice, a picture for each dimension, all on one axis."""
    rows: dict[str, list[Row]] = {}
    for one in found:
        kind = "hybrid" if one.gain.is_above_zero else "als" if one.gain.is_below_zero else "plain"
        label = f"{one.level} · {one.gain.n:,}"
        rows.setdefault(one.dimension, []).append(Row(label, one.gain, gain_text(one.gain), kind))
    span = _robust_span(found)
    drawn = [
        figure(
            name.replace("_", " ").capitalize(),
            charts.interval_rows(
                f"Gain of the hybrid over ALS by {name.replace('_', ' ')}, validation",
                f"gain in MAP@{k}",
                [_clipped(row, span) for row in of],
                span,
            ),
        )
        for name, of in rows.items()
    ]
    return join(
        paragraph(
            "Gain over ALS on the validation lists, with the number of lists behind each level. A "
            "diamond: the interval lies above 0; a large circle: below it. For items, only the "
            "relevant items of the group count. "
            f"Of {len(found)} slices, about one in twenty misses the truth by chance: a hint where "
            "to look, no result."
        ),
        pictures(*drawn),
    )


def _robust_span(found: Sequence[Slice]) -> tuple[float, float]:
    """An axis for all slices on which a few wide intervals do not flatten the others."""
    ends = sorted(max(map(abs, one.gain.reach)) for one in found)
    most = min(ends[-1], 2.5 * ends[len(ends) // 2]) or 1.0
    return -1.05 * most, 1.05 * most


def _clipped(row: Row, span: tuple[float, float]) -> Row:
    """The row with what is drawn of it kept on the axis; its text keeps the figures."""
    low, high = span
    kept = (min(max(value, low), high) for value in row.interval[:3])
    return Row(row.label, Interval(*kept, row.interval.n), row.text, row.kind)


# --- the ranker


def ranker(
    gain: pd.DataFrame, by_family: pd.DataFrame, added: pd.DataFrame, curve: pd.DataFrame
) -> Html:
    """What it uses. gain: metrics/feature_gain.csv; by_family, added: findings.ranker_use; curve:
    metrics/learning_curve.csv.
    """
    families = by_family.sort_values("gain", ascending=False, kind="stable")
    return join(
        paragraph(
            "The models of the fold validation. Gain is what the splits on a feature took off the "
            "loss in training. A contribution is what a feature adds to one candidate's score, in "
            "log-odds where the ranker predicts a probability."
        ),
        pictures(
            figure(
                "What moves the score, by family",
                charts.bars(
                    "Mean absolute contribution to the score by family of features",
                    "mean |contribution|",
                    [(row.family, row.within, row.all) for row in added.itertuples()],
                ),
                f"Over the {CONTENDERS} best candidates of {CONTRIBUTION_LISTS} users drawn by the "
                "seed. Solid: less the mean of the user's candidates, which is what can reorder "
                "them. Hollow: all of it, also what is alike for all items of a user.",
            ),
            figure(
                "Gain, by family",
                charts.bars(
                    "Share of the ranker's gain by family of features",
                    "share of the gain",
                    [(row.family, row.gain, None) for row in families.itertuples()],
                ),
            ),
            figure(
                "Gain, by feature",
                charts.bars(
                    f"Share of the ranker's gain, the {N_FEATURES} features with the largest",
                    "share of the gain",
                    [(row.feature, row.gain, None) for row in gain.head(N_FEATURES).itertuples()],
                ),
            ),
            learning_curve(curve),
        ),
    )


def learning_curve(curve: pd.DataFrame) -> Html:
    """MAP by number of trees; curve: metrics/learning_curve.csv, which may have no row."""
    heading = "Learning curve"
    if curve.empty:
        return figure(heading, paragraph("None: no list of the fold holds a relevant item."))
    return figure(
        heading,
        charts.lines(
            "MAP of the ranker on validation by number of trees",
            ("trees", "MAP"),
            curve["trees"].tolist(),
            {"one model": ("hybrid", curve["map"].tolist())},
        ),
        "One model, on lists that hold a relevant item. If it falls, there are too many trees.",
    )


def reliability(points: Sequence[Calibration] | None, n_lists: int, n_rows: int) -> Html:
    """The score as a probability; None where it is none."""
    if points is None:
        return paragraph(
            "Not shown: a ranker that learns the order of a list (lambdarank, rank_xendcg) gives a "
            "score that is no probability. It can be asked of ranker.objective binary."
        )
    predicted = sum(one.predicted for one in points) / len(points)
    observed = sum(one.observed.value for one in points) / len(points)
    ratio = predicted / observed if observed else float("nan")
    if ratio != ratio:
        said = "None of these candidates is relevant, so the score cannot be held against anything."
    elif 1 / 1.2 <= ratio <= 1.2:
        said = "On the whole, predictions are as high as what came true."
    else:
        said = (
            f"On the whole, predictions are {ratio:.1f} times what came true. The ranker learns "
            "from lists that hold a relevant item, with only some of the others "
            "(ranker.negatives), so they need not agree; the order, which is all that recommends, "
            "does not suffer. Divide before you use a score as a probability."
        )
    return join(
        paragraph(said),
        pictures(
            figure(
                "Predicted and observed, by tenth of the score",
                charts.reliability(
                    "Reliability of the ranker's score on validation",
                    [(one.predicted, one.observed) for one in points],
                ),
                f"{n_rows:,} candidates of {n_lists:,} warm users of the window, with and without "
                "a relevant item, drawn by the seed. Dashed: predictions that come true. Bars: 95 "
                "% intervals, over users.",
            ),
            table(
                "Candidates by tenth of the score",
                ["predicted", "observed", "95 % interval"],
                [
                    [
                        f"{one.predicted:.4f}",
                        f"{one.observed.value:.4f}",
                        between(one.observed.low, one.observed.high, 4),
                    ]
                    for one in points
                ],
            ),
            is_pair=True,
        ),
    )


# --- data and lists


def windows(table_: pd.DataFrame, kinds: Sequence[str]) -> Html:
    """The windows of the data; kinds: of each, what it is for. Their days where they are known."""
    drawn = [
        figure(
            heading,
            charts.columns(f"{heading} by window", axis, table_[column].tolist(), kinds),
        )
        for heading, axis, column in (
            ("Interactions", "rows", "n_interactions"),
            ("Positives", "rows", "n_positives"),
            ("Users", "users", "n_users"),
            ("Length", "days", "n_days"),
        )
        if column in table_.columns
    ]
    return join(
        paragraph(
            "Windows in the order of time. T: a test window; V: validation; L: its positives only "
            "train rankers. The others are history. The models that a window judges know every "
            "window before it, and nothing of it or after."
        ),
        pictures(*drawn),
    )


def beyond_accuracy(
    found: Mapping[str, Mapping[str, Interval]], coverage: Mapping[str, Mapping[str, float]], k: int
) -> Html:
    """Popularity and diversity of the lists of ALS and of the hybrid.

    found  kind -> popularity_als, …_hybrid, …_difference and the same of diversity
    """
    measures = {"popularity": ("users who liked an item", 100, 1), "diversity": ("diversity", 1, 3)}
    drawn, rows = [], []
    for measure, (axis, factor, places) in measures.items():
        of = found["validation"]
        if f"{measure}_als" not in of:
            continue
        both = [
            Row(
                name_of(model),
                scaled,
                f"{plain(scaled.value, places)} ({between(scaled.low, scaled.high, places)})",
                model,
            )
            for model in ("als", "hybrid")
            for scaled in [_times(of[f"{measure}_{model}"], factor)]
        ]
        label = f"{axis}, %" if factor == 100 else axis
        title = f"Mean {measure} of the lists of ALS and of the hybrid, validation"
        picture = charts.interval_rows(title, label, both, charts.span_of(both))
        drawn.append(figure(f"Mean {measure}", picture))
    for kind in KINDS:
        for measure, (_, factor, places) in measures.items():
            if f"{measure}_als" in found[kind]:
                als, hybrid, difference = (
                    _times(found[kind][f"{measure}_{name}"], factor)
                    for name in ("als", "hybrid", "difference")
                )
                name = f"{measure}, %" if factor == 100 else measure
                values = plain(als.value, places), plain(hybrid.value, places)
                rows.append([name, kind, *values, gain_text(difference, places)])
        values = (coverage[kind][name] for name in ("als", "hybrid"))
        rows.append([f"coverage@{k}", kind, *(plain(value) for value in values), ""])
    return join(
        paragraph(
            "Popularity: the share of the history's users who liked an item of the list, on "
            "average. Diversity: 1 minus the mean cosine of the embeddings of all pairs of a list; "
            "0 is a list of one thing. Coverage: the share of all items that stand in some list."
        ),
        pictures(*drawn, is_pair=True),
        table(
            f"What the top {k} are like",
            ["", "folds", "ALS", "hybrid", "hybrid minus ALS"],
            rows,
        ),
    )


def _times(one: Interval, factor: float) -> Interval:
    return Interval(one.value * factor, one.low * factor, one.high * factor, one.n)


# --- diagnostics


def diagnostics(outcomes: Mapping[str, tuple[str, Outcome]]) -> Html:
    """Those that apply, and a line for each that was checked and does not, or could not be."""
    found = [
        tag(
            "div",
            tag("span", code, class_="code"),
            tag("h3", title[0].upper() + title[1:]),
            paragraph(one.finding),
            paragraph(tag("b", "What to do. "), one.advice),
            class_="check",
            id=code,
        )
        for code, (title, one) in outcomes.items()
        if isinstance(one, Found)
    ]
    others = [
        tag(
            "li",
            tag("b", code),
            f" {title}: ",
            "no; " if isinstance(one, Fine) else "not checked; ",
            one.reason,
            ".",
        )
        for code, (title, one) in outcomes.items()
        if not isinstance(one, Found)
    ]
    return join(
        *found,
        None if found else paragraph("None applies."),
        tag("h3", "Checked as well", class_="apart") if others else None,
        tag("ul", *others, class_="checked") if others else None,
    )

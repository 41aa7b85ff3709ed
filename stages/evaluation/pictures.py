"""Plots of results for metrics/ and the report, each with a description for screen readers."""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from core.params import kind_of

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.bootstrap import Interval

PALETTE = {  # the report's style sheet has the same names, with other values for dark screens
    "ink": "#1a1f26",
    "soft": "#56606c",
    "edge": "#d5dbe2",
    "als": "#0b62ae",
    "hybrid": "#b93a05",
    "baseline": "#6d7681",
    "history": "#bcc5cf",
    "page": "#ffffff",
}
MARKERS = {"als": "o", "hybrid": "D"}  # shapes for readers who cannot see the colours
STYLE = {
    "axes.edgecolor": PALETTE["soft"],
    "axes.labelcolor": PALETTE["soft"],
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "DejaVu Sans",  # is part of matplotlib, so the layout is the same everywhere
    "grid.color": PALETTE["edge"],
    "text.color": PALETTE["ink"],
    "text.parse_math": False,
    "xtick.color": PALETTE["soft"],
    "ytick.color": PALETTE["soft"],
}
WIDTH = 5  # inches: 360 units of the SVG, the width of a phone


class Row(NamedTuple):
    label: str
    interval: Interval
    kind: str = "baseline"  # baseline, als or hybrid: colour and marker


def canvas(height: float, left: float = 0.1, right: float = 0.1) -> Axes:
    """Return axes with this height and these margins, in inches, and room for labels of x.

    We do not use matplotlib's layout engines, because they take three times as long.
    """
    matplotlib.use("Agg")
    matplotlib.rcdefaults()  # ignores any matplotlibrc
    matplotlib.rcParams.update(STYLE)
    figure = Figure((WIDTH, height))
    figure.subplots_adjust(left / WIDTH, 0.55 / height, 1 - right / WIDTH, 1 - 0.1 / height)
    return figure.add_subplot()


def interval_text(one: Interval) -> str:
    """Return the value with its interval, both signed."""
    if not one.is_known:
        return f"{signed(one.value)} (too few users)"
    return f"{signed(one.value)} ({signed(one.low)} to {signed(one.high)})"


def signed(value: float) -> str:
    """Return a number with its sign; minus is the typographic one."""
    return f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")


def forest(rows: Sequence[Row], label: str) -> tuple[Axes, str]:
    """Draw a forest plot: a line for each interval, with label and numbers above it."""
    axes = canvas(0.6 + 0.42 * len(rows), left=0.25, right=0.25)  # half a label of x
    for y, row in enumerate(rows):
        one, colour = row.interval, PALETTE[row.kind]
        axes.plot([one.low, one.high], [y, y], color=colour, linewidth=2)
        axes.plot(one.value, y, MARKERS.get(row.kind, "s"), color=colour, markersize=6)
        style = {"transform": axes.get_yaxis_transform(), "va": "center"}
        style["weight"] = "bold" if row.kind == "hybrid" else "normal"
        style["bbox"] = {"facecolor": PALETTE["page"], "edgecolor": "none", "pad": 0.5}
        axes.text(0, y - 0.4, row.label, **style)
        axes.text(1, y - 0.4, interval_text(one), ha="right", **style)
    axes.axvline(0, color=PALETTE["ink"], linewidth=1, zorder=0)
    axes.set(ylim=(len(rows) - 0.6, -0.8), yticks=[], xlabel=label)
    axes.locator_params(axis="x", nbins=5)
    axes.spines["left"].set_visible(False)
    return axes, "; ".join(f"{row.label}: {interval_text(row.interval)}" for row in rows)


def lines(frame: pd.DataFrame) -> tuple[Axes, str]:
    """Draw a line for each column, with a legend on the right. The first column is x."""
    x, names = frame.iloc[:, 0], frame.columns[1:]
    axes = canvas(3.2, left=0.55, right=1.6 if len(names) > 1 else 0.1)
    others, style = itertools.cycle("sv^x+<>*"), {"markersize": 4, "markevery": 1 + len(x) // 20}
    for name in names:
        marker, colour = MARKERS.get(name) or next(others), PALETTE.get(name, PALETTE["baseline"])
        axes.plot(x, frame[name], color=colour, marker=marker, label=name, **style)
    axes.set_xlabel(frame.columns[0])
    axes.locator_params(axis="x", nbins=6, integer=True)
    axes.grid(axis="y")
    axes.margins(x=0)
    if len(names) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    ends = frame.iloc[[0, -1]].T.itertuples()
    return axes, "; ".join(f"{name}: {first:.4g} to {last:.4g}" for name, first, last in ends)


def bars(values: pd.Series, label: str) -> tuple[Axes, str]:
    """Draw horizontal bars, first on top, each labelled with its index."""
    left = 0.2 + 0.075 * max(map(len, values.index))
    axes = canvas(0.65 + 0.24 * len(values), left=min(left, 2.5), right=0.25)
    axes.barh(values.index, values, 0.75, color=PALETTE["hybrid"])
    axes.set(xlabel=label, ylim=(len(values) - 0.4, -0.6))
    axes.locator_params(axis="x", nbins=5)
    return axes, "; ".join(f"{name}: {value:.3f}" for name, value in values.items())


def gain_of(summary: dict, k: int, base: str = "uplift") -> Interval:
    """Return the pooled gain in MAP@k of one kind of folds. summary  metrics/KIND.json"""
    of = summary[base]
    return Interval(of[f"map@{k}"], of["ci95_low"], of["ci95_high"], summary["n_lists"])


def gain_rows(windows: pd.DataFrame, summaries: Mapping[str, dict], k: int) -> list[Row]:
    """Return forest-plot rows of the gain over ALS: every window of each kind, then all pooled.

    windows  metrics/windows.csv; summaries  kind -> metrics/KIND.json
    """
    rows = []
    for kind, summary in summaries.items():
        for row in windows[windows["fold"].map(kind_of) == kind].itertuples():
            label = f"{row.fold.replace('_', ' ')}: window {row.window}, {row.n_lists:,} lists"
            one = Interval(row.gain, row.gain_low, row.gain_high, row.n_lists)
            rows.append(Row(label, one, "als"))
        pooled = gain_of(summary, k)
        rows.append(Row(f"{kind}, all: {pooled.n:,} lists", pooled, "hybrid"))
    return rows

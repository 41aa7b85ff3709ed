"""Draws the results for the READMEs."""

import matplotlib.pyplot as plt
import pandas as pd

from evaluation.labels import spread

N_FEATURES = 15
COLOURS = {"hybrid": "#c1121f", "als": "#003049"}  # the two that matter; baselines are grey
GREY, DARK_GREY = "#9aa0a6", "#5f6368"
LINE_HEIGHT = 0.055  # of a label, as a share of the axis


def draw_by_k(axes: plt.Axes, frame: pd.DataFrame) -> None:
    """A line per model, named at its right end."""
    models = frame.columns[1:]
    for name in models:
        width = 2.4 if name in COLOURS else 1.3
        axes.plot(frame["k"], frame[name], color=COLOURS.get(name, GREY), linewidth=width)
    axes.set(title="MAP@k, test", xlabel="k", ylabel="MAP@k", ylim=0)
    axes.margins(x=0)
    ends = frame[models].iloc[-1].to_numpy()
    heights = spread(ends, LINE_HEIGHT * axes.get_ylim()[1])
    for name, end, height in zip(models, ends, heights, strict=True):
        axes.annotate(
            name.replace("_", " "),
            (frame["k"].iloc[-1], end),
            (1.03, height),
            textcoords=("axes fraction", "data"),
            color=COLOURS.get(name, DARK_GREY),
            va="center",
            fontsize=9,
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.6},
        )


def draw_slices(axes: plt.Axes, frame: pd.DataFrame) -> None:
    """Two bars per slice of users."""
    users = frame[~frame["slice"].str.endswith("items")]
    labels = [f"{row.slice}\n({row.n_lists} lists)" for row in users.itertuples()]
    users.set_axis(labels).plot.barh(y=["als", "hybrid"], ax=axes, color=COLOURS, width=0.75)
    axes.invert_yaxis()
    axes.set(title="MAP@k by history of the user, test", xlabel="MAP@k", ylabel="")
    axes.legend(frameon=False, fontsize=8)


def draw_gain(axes: plt.Axes, frame: pd.DataFrame) -> None:
    """A bar per feature, the largest on top."""
    top = frame.head(N_FEATURES)
    axes.barh(top["feature"], top["gain"], color=GREY)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=8)
    axes.set(title="Share of the ranker's gain", xlabel="share")


def results(by_k: pd.DataFrame, slices: pd.DataFrame, gain: pd.DataFrame) -> plt.Figure:
    """MAP@k of every model by k, MAP@k by slice of users, and the features that gain most, from the
    tables of these names in metrics/, for one kind of folds.
    """
    plt.switch_backend("Agg")  # no screen is needed
    figure, axes = plt.subplots(1, 3, figsize=(16, 4.8), layout="constrained")
    draw_by_k(axes[0], by_k)
    draw_slices(axes[1], slices)
    draw_gain(axes[2], gain)
    return figure


def gain_by_window(windows: pd.DataFrame, pooled: dict[str, dict[str, float]]) -> plt.Figure:
    """A forest plot of the gain over ALS: a row per judged window, oldest first, and a diamond for
    all windows of a kind together; test and validation apart.

    windows  metrics/windows.csv; pooled  metrics/map.json
    """
    plt.switch_backend("Agg")  # no screen is needed
    rows = []  # label, gain, low, high, whether pooled
    for kind, all_of_it in pooled.items():
        own = windows[windows["fold"].str.split("_").str[0] == kind]
        for row in own.itertuples():
            label = f"{row.fold.replace('_', ' ')}: window {row.window}, {row.n_lists} lists"
            rows.append((label, row.gain, row.gain_low, row.gain_high, False))
        label = f"{kind}, pooled: {own['n_lists'].sum()} lists"
        rows.append((label, *(all_of_it[key] for key in ("gain", "gain_low", "gain_high")), True))
    figure, axes = plt.subplots(figsize=(9, 0.8 + 0.38 * len(rows)), layout="constrained")
    for height, (_, gain, low, high, is_pooled) in enumerate(rows):
        colour, marker = (COLOURS["hybrid"], "D") if is_pooled else (COLOURS["als"], "o")
        axes.plot([low, high], [height, height], color=colour, linewidth=2.4 if is_pooled else 1.4)
        axes.plot(gain, height, marker, color=colour, markersize=7 if is_pooled else 5)
        interval = f"{low:+.4f} to {high:+.4f}" if low <= high else "too few users"  # NaN
        text = f"{gain:+.4f} ({interval})"
        axes.annotate(
            text,
            (1.02, height),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=9,
            weight="bold" if is_pooled else "normal",
        )
    axes.set_yticks(range(len(rows)), [label for label, *_ in rows])
    for tick, (*_, is_pooled) in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_weight("bold" if is_pooled else "normal")
    axes.axvline(0, color=DARK_GREY, linewidth=0.8)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set(xlabel="gain of the hybrid over ALS, MAP@k, with its 95 % interval")
    return figure

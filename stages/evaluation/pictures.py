"""Draws the results of the test fold for the README."""

import matplotlib.pyplot as plt
import pandas as pd

N_FEATURES = 15
COLOURS = {"hybrid": "#c1121f", "als": "#003049"}  # the two that matter; baselines are grey
GREYS = ("#9aa0a6", "#5f6368", "#b8bcc0", "#7d8186", "#d0d3d6")


def draw_by_k(axes: plt.Axes, frame: pd.DataFrame) -> None:
    """A line per model, named at its right end."""
    greys = iter(GREYS)
    for name in frame.columns[1:]:
        colour = COLOURS.get(name) or next(greys)
        width = 2.4 if name in COLOURS else 1.3
        axes.plot(frame["k"], frame[name], color=colour, linewidth=width, label=name)
    axes.set(title="MAP@k, test fold", xlabel="k", ylabel="MAP@k", ylim=0)
    axes.legend(frameon=False, fontsize=8)


def draw_slices(axes: plt.Axes, frame: pd.DataFrame) -> None:
    """Two bars per slice of users."""
    users = frame[(frame["fold"] == "test") & ~frame["slice"].str.endswith("items")]
    labels = [f"{row.slice}\n({row.n_users} users)" for row in users.itertuples()]
    users.set_axis(labels).plot.barh(y=["als", "hybrid"], ax=axes, color=COLOURS, width=0.75)
    axes.invert_yaxis()
    axes.set(title="MAP@k by history of the user, test fold", xlabel="MAP@k", ylabel="")
    axes.legend(frameon=False, fontsize=8)


def draw_gain(axes: plt.Axes, frame: pd.DataFrame) -> None:
    """A bar per feature, the largest on top."""
    top = frame.head(N_FEATURES)
    axes.barh(top["feature"], top["gain"], color=GREYS[0])
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=8)
    axes.set(title="Share of the ranker's gain", xlabel="share")


def results(by_k: pd.DataFrame, slices: pd.DataFrame, gain: pd.DataFrame) -> plt.Figure:
    """MAP@k of every model by k, MAP@k by slice of users, and the features that gain most, from the
    tables of these names in metrics/.
    """
    plt.switch_backend("Agg")  # no screen is needed
    figure, axes = plt.subplots(1, 3, figsize=(16, 4.8), layout="constrained")
    draw_by_k(axes[0], by_k)
    draw_slices(axes[1], slices)
    draw_gain(axes[2], gain)
    return figure

"""Compares results of this run with published figures for a public data set."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from reporting.page import Html, join, paragraph, table

N_WEEKS = 27  # number of weeks of VK-LSVD


class Protocol(NamedTuple):
    """Published figures of one report: (evaluated week, metric) -> model -> value."""

    source: str
    positive: str  # data.positive
    k: int
    figures: dict[tuple[int, str], dict[str, float]]


NEW = "iALS, a tenth of the places for new items"
OURS = {"popularity": "popular", "content kNN": "content", "iALS": "als", "hybrid": "hybrid"}
STUDY = {
    (26, "ndcg"): {"popularity": 0, "content kNN": 0.0013, "BPR": 0.0092, "iALS": 0.0118}
    | {NEW: 0.0116},
    (26, "map"): {"popularity": 0, "content kNN": 0.0008, "BPR": 0.0054, "iALS": 0.0070}
    | {NEW: 0.0069},
    (25, "ndcg"): {"iALS": 0.0170},
}
PAPER = {(26, "ndcg"): {"popularity": 0.0024, "iALS": 0.0262}}
PUBLISHED = {  # by data.subsample
    "ur0.01_ir0.01": [
        Protocol(
            "A study of embeddings, whose models know weeks 0 to 24",
            "like or share or bookmark or timespent >= 0.8 * duration",
            10,
            STUDY,
        ),
        Protocol("The paper of the data set (arXiv 2602.04567)", "timespent > 10", 20, PAPER),
    ]
}


def published(
    subsample: str,
    positive: str,
    k: int,
    windows: Mapping[str, int],
    n_windows: int,
    lists: pd.DataFrame,
) -> Html | None:
    """Return a table of published figures and ours, or None if there are no published figures.

    windows, n_windows  target window of each judged fold, and number of windows
    lists  all judged lists: fold, ap_MODEL, ndcg_MODEL
    """
    if subsample not in PUBLISHED:
        return None
    is_whole = n_windows == N_WEEKS  # otherwise only the last window is known to be the last week
    week_of = {
        fold: window + N_WEEKS - n_windows
        for fold, window in windows.items()
        if is_whole or window == n_windows - 1
    }
    week = lists["fold"].map(week_of)
    parts = []
    for protocol in PUBLISHED[subsample]:
        is_ours = positive.split() == protocol.positive.split() and k == protocol.k
        rows = []
        for (of_week, metric), figures in protocol.figures.items():
            own = lists[week == of_week]
            for model in [*figures, "hybrid"]:
                column = f"{metric.replace('map', 'ap')}_{OURS.get(model)}"
                has = is_ours and len(own) and column in own
                rows.append(
                    [f"{metric.upper()}@{protocol.k}, week {of_week}", model]
                    + [f"{figures[model]:.4f}" if model in figures else ""]
                    + [f"{own[column].mean():.4f}" if has else ""]
                )
        caption = f"{protocol.source}. Relevant means {protocol.positive}"
        if not is_ours:
            caption += ". This run has another rule or k, so it is not shown"
        parts.append(table(caption, ["metric", "model", "published", "this run"], rows))
    return join(
        paragraph(
            "Figures that others have published for this subsample. data/README.md says in what "
            "the protocols differ: this run knows every week before the evaluated one."
        ),
        *parts,
    )

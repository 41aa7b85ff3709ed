"""Compares results of this run with published figures for a public data set."""

from collections.abc import Mapping

import pandas as pd

from reporting.page import Html, join, paragraph, table

N_WEEKS = 27  # number of weeks of VK-LSVD
NEW = "iALS, a tenth of the places for new items"
OURS = {"popularity": "popular", "content kNN": "content", "iALS": "als", "hybrid": "hybrid"}
STUDY = {  # (evaluated week, metric) -> model -> value
    (26, "ndcg"): {"popularity": 0, "content kNN": 0.0013, "BPR": 0.0092, "iALS": 0.0118}
    | {NEW: 0.0116},
    (26, "map"): {"popularity": 0, "content kNN": 0.0008, "BPR": 0.0054, "iALS": 0.0070}
    | {NEW: 0.0069},
    (25, "ndcg"): {"iALS": 0.0170},
}
PAPER = {(26, "ndcg"): {"popularity": 0.0024, "iALS": 0.0262}}
PUBLISHED = {  # by data.subsample: source, data.positive, k, figures
    "ur0.01_ir0.01": [
        (
            "A study of embeddings, whose models know weeks 0 to 24",
            "like or share or bookmark or timespent >= 0.8 * duration",
            10,
            STUDY,
        ),
        ("The paper of the data set (arXiv 2602.04567)", "timespent > 10", 20, PAPER),
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
    week, parts = lists["fold"].map(week_of), []
    for source, rule, own_k, figures in PUBLISHED[subsample]:
        is_ours = positive.split() == rule.split() and k == own_k
        rows = []
        for (of_week, metric), of_models in figures.items():
            own = lists[week == of_week]
            for model, value in (of_models | {"hybrid": None}).items():
                column = f"{metric.replace('map', 'ap')}_{OURS.get(model)}"
                has = is_ours and len(own) and column in own
                rows.append(
                    [f"{metric.upper()}@{own_k}, week {of_week}", model]
                    + ["" if value is None else f"{value:.4f}"]
                    + [f"{own[column].mean():.4f}" if has else ""]
                )
        caption = f"{source}. Relevant means {rule}"
        if not is_ours:
            caption += ". This run has another rule or k, so it is not shown"
        parts.append(table(caption, ["metric", "model", "published", "this run"], rows))
    said = (
        "Figures that others have published for this subsample. data/README.md says in what the "
        "protocols differ: this run knows every week before the evaluated one."
    )
    return join(paragraph(said), *parts)

"""Compares results of this run with published figures for a public data set."""

import math

import pandas as pd

from reporting.page import Html, join, paragraph, table

N_WEEKS = 27  # number of weeks of VK-LSVD
OURS = {"popularity": "popular", "content kNN": "content", "iALS": "als", "hybrid": "hybrid"}
MODELS = ("popularity", "content kNN", "BPR", "iALS", "iALS, a tenth of the places for new items")
STUDY = {  # (evaluated week, metric) -> model -> value
    (26, "ndcg"): dict(zip(MODELS, (0, 0.0013, 0.0092, 0.0118, 0.0116), strict=True)),
    (26, "map"): dict(zip(MODELS, (0, 0.0008, 0.0054, 0.0070, 0.0069), strict=True)),
    (25, "ndcg"): {"iALS": 0.0170},
}
PAPER = {(26, "ndcg"): {"popularity": 0.0024, "iALS": 0.0262}}
SUBSAMPLE = "ur0.01_ir0.01"
RULE = "like or share or bookmark or timespent >= 0.8 * duration"
PUBLISHED = [  # source, data.positive, k, figures
    ("A study of embeddings, whose models know weeks 0 to 24", RULE, 10, STUDY),
    ("The paper of the data set (arXiv 2602.04567)", "timespent > 10", 20, PAPER),
]


def published(
    subsample: str, positive: str, k: int, windows: dict[str, int], lists: pd.DataFrame
) -> Html | None:
    """Return a table of published figures and ours, or None if there are no published figures.

    windows  target window of each fold; lists  all judged lists: fold, ap_MODEL, ndcg_MODEL
    """
    if subsample != SUBSAMPLE:
        return None
    n_windows = max(windows.values()) + 1
    week_of = {
        fold: window + N_WEEKS - n_windows
        for fold, window in windows.items()
        if window == n_windows - 1 or n_windows == N_WEEKS  # with gaps, only the last is known
    }
    week, parts = lists["fold"].map(week_of), []
    for source, rule, own_k, figures in PUBLISHED:
        is_ours = positive.split() == rule.split() and k == own_k
        caption = f"{source}. Relevant means {rule}"
        if not is_ours:
            caption += ". This run has another rule or k, so it is not shown"
        rows = []
        for (of_week, metric), of_models in figures.items():
            means = lists[week == of_week].mean(numeric_only=True) if is_ours else {}
            for model, value in (of_models | {"hybrid": math.nan}).items():
                mean = means.get(f"{metric.replace('map', 'ap')}_{OURS.get(model)}", math.nan)
                row = [f"{metric.upper()}@{own_k}, week {of_week}", model]
                rows.append(row + ["" if math.isnan(of) else f"{of:.4f}" for of in (value, mean)])
        parts.append(table(caption, ["metric", "model", "published", "this run"], rows))
    said = (
        "Figures that others have published for this subsample. data/README.md says in what the "
        "protocols differ: this run knows every week before the evaluated one."
    )
    return join(paragraph(said), *parts)

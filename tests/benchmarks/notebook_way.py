"""The steps of a two-stage recommender as notebooks write them, row by row and user by user: the
reference that the pipeline's steps are timed and checked against.
"""

import lightgbm as lgb
import numpy as np
import pandas as pd
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse


def user_item_matrix(
    interactions: pd.DataFrame,
) -> tuple[sparse.csr_matrix, dict[int, int], dict[int, int]]:
    """Ones for the positives among rows of user, item, is_positive; and the row of each user, the
    column of each item.
    """
    users, items = {}, {}
    rows, columns, ones = [], [], []
    for interaction in interactions.itertuples():
        row = users.setdefault(interaction.user, len(users))
        column = items.setdefault(interaction.item, len(items))
        if interaction.is_positive:
            rows.append(row)
            columns.append(column)
            ones.append(1.0)
    shape = (len(users), len(items))
    return sparse.csr_matrix((ones, (rows, columns)), shape=shape, dtype=np.float32), users, items


def candidates(
    model: AlternatingLeastSquares, seen: sparse.csr_matrix, n_candidates: int
) -> pd.DataFrame:
    """user, item, als_score, als_rank: one call of `recommend` for each user, a row appended for
    each item.
    """
    rows = []
    for user in range(seen.shape[0]):
        items, scores = model.recommend(user, seen[user], N=n_candidates)
        for rank, (item, score) in enumerate(zip(items, scores, strict=True), start=1):
            rows.append({"user": user, "item": item, "als_score": score, "als_rank": rank})
    return pd.DataFrame(rows)


def labels(pairs: pd.DataFrame, relevant: set[tuple[int, int]]) -> pd.Series:
    """1 where the pair is relevant, by `apply`."""
    return pairs.apply(lambda row: int((row["user"], row["item"]) in relevant), axis=1)


def features(
    pairs: pd.DataFrame, users: pd.DataFrame, items: pd.DataFrame, embeddings: pd.DataFrame
) -> pd.DataFrame:
    """The pairs merged with the metadata, on `user` and on `item`, and with `embedding`, a column
    of lists, expanded.
    """
    merged = (
        pairs.merge(users, on="user", how="left")
        .merge(items, on="item", how="left")
        .merge(embeddings, on="item", how="left")
    )
    columns = pd.DataFrame(merged.pop("embedding").tolist(), index=merged.index)
    columns.columns = [f"embedding_{number:02d}" for number in columns.columns]
    return pd.concat([merged, columns], axis=1)


def mean_average_precision(scored: pd.DataFrame, relevant: dict[int, set[int]], k: int) -> float:
    """MAP@k of user, item, score over the users with a relevant item, one group at a time."""
    values = []
    for user, group in scored.groupby("user"):
        if user not in relevant:
            continue
        best = group.sort_values("score", ascending=False, kind="stable").head(k)
        hits, total = 0, 0.0
        for rank, item in enumerate(best["item"], start=1):
            if item in relevant[user]:
                hits += 1
                total += hits / rank
        values.append(total / min(k, len(relevant[user])))
    return float(np.mean(values))


def rankers(
    examples: pd.DataFrame, label: np.ndarray, settings: dict, n_seeds: int, seed: int
) -> list[lgb.LGBMClassifier]:
    """The objective `binary` on every row of every list, a fit from the data frame for each
    seed.
    """
    return [
        lgb.LGBMClassifier(**settings, random_state=seed + number, verbosity=-1).fit(
            examples, label > 0
        )
        for number in range(n_seeds)
    ]

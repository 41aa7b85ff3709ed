"""Ranks and scores of candidates by ALS, the other candidate sources, and features.scores."""

import numpy as np

from families.columns import Columns, float32, z_scores
from families.context import Context, FamilyOfFold, Rows


def als(context: Context) -> FamilyOfFold:
    """Score p_u q_i, rank by ALS, and z-score in the list, where an unknown item has score 0."""

    def columns(rows: Rows) -> Columns:
        score, rank = rows.score["als"], rows.rank["als"].astype(np.float32)
        als_rank = np.where(rank > 0, rank, np.nan)
        z_score = z_scores(np.nan_to_num(score), rows.starts)
        return float32({"als_score": score, "als_rank": als_rank, "als_score_z": z_score})

    return columns


def sources(context: Context) -> FamilyOfFold:
    """Rank and score by each source, unknown if it did not retrieve the item; number of sources
    that retrieved it; best rank.
    """

    def columns(rows: Rows) -> Columns:
        columns, ranks = {}, np.stack(list(rows.rank.values()))
        for name, rank in rows.rank.items():
            columns[f"{name}_source_rank"] = np.where(rank > 0, rank.astype(np.float32), np.nan)
            columns[f"{name}_source_score"] = np.where(rank > 0, rows.score[name], np.nan)
        columns["n_sources"] = (ranks > 0).sum(axis=0)
        columns["best_rank"] = np.where(ranks > 0, ranks, np.iinfo(np.int16).max).min(axis=0)
        return float32(columns)

    return columns


def scores(context: Context) -> FamilyOfFold:
    """score_NAME_z for each NAME of `features.scores`: z-score of the model's score in the list.

    We use z-scores because the scale differs between users and fits. An item that the model does
    not know has the score 0, like an item without evidence.
    """

    def columns(rows: Rows) -> Columns:
        own = {name: score for name, score in rows.score.items() if name not in rows.rank}
        z_of = {name: z_scores(np.nan_to_num(of), rows.starts) for name, of in own.items()}
        return float32({f"score_{name}_z": values for name, values in z_of.items()})

    return columns

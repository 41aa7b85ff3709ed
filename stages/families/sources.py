"""Ranks and scores of the candidate sources."""

import numpy as np

from families.columns import Columns, float32
from families.context import Context, FamilyOfFold, Rows


def sources(context: Context) -> FamilyOfFold:
    """Rank and score by each source, unknown if it did not retrieve the item; number of sources
    that retrieved it; best rank.
    """

    def columns(rows: Rows) -> Columns:
        columns = {}
        for name in rows.rank:
            rank = rows.rank[name].astype(np.float32)
            columns[f"{name}_source_rank"] = np.where(rank > 0, rank, np.nan)
            columns[f"{name}_source_score"] = np.where(rank > 0, rows.score[name], np.nan)
        ranks = np.stack(list(rows.rank.values()))
        columns["n_sources"] = (ranks > 0).sum(axis=0)
        columns["best_rank"] = np.where(ranks > 0, ranks, np.iinfo(np.int16).max).min(axis=0)
        return float32(columns)

    return columns

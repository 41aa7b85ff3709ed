"""What the baselines recommend to a block of users, and what it is worth."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from contenders.filled_lists import as_rows, lists_of
from evaluation.judge import CandidateCounts
from retrieval.popular import RecentPopularParams
from spark.engine.blocks import block_of
from spark.engine.candidates import Sources
from spark.engine.item_side import Shipped
from spark.engine.judging import judged_rows
from spark.engine.models import Settings


def names_of(settings: Settings) -> list[str]:
    """MODEL NUMBER of every setting, in the order of the columns."""
    return [f"{name} {number}" for name, of in settings.items() for number in of]


@dataclass(frozen=True)
class Contending:
    """Rows of logs -> judging.SCHEMA, of every setting of every baseline."""

    files: Shipped
    settings: Settings
    fallback: RecentPopularParams
    k: int

    def __call__(self, rows: pa.Table) -> pa.Table:
        side = self.files.open()
        block = block_of(rows, side.window, side.items)
        history, users = block.history, block.target.users
        sources = Sources(history, side, np.zeros((history.n_users, 0)), alive=0)
        recent = sources.source("recent_popular", self.fallback)
        popular = recent(history.user_of(users), 2 * self.k)
        models = {}
        for name, of in self.settings.items():
            for number, setting in of.items():
                source = sources.source(name, setting)
                found = lists_of(history, source, users, popular, self.k)
                models[f"{name} {number}"] = as_rows(users, found, history.items)
        nothing = np.zeros(len(np.unique(block.target.user)), dtype=np.int64)
        counts = CandidateCounts(nothing, nothing, nothing)
        return judged_rows(block, side, models, [], counts, self.k)

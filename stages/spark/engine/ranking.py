"""Scores the candidates of a block by the trained models, and judges what they put first."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from boosting import models
from boosting.lean_lightgbm import lightgbm as lgb
from evaluation.judge import CandidateCounts, als_top, candidate_counts
from evaluation.top_lists import top_k
from factorization.als import AlsParams
from families import FeaturesParams, families_of
from ranking.scores import Scorer, scores
from spark.engine import judging
from spark.engine.candidates import lists_in
from spark.engine.examples import Computing
from spark.engine.item_side import Shipped
from spark.engine.judging import judged_rows
from spark.engine.settings import SparkParams

SCHEMA = f"{judging.SCHEMA}, hybrid_item array<int>, hybrid_score array<float>"

Texts = dict[str, tuple[str, ...]]  # the models for warm and for cold users, as LightGBM's text


def texts_of(folder: Path, fold: str) -> Texts:
    """The models of a fold, from the folder that `ranker` has written."""
    return {
        group: tuple(model.model_to_string() for model in models.load(fold, group, folder))
        for group in models.PLACE
    }


@lru_cache(maxsize=2)
def boosters_of(texts: tuple[str, ...]) -> list[lgb.Booster]:
    """The models, made once in a worker."""
    return [lgb.Booster(model_str=text) for text in texts]


@dataclass(frozen=True)
class Ranking:
    """Rows of logs with candidates -> SCHEMA: what every user is recommended, and its worth."""

    files: Shipped
    names: list[str]
    features: FeaturesParams
    als: AlsParams
    params: SparkParams
    texts: Broadcast
    k: int

    def __call__(self, rows: pa.Table) -> pa.Table:
        side = self.files.open()
        computing = Computing(self.files, "warm", self.names, self.features, self.als, self.params)
        block, context = computing.block(rows, side)
        lists = lists_in(block.rows, self.names)
        warm, cold = (
            Scorer(
                boosters_of(self.texts.value[group]),
                families_of(context, families),
                context.served.history,
            )
            for group, families in (
                ("warm", self.features.groups),
                ("cold", self.features.cold_groups),
            )
        )
        score = scores(lists, warm, cold, 1)
        hybrid, *single = (
            top_k(lists.user, lists.item, one, self.k) for one in (score.mean(axis=0), *score)
        )
        judged = np.unique(block.target.user)
        counts = CandidateCounts(*candidate_counts(lists, block.target, judged))
        top = {"als": als_top(lists, self.k), "hybrid": hybrid}
        table = judged_rows(block, side, top, single, counts, self.k)
        sizes = np.bincount(
            np.searchsorted(block.target.users, hybrid.user), minlength=table.num_rows
        )
        offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
        for name, values in (
            ("hybrid_item", hybrid.item.astype(np.int32)),
            ("hybrid_score", hybrid.score),
        ):
            table = table.append_column(name, pa.ListArray.from_arrays(offsets, pa.array(values)))
        return table


def recommended(judged: DataFrame, users: DataFrame, items: DataFrame) -> DataFrame:
    """user_id, item_id, rank, score of each user's top k."""
    top = F.arrays_zip("hybrid_item", "hybrid_score")
    rows = judged.select("user", F.posexplode(top).alias("place", "top"))
    rows = rows.select(
        "user",
        F.col("top.hybrid_item").alias("item"),
        (F.col("place") + 1).cast("smallint").alias("rank"),
        F.col("top.hybrid_score").alias("score"),
    )
    rows = rows.join(items.select("item", "item_id"), "item")
    rows = rows.join(users.select("user", "user_id"), "user")
    rows = rows.repartitionByRange("user").sortWithinPartitions("user", "rank")
    return rows.select("user_id", "item_id", "rank", "score")

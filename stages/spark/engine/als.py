"""ALS of Spark on the history of a fold."""

import numpy as np
import pyarrow as pa
from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from factorization.als import AlsParams, weighted
from spark.engine.blocks import block_of
from spark.engine.distributed import map_blocks
from spark.engine.settings import SparkParams

CHECKPOINT_INTERVAL = 5  # iterations; or the plan of the next one grows with all before it


def known_items(logs: DataFrame, window: int) -> np.ndarray:
    """int32, ascending: the items shown before the window."""
    before = F.filter(F.arrays_zip("item", "window"), lambda event: event["window"] < window)
    items = logs.select(F.explode(before).alias("event")).select("event.item").distinct()
    return np.sort(items.toArrow()["item"].to_numpy()).astype(np.int32)


def ratings_of(logs: DataFrame, window: int, items: np.ndarray, als: AlsParams) -> DataFrame:
    """user, item int, rating float: the positives of the history, each with its confidence over
    alpha; `item` is a position in `items`.
    """

    def ratings(rows: pa.Table) -> pa.Table:
        block = block_of(rows, window, items)
        matrix = weighted(block.history, als, block.columns)
        user = np.repeat(block.history.users, np.diff(matrix.indptr)).astype(np.int32)
        columns = [user, matrix.indices.astype(np.int32), matrix.data.astype(np.float32)]
        return pa.table(columns, names=["user", "item", "rating"])

    return map_blocks(logs, ratings, "user int, item int, rating float")


def fit(
    logs: DataFrame, window: int, als: AlsParams, params: SparkParams, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The items of the history, and their factors: float32 (n_items, factors)."""
    items = known_items(logs, window)
    model = ALS(
        rank=als.factors,
        maxIter=als.iterations,
        implicitPrefs=True,
        alpha=params.als.alpha,
        regParam=params.als.regularization,
        numUserBlocks=params.partitions,
        numItemBlocks=params.partitions,
        checkpointInterval=CHECKPOINT_INTERVAL,
        seed=seed,
        userCol="user",
        itemCol="item",
        ratingCol="rating",
    ).fit(ratings_of(logs, window, items, als).checkpoint())  # ALS asks for them several times
    found = model.itemFactors.toArrow()
    factors = np.zeros((len(items), als.factors), dtype=np.float32)
    values = found["features"].combine_chunks().flatten().to_numpy()
    factors[found["id"].to_numpy()] = values.reshape(-1, als.factors)
    return items, factors

"""Spark's ALS on the history of a fold, and the factors of a block of users."""

from core.factors import Factors

import numpy as np
import pyarrow as pa
from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812
from scipy import sparse

from models.als import AlsParams, weighted
from spark.engine.blocks import Block, block_of, map_blocks
from spark.engine.item_side import ItemSide
from spark.params import SparkAlsParams, SparkParams

CHECKPOINT_INTERVAL = 5  # iterations; without checkpoints the query plan grows with each one


def known_items(logs: DataFrame, window: int) -> np.ndarray:
    """Return the items with an exposure before the window, int32, ascending."""
    before = F.filter(F.arrays_zip("item", "window"), lambda event: event["window"] < window)
    items = logs.select(F.explode(before).alias("event")).select("event.item").distinct()
    return np.sort(items.toArrow()["item"].to_numpy()).astype(np.int32)


def ratings_of(logs: DataFrame, window: int, items: np.ndarray, als: AlsParams) -> DataFrame:
    """Return user int, item int and rating float of the positives before the window.

    `item` is a position in `items`. `rating` is the confidence divided by alpha.
    """

    def ratings(rows: pa.Table) -> pa.Table:
        block = block_of(rows, window, items)
        matrix = weighted(block.history, als, block.columns)
        user = np.repeat(block.history.users, np.diff(matrix.indptr)).astype(np.int32)
        columns = [user, matrix.indices.astype(np.int32), matrix.data.astype(np.float32)]
        return pa.table(columns, names=["user", "item", "rating"])

    return map_blocks(logs, ratings, "user int, item int, rating float")


def fit(logs: DataFrame, window: int, als: AlsParams, params: SparkParams, seed: int) -> np.ndarray:
    """Fit ALS and return the factors of the items of the history, float32 (n_items, factors)."""
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
    ).fit(ratings_of(logs, window, items, als).checkpoint())  # ALS reads the ratings several times
    found = model.itemFactors.toArrow()
    factors = np.zeros((len(items), als.factors), dtype=np.float32)
    values = found["features"].combine_chunks().flatten().to_numpy()
    factors[found["id"].to_numpy()] = values.reshape(-1, als.factors)
    return factors


def fold_in(ratings: sparse.csr_array, item_factors: np.ndarray, own: SparkAlsParams) -> np.ndarray:
    """Return user factors for given item factors, float32 (n_users, factors), zero without ratings.

    This is the last half-step of Spark's ALS, which solves for each user u

        (Y'Y + sum_i alpha r_ui y_i y_i' + regularization n_u I) x_u = sum_i (1 + alpha r_ui) y_i

    where n_u is the number of ratings of the user.

    ratings  CSR (n_users, n_items)
    """
    items = item_factors.astype(np.float64)
    gram, identity = items.T @ items, np.eye(items.shape[1])
    found = np.zeros((ratings.shape[0], items.shape[1]), dtype=np.float32)
    for user in np.flatnonzero(np.diff(ratings.indptr)):
        rated = slice(ratings.indptr[user], ratings.indptr[user + 1])
        vectors = items[ratings.indices[rated]]
        extra = own.alpha * ratings.data[rated].astype(np.float64)
        left = gram + (vectors.T * extra) @ vectors
        left += own.regularization * len(extra) * identity
        found[user] = np.linalg.solve(left, (1 + extra) @ vectors)
    return found


def factors_of(block: Block, side: ItemSide, als: AlsParams, own: SparkAlsParams) -> Factors:
    """Return the factors of the items, and of the block's users by fold_in."""
    history, of_items = block.history, side.item_factors
    of_users = fold_in(weighted(history, als, block.columns), of_items, own)
    return Factors(of_users, of_items, history.users, history.items)

"""What the families of features may know of a block of users: its own history, and of items what
the item side has from all users.
"""

from dataclasses import dataclass, replace
from functools import cached_property

from harness.script import InputError

import numpy as np
from scipy import sparse

from factorization.als import AlsParams, weighted
from families import FeaturesParams
from families.context import Context, Users
from families.score_models import EaseModel, ItemKnnModel
from folds.factors import Factors
from folds.similarity import ItemKnnParams
from retrieval.ease import EaseParams
from spark.engine.blocks import Block
from spark.engine.item_side import ItemSide
from spark.engine.settings import SparkAlsParams
from spark.engine.totals import Pairs

LOCAL_ONLY = ("similarity", "channels")


def check_families(params: FeaturesParams) -> None:
    """InputError where a family is asked for that Spark has not."""
    for key in ("groups", "cold_groups"):
        for name in getattr(params, key):
            if name in LOCAL_ONLY:
                raise InputError(
                    f"params.yaml: features.{key} has {name}, which the local pipeline alone has"
                )
    for name, model in params.scores.items():
        where = f"params.yaml: features.scores.{name}"
        if model.half_life:
            raise InputError(f"{where}.half_life is {model.half_life}: must be 0 on Spark")
        if isinstance(model, ItemKnnModel):
            check_weighting(f"{where}.weighting", model.weighting)


def check_weighting(key: str, weighting: str) -> None:
    """InputError where it weighs users, too, which a sum over users cannot do afterwards."""
    if weighting not in ("count", "cosine"):
        raise InputError(f"{key} is {weighting!r}: must be count or cosine on Spark")


@dataclass(frozen=True)
class BlockContext(Context):
    """The context of a block. What is said of items is taken from the item side."""

    side: ItemSide | None = None

    @cached_property
    def item_counts(self) -> tuple[np.ndarray, np.ndarray]:
        return self.side.item_counts

    @cached_property
    def rate(self) -> float:
        shown, liked = self.side.item_counts
        return float(liked.sum() / max(shown.sum(), 1))

    def positives_by_level(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.side.array(f"lowest_{name}")), self.side.array(f"level_{name}")

    def fitted(self, name: str) -> object:
        model = self.params.scores[name]
        if isinstance(model, EaseModel):
            return self.side.ease(ease_name(model))
        return self.side.similarity(knn_name(model), model.neighbours)

    def since(self, window: int) -> "BlockContext":
        return replace(super().since(window), side=self.side.since(window))


def pairs_of(model: ItemKnnParams | EaseModel | EaseParams) -> Pairs:
    """The co-occurrences that a model is fitted on: of positives, if it names no other."""
    of = getattr(model, "of", "positives")
    if isinstance(model, EaseModel | EaseParams):
        return Pairs(of, None, model.max_items)
    return Pairs(of, model.last_items)


def knn_name(model: ItemKnnParams) -> str:
    """The name of its neighbours on the item side."""
    return f"{pairs_of(model).name}_{model.weighting}"


def ease_name(model: EaseModel | EaseParams) -> str:
    """The name of its weights on the item side."""
    return f"ease_{pairs_of(model).name}_{model.l2}"


def context_of(
    block: Block, side: ItemSide, user_factors: np.ndarray, features: FeaturesParams
) -> BlockContext:
    """The context of the block for all its users, with a history or without.

    user_factors  float32 (n_users of the history, factors)
    """
    served = block.history.with_users(block.target.users)
    of_all = np.zeros((served.n_users, side.item_factors.shape[1]), dtype=np.float32)
    of_all[served.user_of(block.history.users)] = user_factors
    metadata = block.metadata(served.users, side.levels)
    return BlockContext(
        block.history,
        Factors(of_all, side.item_factors, served.users, served.items),
        block.metadata(block.history.users, side.levels),
        side.features,
        side.tags,
        side.embeddings,
        {},
        features,
        None,
        1,
        Users(served, metadata, {}),
        side,
    )


def user_factors_of(
    block: Block, side: ItemSide, als: AlsParams, own: SparkAlsParams
) -> np.ndarray:
    """The factors of the users of the block's history; see fold_in."""
    ratings = weighted(block.history, als, block.columns)
    return fold_in(ratings, side.item_factors, side.gram, own)


def fold_in(
    ratings: sparse.csr_array, item_factors: np.ndarray, gram: np.ndarray, own: SparkAlsParams
) -> np.ndarray:
    """The factors of users for given factors of items: float32 (n_users, factors), zero for those
    without a rating. It is the last half-step of Spark's ALS, which solves for each user u

        (Y'Y + sum_i alpha r_ui y_i y_i' + regularization n_u I) x_u = sum_i (1 + alpha r_ui) y_i

    ratings  CSR (n_users, n_items), n_u of a user; gram  Y'Y, float64
    """
    found = np.zeros((ratings.shape[0], item_factors.shape[1]), dtype=np.float32)
    identity = np.eye(item_factors.shape[1])
    for user in np.flatnonzero(np.diff(ratings.indptr)):
        rated = slice(ratings.indptr[user], ratings.indptr[user + 1])
        vectors = item_factors[ratings.indices[rated]].astype(np.float64)
        extra = own.alpha * ratings.data[rated].astype(np.float64)
        left = gram + (vectors.T * extra) @ vectors
        left += own.regularization * len(extra) * identity
        found[user] = np.linalg.solve(left, (1 + extra) @ vectors)
    return found

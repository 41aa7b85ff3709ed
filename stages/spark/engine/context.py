"""The context of a block of users for the families of features.

User columns are computed from the history of the block, item columns from the item side, which has
sums over all users.
"""

from dataclasses import dataclass, replace
from functools import cached_property

from core.script import InputError

import numpy as np

from families import FeaturesParams
from families.context import Context, Users
from spark.engine.blocks import Block
from spark.engine.item_side import ItemSide


def check_families(params: FeaturesParams) -> None:
    """Raise InputError for the family `channels`, which the pipeline on Spark lacks."""
    if "channels" in params.groups:
        raise InputError("params.yaml: features.groups has channels, which Spark lacks")


@dataclass(frozen=True)
class BlockContext(Context):
    """The context of a block, with statistics of items from the item side.

    first_window  counts of earlier windows are set to 0
    """

    side: ItemSide | None = None
    first_window: int = 0

    @cached_property
    def item_counts(self) -> tuple[np.ndarray, np.ndarray]:
        is_known = np.arange(self.side.window) >= self.first_window
        shown, liked = self.side.item_counts
        return shown * is_known, liked * is_known

    @cached_property
    def rate(self) -> float:
        shown, liked = self.item_counts
        return float(liked.sum() / max(shown.sum(), 1))

    def positives_by_level(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.side.array(f"lowest_{name}")), self.side.array(f"level_{name}")

    def since(self, window: int) -> "BlockContext":
        return replace(super().since(window), first_window=window)


def context_of(block: Block, side: ItemSide, features: FeaturesParams) -> BlockContext:
    """Return the context of the block for all its users, including those without a history."""
    served, levels = block.history.with_users(block.target.users), side.fold["users"]
    return BlockContext(
        history=block.history,
        users=block.metadata(block.history.users, levels),
        items=side.features,
        tags=side.tags,
        embeddings=side.embeddings,
        channels={},
        params=features,
        n_threads=1,
        new_users=Users(served, block.metadata(served.users, levels), {}),
        side=side,
    )

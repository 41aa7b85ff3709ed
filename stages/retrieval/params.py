"""The section `sources` of params.yaml: settings of the candidate sources, which are those of the
baselines too.
"""

from typing import Literal

from harness.params import Strict

from pydantic import Field


class ItemKnn(Strict):
    """Item-item nearest neighbours over co-occurring positives."""

    neighbours: int = Field(ge=1, le=10_000)  # kept per item
    weighting: Literal[
        "count", "cosine", "tfidf", "bm25"
    ]  # of users and items before the inner product
    last_items: int = Field(
        ge=2
    )  # of each user that count, the latest ones; the cost grows with its square


class RecentPopular(Strict):
    """Popularity in the last windows; also what cold users are served."""

    windows: int = Field(ge=1)  # last windows of the history that count


class Ease(Strict):
    """EASE (Steck 2019): a full item-item matrix in closed form, O(n_items^3) time, O(n_items^2)
    memory.
    """

    l2: float = Field(gt=0)  # ridge weight, lambda in the paper
    max_items: int = Field(ge=1)  # refuse larger catalogues instead of filling the memory


class Sources(Strict):
    """Settings of the sources, as candidate generators and as baselines alike; `als` and `content`
    have none here.
    """

    item_knn: ItemKnn
    recent_popular: RecentPopular
    ease: Ease

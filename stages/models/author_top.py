"""Popular items of the user's favourite authors or genres."""

from core.lists import largest
from core.params import Strict

import numpy as np
from pydantic import Field
from scipy import sparse

from models.model import Inputs, Scores
from models.popular import recent_popular


class AuthorTopParams(Strict):
    """Parameters. Favourites are tags of items: authors or genres."""

    favourites: int = Field(ge=1, le=1000)  # number of tags with most positives of the user
    windows: int = Field(ge=1, le=1000)  # last windows of the history whose positives rank items


def author_top(inputs: Inputs, params: AuthorTopParams) -> Scores:
    """Score items that have one of the user's favourite tags by their recent popularity.

    Only items with a positive are scored. A positive counts for each of its tags, weighted by the
    tag's share in the item. Of tags with equally many positives, the lower number comes first.
    """
    served, tags = inputs.served, inputs.tags
    popularity = recent_popular(inputs, params).scores.astype(np.float32)
    items_of = sparse.csr_array(tags.T)  # (n_tags, n_items)

    def scores(users: np.ndarray) -> sparse.csr_array:
        taken = (served.positives[users] @ tags).toarray()
        taken[taken == 0] = -np.inf
        user, _, tag = largest(taken, params.favourites)
        ones = np.ones(len(user), dtype=np.float32)
        favourites = sparse.csr_array((ones, (user, tag)), shape=taken.shape)
        found = sparse.csr_array(favourites @ items_of)  # each item of the favourites once
        found.data = popularity[found.indices]
        return found

    return scores

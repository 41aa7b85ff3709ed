"""What is popular of the user's favourite authors, or genres, as a source."""

from harness.params import Strict

import numpy as np
from pydantic import Field
from scipy import sparse

from folds.candidate_lists import Retrieved
from folds.lists import largest
from retrieval.popular import recent_popularity
from retrieval.source import Inputs, TopN
from retrieval.top_n import by_scores


class AuthorTopParams(Strict):
    """Favourites are tags of items: authors, or genres."""

    favourites: int = Field(ge=1, le=1000)  # of a user, those with most of its positives
    windows: int = Field(ge=1, le=1000)  # last ones of the history, whose positives order the items


def author_top(inputs: Inputs, params: AuthorTopParams) -> TopN:
    """Recent popularity of the items that have one of the user's favourite tags; only items with a
    positive. A positive counts for each of its tags by the tag's share in the item; favourites that
    have equally many are taken by the number of the tag.
    """
    history, served, tags = inputs.history, inputs.served, inputs.tags
    popularity = recent_popularity(history, params.windows).astype(np.float32)
    items_of = sparse.csr_array(tags.T)  # (n_tags, n_items)

    def scores(users: np.ndarray) -> sparse.csr_array:
        taken = (served.positives[users] @ tags).toarray()
        taken[taken == 0] = -np.inf
        user, _, tag = largest(taken, params.favourites)
        ones = np.ones(len(user), dtype=np.float32)
        favourites = sparse.csr_array((ones, (user, tag)), shape=taken.shape)
        found = sparse.csr_array(favourites @ items_of)  # which items, once each
        found.data = popularity[found.indices]
        return found

    def top_n(users: np.ndarray, n: int) -> Retrieved:
        return by_scores(
            lambda rows: scores(users[rows]), served.exposures, users, n, inputs.n_threads
        )

    return top_n

"""Candidate lists of a block of users, by the local sources, with the item side of the fold."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
from scipy import sparse

from folds.candidate_lists import Candidates, Retrieved
from folds.ease import scores_by
from folds.history import History, Target
from folds.similarity import normalised
from retrieval.ease import EaseParams, among
from retrieval.item_knn import by_similarity
from retrieval.popular import RecentPopularParams
from retrieval.source import TopN
from retrieval.top_n import by_ranking, by_vectors
from spark.engine.context import ease_name, knn_name
from spark.engine.item_side import ItemSide


def only(history: History, alive: np.ndarray | None) -> History:
    """The history with these of its items alone, ascending; None for all."""
    if alive is None:
        return history
    number = np.full(history.n_items, -1, dtype=np.int32)
    number[alive] = np.arange(len(alive), dtype=np.int32)
    kept = np.flatnonzero(number[history.item] >= 0)
    return replace(
        history,
        items=history.items[alive],
        indptr=np.searchsorted(kept, history.indptr),
        item=number[history.item[kept]],
        window=history.window[kept],
        is_positive=history.is_positive[kept],
    )


class Sources:
    """The sources for a block: each retrieves for users of its history, -1 for one without.

    alive  windows in which an item was shown, 0 for all: only such items are retrieved. What a user
           has seen is masked before the best are taken, so each source names as many items as are
           asked for wherever there are so many unseen ones.
    """

    def __init__(
        self, history: History, side: ItemSide, user_factors: np.ndarray, alive: int
    ) -> None:
        self.history, self.side, self.user_factors = history, side, user_factors
        self.alive = side.alive(alive)
        self.of_alive = only(history, self.alive)

    def source(self, name: str, params: object) -> TopN:
        """The source of this name; params: of its own, if it has some."""
        return self._among_all(getattr(self, f"_{name}")(params))

    def _kept(self, values: np.ndarray) -> np.ndarray:
        return values if self.alive is None else values[self.alive]

    def _among_all(self, top_n: TopN) -> TopN:
        if self.alive is None:
            return top_n

        def lifted(users: np.ndarray, n: int) -> Retrieved:
            found = top_n(users, n)
            item = np.where(found.item < 0, -1, self.alive[found.item]).astype(np.int32)
            return Retrieved(item, found.score)

        return lifted

    def _als(self, _: object) -> TopN:
        factors = self._kept(self.side.item_factors)
        return by_vectors(self.of_alive, self.user_factors.__getitem__, factors, 1)

    def _content(self, _: object) -> TopN:
        vectors = normalised(self.side.embeddings)

        def vectors_of(users: np.ndarray) -> np.ndarray:
            return normalised(self.history.positives[users] @ vectors)

        return by_vectors(self.of_alive, vectors_of, self._kept(vectors), 1)

    def _item_knn(self, params: object) -> TopN:
        similarity = self.side.similarity(knn_name(params), params.neighbours)
        if self.alive is not None:
            similarity = sparse.csr_matrix(similarity[:, self.alive])
        return by_similarity(self.history.positives, similarity, self.of_alive.exposures, 1)

    def _ease(self, params: EaseParams) -> TopN:
        known, weights = self.side.ease(ease_name(params))
        items = known  # that are retrieved
        if self.alive is not None:
            is_alive = np.isin(known, self.alive)
            items = np.searchsorted(self.alive, known[is_alive])
            weights = weights[:, is_alive]
        scores = scores_by(weights, self.history.positives[:, known])
        return among(items, scores, self.of_alive.exposures, 1)

    def _popular(self, _: object) -> TopN:
        scores = self.side.item_counts[1].sum(axis=1).astype(np.float32)
        return by_ranking(self.of_alive, self._kept(scores), 1)

    def _recent_popular(self, params: RecentPopularParams) -> TopN:
        liked = self.side.item_counts[1]
        overall = liked.sum(axis=1).astype(np.float64)
        recent = liked[:, max(0, liked.shape[1] - params.windows) :].sum(axis=1)
        scores = recent.astype(np.float32) + overall / (overall.max() + 1)
        return by_ranking(self.of_alive, self._kept(scores), 1)


def schema_of_lists(names: list[str]) -> str:
    """The columns of the data set of candidates: a row a user."""
    of_sources = [f"{name}_rank array<smallint>, {name}_score array<float>" for name in names]
    counts = "n_positives int, n_relevant int, n_found int, is_retrieved boolean"
    return ", ".join(["user int", counts, "candidate array<int>", *of_sources])


def table_of(lists: Candidates, users: np.ndarray, history: History, target: Target) -> pa.Table:
    """The rows of these users, ascending, some of whom may have no list."""
    sizes = np.bincount(np.searchsorted(users, lists.user), minlength=len(users))
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    row = np.repeat(np.arange(len(users)), sizes)
    found = target.strength_of(lists.user, lists.item) > 0

    def of_users(values: np.ndarray) -> np.ndarray:
        return np.bincount(row, values, minlength=len(users)).astype(np.int32)

    relevant = np.searchsorted(users, target.user)
    is_served = np.isin(target.user, users)
    n_relevant = np.bincount(relevant[is_served], minlength=len(users))
    columns = {
        "user": users.astype(np.int32),
        "n_positives": history.n_positives_of(users).astype(np.int32),
        "n_relevant": n_relevant.astype(np.int32),
        "n_found": of_users(found),
        "is_retrieved": of_users(lists.is_retrieved) > 0,
        "candidate": pa.ListArray.from_arrays(offsets, pa.array(lists.item, pa.int32())),
    }
    for name in lists.rank:
        for what, values in (("rank", lists.rank[name]), ("score", lists.score[name])):
            columns[f"{name}_{what}"] = pa.ListArray.from_arrays(offsets, pa.array(values))
    return pa.table(columns)


def lists_in(rows: pa.Table, names: list[str]) -> Candidates:
    """The lists in rows that have the columns of table_of()."""
    from spark.engine.blocks import flat

    sizes = pa.compute.list_value_length(rows["candidate"]).to_numpy()
    return Candidates(
        np.repeat(rows["user"].to_numpy(), sizes).astype(np.int32),
        flat(rows["candidate"]).astype(np.int32),
        {name: flat(rows[f"{name}_rank"]).astype(np.int16) for name in names},
        {name: flat(rows[f"{name}_score"]).astype(np.float32) for name in names},
    )

"""Retrieves items, scores candidates and makes candidate lists from the scores of models.

We do not use `recommend` of `implicit`: it breaks ties at random, fills short lists with seen items
at -3.4e38, and the last bits of its scores depend on the other users of the batch.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from core.candidate_lists import Candidates, Retrieved, concatenate, merge
from core.history import History
from core.lists import largest, ordered, shortlist, side_by_side
from core.products import Products, blocks

import numpy as np
from scipy import sparse

from models.model import Block, Ranking, Scores

USERS_AT_ONCE = 8192  # memory of scripts grows with this, not with the number of users
MOST_PER_PLACE = 10  # maximum length of a shortlist per item to retrieve

Mask = np.ndarray | None  # bool (n_items,); None: all items
Found = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # row, place (0 is best), item, score


def parts_of(users: np.ndarray) -> list[np.ndarray]:
    """Return the users in parts whose lists are made and written one after the other."""
    return [users[at : at + USERS_AT_ONCE] for at in range(0, len(users), USERS_AT_ONCE)]


class Seen(NamedTuple):
    """The exposures of a block of users: row in the block int (n,), item int32 (n,)."""

    row: np.ndarray
    item: np.ndarray


def seen_by(served: History, users: np.ndarray) -> Seen:
    """Return the exposures of users; the user -1 has no history."""
    known = np.flatnonzero(users >= 0)
    exposures = served.exposures[users[known]]
    return Seen(np.repeat(known, np.diff(exposures.indptr)), exposures.indices)


def over_all_items(scores: Scores, is_known: np.ndarray) -> Scores:
    """Extend scores of the known items, bool (n_items,), to all items. New items get -inf."""
    place = np.argsort(np.argsort(~is_known, kind="stable"))  # where each item is, new ones last

    def widened(block: Block) -> np.ndarray | sparse.csr_array:
        block = block.toarray() if isinstance(block, Products) else block
        new = np.full((block.shape[0], np.count_nonzero(~is_known)), -np.inf, dtype=block.dtype)
        if sparse.issparse(block):
            return sparse.hstack([block, sparse.csr_array(new)], format="csr")[:, place]
        return np.hstack([block, new])[:, place]

    if isinstance(scores, Ranking):
        return Ranking(widened(scores.scores[None].astype(np.float64))[0])
    return lambda users: widened(scores(users))


def retrieve(block: Block, seen: Seen, n_users: int, n: int, alive: Mask = None) -> Retrieved:
    """Return the n unseen and alive items with the largest scores for each user, ties by item."""
    items = np.full((n_users, n), -1, dtype=np.int32)
    scores = np.full((n_users, n), np.nan, dtype=np.float32)
    row, place, item, score = _best(block, seen, n_users, n, alive)
    items[row, place], scores[row, place] = item, score
    return Retrieved(items, scores)


def _best(block: Block, seen: Seen, n_users: int, n: int, alive: Mask) -> Found:
    if isinstance(block, Ranking):
        return _first_of_ranking(block, seen, n_users, n, alive)
    if sparse.issparse(block) and 4 * block.nnz <= block.shape[0] * block.shape[1]:
        return _best_stored(block, seen, n, alive)
    is_wide = isinstance(block, Products) and n < block.shape[1]
    if is_wide and (found := _best_products(block, seen, n, alive)):
        return found
    scores = block if isinstance(block, np.ndarray) else block.toarray()
    if sparse.issparse(block):
        scores[scores <= 0] = -np.inf
    of_seen = scores[seen.row, seen.item]
    scores[seen.row, seen.item] = -np.inf
    row, place, item = largest(scores if alive is None else scores[:, alive], n)
    if alive is not None:
        item = np.flatnonzero(alive)[item]
    best = scores[row, item]
    scores[seen.row, seen.item] = of_seen  # the block is used again for candidates
    return row, place, item, best


def _best_products(block: Products, seen: Seen, n: int, alive: Mask) -> Found | None:
    """Compute exact scores only for items that the estimates do not rule out.

    Returns None if these are many, for example for a user with a vector of zeros.
    """
    usable = slice(None) if alive is None else np.flatnonzero(alive)
    estimates, error = block.estimates(usable)
    row, item = seen.row, seen.item
    if alive is not None:
        is_usable = alive[item]
        row, item = row[is_usable], np.searchsorted(usable, item[is_usable])
    estimates[row, item] = -np.inf
    row, item = shortlist(estimates, n, 2 * error)
    if len(row) > MOST_PER_PLACE * n * len(estimates):
        return None
    item = item if alive is None else usable[item]
    score = block.at(row, item)
    row, place, column = ordered(score, row, np.arange(len(row)), len(estimates), n)
    return row, place, item[column], score[column]


def _first_of_ranking(ranking: Ranking, seen: Seen, n_users: int, n: int, alive: Mask) -> Found:
    order = ranking.order if alive is None else ranking.order[alive[ranking.order]]
    order = order[: n + np.bincount(seen.row, minlength=1).max()]
    place = np.full(len(ranking.scores), len(order))
    place[order] = np.arange(len(order))
    is_new = np.ones((n_users, len(order) + 1), dtype=bool)  # the last column: all other items
    is_new[seen.row, place[seen.item]] = False
    is_new = is_new[:, :-1]
    number = np.cumsum(is_new, axis=1, dtype=np.int32)
    row, at = np.nonzero(is_new & (number <= n))
    return row, number[row, at] - 1, order[at], ranking.scores[order[at]]


def _best_stored(scores: sparse.csr_array, seen: Seen, n: int, alive: Mask) -> Found:
    scores.sort_indices()
    size = np.diff(scores.indptr)
    row = np.repeat(np.arange(len(size), dtype=np.int32), size)
    place = np.arange(scores.nnz) - scores.indptr[row]
    is_seen = np.zeros(scores.shape, dtype=bool)
    is_seen[seen.row, seen.item] = True
    is_usable = (scores.data > 0) & ~is_seen[row, scores.indices]
    if alive is not None:
        is_usable &= alive[scores.indices]
    stored = np.full((len(size), size.max(initial=0)), -np.inf, dtype=np.float32)
    stored[row[is_usable], place[is_usable]] = scores.data[is_usable]
    row, place, column = largest(stored, n)
    return row, place, scores.indices[scores.indptr[row] + column], stored[row, column]


def scores_at(block: Block, row: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Return the score of each candidate, float32 (n,), NaN for items that the model lacks.

    row, item  int (n,): the user's row in the block, and the item
    """
    if isinstance(block, Products):
        return block.at(row, item)
    if isinstance(block, Ranking):
        found = block.scores[item].astype(np.float32)
    else:
        found = (block if isinstance(block, np.ndarray) else block.toarray())[row, item]
    found[np.isneginf(found)] = np.nan
    return found


def top_n(
    scores: Scores, served: History, users: np.ndarray, n: int, n_threads: int, alive: Mask = None
) -> Retrieved:
    """Return the n best unseen items of each user, computed in parallel blocks of users.

    The user -1 has no history and gets items only from a Ranking. alive  as in `retrieve`
    """

    def best_of(of: np.ndarray) -> Retrieved:
        return retrieve(scores(of), seen_by(served, of), len(of), n, alive)

    parts = side_by_side(best_of, blocks(users, served.n_items), n_threads)
    parts = list(parts) or [best_of(users)]  # no users
    return Retrieved(*map(np.concatenate, zip(*parts, strict=True)))


@dataclass(frozen=True)
class Served:
    """The inputs of candidate_lists()."""

    history: History  # interactions of the served users
    models: dict[str, Scores]  # scores of every model in use, by name
    sources: list[str]  # models that retrieve candidates for warm users
    fallback: Ranking  # list of cold users
    n: int  # candidates per source
    alive: Mask = None  # items that may be candidates
    # bool (n_items,): items without an exposure in the fold's history; None: no such items. Each
    # source also retrieves n // 4 of them, because few are among the best of all items
    is_new: np.ndarray | None = None


def candidate_lists(served: Served, users: np.ndarray, n_threads: int) -> Candidates:
    """Return the lists of users (ascending), with every model's score of every candidate."""
    is_warm, parts = served.history.n_positives_of(users) > 0, []
    for group in (True, False):
        parts_of_group = blocks(users[is_warm == group], served.history.n_items)
        parts += side_by_side(partial(_block_lists, served, group), parts_of_group, n_threads)
    lists = concatenate(parts or [_block_lists(served, False, users)])
    return lists.take(np.argsort(lists.user, kind="stable"))


def _block_lists(served: Served, is_warm: bool, users: np.ndarray) -> Candidates:
    """Return the lists of a block of users that are all warm, or all cold."""
    history, sources, n = served.history, served.sources, served.n
    known = history.user_of(users)
    seen = seen_by(history, known)
    some = np.maximum(known, 0)  # a user without a history is replaced by any other
    blocks_of = {name: scores(some) for name, scores in served.models.items()}

    def found(block: Block) -> np.ndarray:
        item = retrieve(block, seen, len(users), n, served.alive).item
        if served.is_new is None or not served.is_new.any():
            return item
        row, place = np.nonzero(item >= 0)
        taken = Seen(np.append(seen.row, row), np.append(seen.item, item[row, place]))
        more = retrieve(block, taken, len(users), n // 4, served.is_new).item
        return np.concatenate([item, more], axis=1)

    of_source = {name: blocks_of[name] for name in sources} if is_warm else {"": served.fallback}
    lists = merge(users, {name: found(block) for name, block in of_source.items()}, history.n_items)
    rank = lists.rank if is_warm else dict.fromkeys(sources, np.zeros(len(lists.user), np.int16))
    row = np.searchsorted(users, lists.user)
    scores = {name: scores_at(block, row, lists.item) for name, block in blocks_of.items()}
    for name, block in blocks_of.items():
        if not isinstance(block, Ranking):
            scores[name][known[row] < 0] = 0  # no evidence for a user without a history
    return replace(lists, item=history.items[lists.item], rank=rank, score=scores)


def filled(found: Retrieved, is_warm: np.ndarray, fallback: Retrieved, k: int) -> Retrieved:
    """Fill lists of retrieved items up to k items with items of `fallback`; -1 if there are fewer.

    found     items of the warm users (n_warm, k); is_warm bool (n_users,)
    fallback  items for all users (n_users, >= k), which are the whole list of a cold user
    """
    n_users = len(is_warm)
    item = np.concatenate([np.full((n_users, k), -1), fallback.item], axis=1)
    score = np.zeros(item.shape)
    item[is_warm, :k], score[is_warm, :k] = found.item, found.score
    order = np.argsort(item, axis=1, kind="stable")
    ordered = np.take_along_axis(item, order, 1)
    is_first = np.diff(ordered, axis=1, prepend=-2) != 0
    keep = np.empty_like(is_first)
    np.put_along_axis(keep, order, is_first & (ordered >= 0), 1)
    place = np.argsort(~keep, axis=1, kind="stable")[:, :k]
    item = np.where(np.take_along_axis(keep, place, 1), np.take_along_axis(item, place, 1), -1)
    return Retrieved(item, np.take_along_axis(score, place, 1))

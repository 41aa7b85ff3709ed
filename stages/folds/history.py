"""Folds: the history a fold may know, and the target window that judges it.

The folds target consecutive windows, the first of `folds` in params.yaml the last window of the
data. The history of a fold is every window before its target. Users and items of a fold are those
of its history, so no shape and no index depends on anything later.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from harness.params import is_judged
from harness.script import InputError

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

INTERACTIONS = Path("data/split/interactions.parquet")
TARGET_WINDOW = "data/split/folds/{fold}.json"
WINDOWS = Path("data/split/windows.csv")

Columns = dict[str, np.ndarray]  # of data/split/interactions.parquet


@dataclass(frozen=True)
class History:
    """Everything before a fold's target window, by user, within a user in time order, each pair
    once.

    users, items   int32 (n_users,), (n_items,): rows in users.parquet and items.parquet, ascending;
                   a position in them is the `user` or `item` of everything else here
    indptr         int64 (n_users + 1,): user u has the rows indptr[u]:indptr[u + 1]
    item           int32 (n_rows,)
    window         int16 (n_rows,), of the pair's first exposure
    is_positive    bool (n_rows,)
    n_windows      how many windows the history has; the target window has this number
    """

    users: np.ndarray
    items: np.ndarray
    indptr: np.ndarray
    item: np.ndarray
    window: np.ndarray
    is_positive: np.ndarray
    n_windows: int

    @property
    def n_users(self) -> int:
        return len(self.users)

    @property
    def n_items(self) -> int:
        return len(self.items)

    @cached_property
    def user(self) -> np.ndarray:
        """int32 (n_rows,)."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.indptr))

    @cached_property
    def exposures(self) -> sparse.csr_array:
        """CSR float32 (n_users, n_items) of ones, columns in time order."""
        return self._matrix(self.item, self.indptr)

    @cached_property
    def positives(self) -> sparse.csr_array:
        """CSR float32 (n_users, n_items) of ones, columns in time order."""
        return self._selected(self.is_positive)

    @cached_property
    def negatives(self) -> sparse.csr_array:
        """CSR float32 (n_users, n_items) of ones: exposures that are not positive."""
        return self._selected(~self.is_positive)

    def _selected(self, rows: np.ndarray) -> sparse.csr_array:
        kept = np.flatnonzero(rows)
        return self._matrix(self.item[kept], np.searchsorted(kept, self.indptr))

    @cached_property
    def n_positives(self) -> np.ndarray:
        """int64 (n_users,); 0 for a cold user."""
        return np.diff(self.positives.indptr)

    def since(self, window: int) -> "History":
        """The rows of this window and later ones, with the same users, items and windows."""
        kept = np.flatnonzero(self.window >= window)
        return replace(
            self,
            indptr=np.searchsorted(kept, self.indptr),
            item=self.item[kept],
            window=self.window[kept],
            is_positive=self.is_positive[kept],
        )

    def _matrix(self, indices: np.ndarray, indptr: np.ndarray) -> sparse.csr_array:
        ones = np.ones(len(indices), dtype=np.float32)
        if len(indices) < np.iinfo(np.int32).max:
            indptr = indptr.astype(np.int32)  # or scipy widens the indices to 64 bits too
        return sparse.csr_array((ones, indices, indptr), shape=(self.n_users, self.n_items))

    def n_positives_of(self, rows: np.ndarray) -> np.ndarray:
        """int64: positives of rows of users.parquet; 0 for a cold user, with history or without."""
        return np.append(self.n_positives, 0)[self.user_of(rows)]  # -1 reads the 0 appended

    def with_users(self, users: np.ndarray) -> "History":
        """The same history with these rows of users.parquet among its users, too: those that it
        does not know have no rows.
        """
        users = np.union1d(self.users, users).astype(np.int32)
        size = np.zeros(len(users), dtype=np.int64)
        size[np.searchsorted(users, self.users)] = np.diff(self.indptr)
        return replace(self, users=users, indptr=np.concatenate([[0], np.cumsum(size)]))

    def user_of(self, rows: np.ndarray) -> np.ndarray:
        """int32: the `user` of rows of users.parquet, -1 for those without history."""
        return _position(self.users, rows)

    def item_of(self, rows: np.ndarray) -> np.ndarray:
        """int32: the `item` of rows of items.parquet, -1 for those without history."""
        return _position(self.items, rows)


@dataclass(frozen=True)
class Target:
    """What the target window holds; users and items are rows of users.parquet and items.parquet.

    users       int32, ascending: every user with an interaction in the window, liked or not
    user, item  int32 (n_relevant,), by user: the relevant pairs, positive and not exposed in the
                history
    strength    uint8 (n_relevant,), at least 1
    """

    users: np.ndarray
    user: np.ndarray
    item: np.ndarray
    strength: np.ndarray

    @cached_property
    def _sorted_pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """int64 user << 32 | item, ascending, and the strength of each, uint8."""
        pair = _pair(self.user, self.item)
        order = np.argsort(pair)
        return pair[order], self.strength[order]

    def strength_of(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """The label of each pair: uint8, its strength, 0 where it is not relevant."""
        known, strength = self._sorted_pairs
        if not len(known):
            return np.zeros(len(user), dtype=np.uint8)
        pair = _pair(user, item)
        place = np.searchsorted(known, pair)
        place[place == len(known)] = 0
        return np.where(known[place] == pair, strength[place], 0).astype(np.uint8)


def target_window(fold: str) -> int:
    """The number of the fold's target window, which `split` has written."""
    path = Path(TARGET_WINDOW.format(fold=fold))
    return json.loads(path.read_text(encoding="utf-8"))["window"]


def load_fold(fold: str) -> tuple[History, Target]:
    """The history and the target of a fold, from the files of `split`.

    InputError where a judged fold has nobody to judge, or a fold's history has nothing positive.
    """
    window = target_window(fold)
    file = pq.ParquetFile(INTERACTIONS)
    groups = (file.read_row_group(number) for number in range(file.num_row_groups))
    known, wanted = cut(groups, file.metadata.num_rows, window)
    history, target = history_of(known, window), target_of(wanted)
    if is_judged(fold) and not len(target.user):
        raise InputError(
            f"fold {fold}: no user left to evaluate; window {window}, its target, has "
            f"{len(target.users)} users but no positive pair that is new; check data.positive and "
            "the last windows of the data"
        )
    if not history.is_positive.any():
        raise InputError(
            f"fold {fold}: its history, windows 0 to {window - 1}, has no positive interaction"
        )
    return history, target


def training_users(
    history: History, target: Target, group: str, max_users: int, seed: int
) -> np.ndarray:
    """The users whose lists can train a ranker: those of a group, warm or cold, with a relevant
    item.

    int32, ascending: rows of users.parquet; at most max_users, see draw_users.
    """
    users = np.unique(target.user)
    is_cold = history.n_positives_of(users) == 0
    return draw_users(users[is_cold == (group == "cold")], max_users, seed)


def draw_users(users: np.ndarray, max_users: int, seed: int) -> np.ndarray:
    """At most max_users of the given users (ascending, distinct), drawn by seed; 0 = all."""
    if not max_users or len(users) <= max_users:
        return users
    return np.sort(np.random.default_rng(seed).choice(users, max_users, replace=False))


def order_by_user(user: np.ndarray) -> np.ndarray:
    """The stable order by user, int32 or int64 (n_rows,); a counting sort, since scipy's COO to
    CSR is one.
    """
    n = len(user)
    ones = np.ones(n, dtype=np.int8)
    by_user = sparse.coo_array(
        (ones, (user, np.arange(n, dtype=np.int32))), shape=(int(user.max()) + 1, n)
    )
    by_user.has_canonical_format = True  # a column occurs once, so there is nothing to sum
    return by_user.tocsr().indices


def repeats(user: np.ndarray, item: np.ndarray) -> np.ndarray:
    """bool (n_rows,): whether an earlier row has the same pair, for rows by user in time order."""
    key = user.astype(np.int64) * (int(item.max()) + 1) + item
    in_order = np.sort(key)  # many times faster than argsort
    if not (in_order[1:] == in_order[:-1]).any():
        return np.zeros(len(key), dtype=bool)
    order = np.argsort(key, kind="stable")
    is_repeat = np.empty(len(key), dtype=bool)
    is_repeat[order] = np.diff(key[order], prepend=-1) == 0
    return is_repeat


def cut(tables: Iterable[pa.Table], n_rows: int, window: int) -> tuple[Columns, Columns]:
    """The rows of the windows before `window`, and those in it, of data/split/interactions.parquet
    in parts, n_rows in all.

    A row is copied once, out of the part: with 47 million of them every further copy is a second.
    """
    known: Columns = {}
    wanted = []
    stop = 0
    for table in tables:
        part = {name: table[name].to_numpy() for name in table.column_names}
        known = known or {name: np.empty(n_rows, values.dtype) for name, values in part.items()}
        is_known = part["window"] < window
        start, stop = stop, stop + np.count_nonzero(is_known)
        for name, values in part.items():
            np.compress(is_known, values, out=known[name][start:stop])
        is_wanted = part["window"] == window
        wanted.append({name: values[is_wanted] for name, values in part.items()})
    return (
        {name: values[:stop] for name, values in known.items()},
        {name: np.concatenate([part[name] for part in wanted]) for name in known},
    )


def history_of(known: Columns, n_windows: int, items: np.ndarray | None = None) -> History:
    """The history that these rows of the first n_windows windows are.

    items  rows of items.parquet, ascending, among which are those of all rows; just these if None
    """
    if known["is_repeat"].any():
        known = _merge_repeats(known)
    user, item = known["user"], known["item"]
    starts = np.flatnonzero(np.concatenate([[True], user[1:] != user[:-1]])[: len(user)])
    if items is None:
        is_known = np.zeros(int(item.max(initial=-1)) + 1, dtype=bool)
        is_known[item] = True
        items = np.flatnonzero(is_known).astype(np.int32)
    return History(
        user[starts],
        items,
        np.append(starts, len(user)),
        _position(items, item),
        known["window"],
        known["is_positive"],
        n_windows,
    )


def _merge_repeats(known: Columns) -> Columns:
    """Drops the repeats; the first row of a pair is positive if any of its rows is."""
    pair, is_repeat = _pair(known["user"], known["item"]), known["is_repeat"]
    is_positive = known["is_positive"] | np.isin(pair, pair[is_repeat & known["is_positive"]])
    return {
        name: values[~is_repeat] for name, values in {**known, "is_positive": is_positive}.items()
    }


def target_of(wanted: Columns) -> Target:
    """The target that these rows of one window are."""
    user, item, is_positive, strength, is_repeat = (
        wanted[name] for name in ("user", "item", "is_positive", "strength", "is_repeat")
    )
    is_new = is_positive.copy()
    if is_repeat.any():  # new where the pair's first row is in this window, and counted once
        pair = _pair(user, item)
        is_new &= np.isin(pair, pair[~is_repeat])
        rows = np.flatnonzero(is_new)
        is_new[rows] = False
        is_new[rows[np.unique(pair[rows], return_index=True)[1]]] = True
    return Target(np.unique(user), user[is_new], item[is_new], strength[is_new])


def _pair(user: np.ndarray, item: np.ndarray) -> np.ndarray:
    """int64, one number for each pair, in the order of user, then item."""
    return user.astype(np.int64) << 32 | item


def _position(sorted_rows: np.ndarray, rows: np.ndarray) -> np.ndarray:
    if not len(sorted_rows):
        return np.full(len(rows), -1, dtype=np.int32)
    lookup = np.full(int(max(sorted_rows[-1], rows.max(initial=0))) + 1, -1, dtype=np.int32)
    lookup[sorted_rows] = np.arange(len(sorted_rows), dtype=np.int32)
    return lookup[rows]

"""The history that a fold may know, which is every window before its target, and the target.

Users and items of a fold are those of its history, so no shape and no index depends on anything
later. candidates.new_items adds items that the history does not know.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from core import folds, tables
from core.params import is_judged
from core.script import InputError, report

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv
from scipy import sparse

INTERACTIONS = Path("data/split/interactions.parquet")
WINDOWS = Path("data/split/windows.csv")
MANY_TIED = 0.01  # of the interactions: fewer change no result much

Columns = dict[str, np.ndarray]  # of data/split/interactions.parquet


@dataclass(frozen=True)
class History:
    """Everything before a fold's target window: a row per pair, by user, then in time order. A
    position in `users` or `items` is the `user` or `item` of everything else here.
    """

    users: np.ndarray  # int32 (n_users,): rows in users.parquet, ascending
    items: np.ndarray  # int32 (n_items,): rows in items.parquet, ascending
    indptr: np.ndarray  # int64 (n_users + 1,): user u has the rows indptr[u]:indptr[u + 1]
    item: np.ndarray  # int32 (n_rows,)
    window: np.ndarray  # int16 (n_rows,), of the pair's first exposure
    is_positive: np.ndarray  # bool (n_rows,)
    n_windows: int  # of the history; the target window has this number

    @property
    def n_users(self) -> int:
        return len(self.users)

    @property
    def n_items(self) -> int:
        return len(self.items)

    @cached_property
    def is_known(self) -> np.ndarray:
        """bool (n_items,): the items with an exposure; all others were added by `with_items`."""
        return np.bincount(self.item, minlength=self.n_items) > 0

    @cached_property
    def user(self) -> np.ndarray:
        """int32 (n_rows,)."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.indptr))

    @cached_property
    def exposures(self) -> sparse.csr_array:
        """CSR float32 (n_users, n_items) of ones, columns in time order."""
        ones, indptr = np.ones(len(self.item), dtype=np.float32), self.indptr
        if len(ones) < np.iinfo(np.int32).max:
            indptr = indptr.astype(np.int32)  # or scipy widens the indices to 64 bits too
        return sparse.csr_array((ones, self.item, indptr), shape=(self.n_users, self.n_items))

    @cached_property
    def positives(self) -> sparse.csr_array:
        """CSR float32 (n_users, n_items) of ones, columns in time order."""
        return self.where(self.is_positive).exposures

    @cached_property
    def n_positives(self) -> np.ndarray:
        """int64 (n_users,); 0 for a cold user."""
        return np.diff(self.positives.indptr)

    def since(self, window: int) -> "History":
        """Return the rows of this window and later ones."""
        return self.where(self.window >= window)

    def where(self, is_kept: np.ndarray) -> "History":
        """Return these rows, bool (n_rows,), with the same users, items and windows."""
        kept = np.flatnonzero(is_kept)
        return replace(
            self,
            indptr=np.searchsorted(kept, self.indptr),
            item=self.item[kept],
            window=self.window[kept],
            is_positive=self.is_positive[kept],
        )

    def alive(self, windows: int) -> np.ndarray | None:
        """Return which items have an exposure in the last `windows` windows of the history, bool
        (n_items,); None for 0, which means all. A new item, without any exposure, is alive.
        """
        if not windows:
            return None
        recent = self.item[self.window >= self.n_windows - windows]
        return (np.bincount(recent, minlength=self.n_items) > 0) | ~self.is_known

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

    def with_items(self, items: np.ndarray) -> "History":
        """The same history with these rows of items.parquet among its items, too."""
        items = np.union1d(self.items, items).astype(np.int32)
        return replace(self, items=items, item=_position(items, self.items)[self.item])

    def of_items(self, is_kept: np.ndarray) -> "History":
        """The same history with these items alone, bool (n_items,)."""
        kept = self.where(is_kept[self.item])
        item = _position(np.flatnonzero(is_kept), kept.item)
        return replace(kept, items=self.items[is_kept], item=item)

    def user_of(self, rows: np.ndarray) -> np.ndarray:
        """int32: the `user` of rows of users.parquet, -1 for those without history."""
        return _position(self.users, rows)

    def item_of(self, rows: np.ndarray) -> np.ndarray:
        """int32: the `item` of rows of items.parquet, -1 for those without history."""
        return _position(self.items, rows)


@dataclass(frozen=True)
class Target:
    """The relevant pairs in the target window, positive and not exposed in the history, by user."""

    users: np.ndarray  # int32, rows of users.parquet, ascending: all users of the window
    user: np.ndarray  # int32 (n_relevant,), rows of users.parquet
    item: np.ndarray  # int32 (n_relevant,), rows of items.parquet
    strength: np.ndarray  # uint8 (n_relevant,), at least 1

    def strength_of(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Return the label of each pair, uint8: its strength, 0 where it is not relevant."""
        known, pair = _pair(self.user, self.item), _pair(user, item)
        place = pc.index_in(pa.array(pair), value_set=pa.array(known)).fill_null(len(known))
        return np.append(self.strength, np.uint8(0))[place.to_numpy()]


def load_fold(fold: str, new_items: str = "none") -> tuple[History, Target]:
    """Return the history and the target of a fold, from the files of `split`.

    new_items  candidates.new_items: which items the history has beside those with an exposure
    InputError where a judged fold has no relevant pair, or its history no positive.
    """
    window = folds.load().windows[fold]
    known, wanted = cut(pq.read_table(INTERACTIONS), window)
    history, target = history_of(known, window), target_of(wanted)
    if is_judged(fold) and not len(target.user):
        raise InputError(
            f"fold {fold}: no user left to evaluate; window {window}, its target, has"
            f" {len(target.users)} users but no positive pair that is new; check data.positive"
            " and the last windows of the data"
        )
    if not history.is_positive.any():
        raise InputError(
            f"fold {fold}: its history, windows 0 to {window - 1}, has no positive interaction"
        )
    if new_items != "none":
        history = history.with_items(catalogue(new_items, window))
    return history, target


def load_everything(new_items: str = "none") -> History:
    """Return the history that is the whole log, from the files of `split`; new_items as above."""
    n_windows = max(folds.load().windows.values()) + 1
    known, _ = cut(pq.read_table(INTERACTIONS), n_windows)
    history = history_of(known, n_windows)
    return history if new_items == "none" else history.with_items(catalogue(new_items, n_windows))


def catalogue(new_items: str, window: int) -> np.ndarray:
    """Return the rows of items.parquet that may be recommended in a window without an exposure:
    int64, ascending. Of `published` those published at the start of the window or before; after the
    last window, all that have a time.

    new_items  all or published; InputError for the latter where items or interactions have no times
    """
    if new_items == "all":
        return np.arange(pq.read_metadata(tables.ITEMS).num_rows)
    windows = csv.read_csv(WINDOWS)
    if not tables.PUBLISHED.exists() or "n_days" not in windows.column_names:
        raise InputError(
            "params.yaml: candidates.new_items is published: must be none or all, because this"
            " data.source does not have the times of both interactions and items"
        )
    published = np.load(tables.PUBLISHED)
    starts = [*windows["start"].to_pylist(), np.inf]
    return np.flatnonzero(published <= starts[window])  # unknown is NaN: never


def report_new_items(shares: dict[str, float]) -> None:
    """Report the share of the relevant pairs that are on new items, by fold."""
    text = ", ".join(f"{fold} {share:.1%}" for fold, share in shares.items())
    report(f"relevant pairs on new items, which the history of the fold does not know: {text}")


def training_users(
    history: History, target: Target, group: str, max_users: int, seed: int
) -> np.ndarray:
    """Return the users of a group, warm or cold, with a relevant item: int32, ascending, rows of
    users.parquet, at most max_users, see draw_users.
    """
    users = np.unique(target.user)
    is_cold = history.n_positives_of(users) == 0
    return draw_users(users[is_cold == (group == "cold")], max_users, seed)


def draw_users(users: np.ndarray, max_users: int, seed: int) -> np.ndarray:
    """Return at most max_users of the users (ascending, distinct), drawn by seed; 0 = all."""
    if not max_users or len(users) <= max_users:
        return users
    return np.sort(np.random.default_rng(seed).choice(users, max_users, replace=False))


def order_by_user(user: np.ndarray) -> np.ndarray:
    """Return the stable order by user, int32 or int64 (n_rows,). scipy's COO to CSR is a counting
    sort, which is many times faster than argsort.
    """
    n = len(user)
    ones = np.ones(n, dtype=np.int8)
    by_user = sparse.coo_array(
        (ones, (user, np.arange(n, dtype=np.int32))), shape=(int(user.max()) + 1, n)
    )
    by_user.has_canonical_format = True  # a column occurs once, so there is nothing to sum
    return by_user.tocsr().indices


def tied_share(windows: Mapping[str, np.ndarray]) -> float:
    """Return the share of the interactions that have the time at which a window starts, so that the
    order of the file decides their window. windows: the columns of WINDOWS, with or without times
    """
    if "n_tied" not in windows:
        return 0.0
    tied = dict(zip(windows["start"], windows["n_tied"], strict=True))  # windows may share a start
    return sum(tied.values()) / sum(windows["n_interactions"])


def repeats(user: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Return whether an earlier row has the same pair, bool (n_rows,), for rows by user in time
    order.
    """
    key = user.astype(np.int64) * (int(item.max()) + 1) + item
    order = np.argsort(key, kind="stable")
    is_repeat = np.empty(len(key), dtype=bool)
    is_repeat[order] = np.diff(key[order], prepend=-1) == 0
    return is_repeat


def cut(table: pa.Table, window: int) -> tuple[Columns, Columns]:
    """Return the rows of data/split/interactions.parquet in the windows before `window`, and those
    in it.
    """
    known, wanted = {}, {}
    of_row = table["window"].to_numpy()
    is_known, is_wanted = of_row < window, of_row == window
    for name in table.column_names:
        values = table[name].to_numpy()
        known[name], wanted[name] = values[is_known], values[is_wanted]
    return known, wanted


def history_of(known: Columns, n_windows: int, items: np.ndarray | None = None) -> History:
    """Return the history that consists of these rows of the first n_windows windows.

    items  rows of items.parquet, ascending, that include those of all rows; just these if None
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
    """Drop the repeats; the first row of a pair is positive if any of its rows is."""
    pair, is_repeat = _pair(known["user"], known["item"]), known["is_repeat"]
    is_positive = known["is_positive"] | np.isin(pair, pair[is_repeat & known["is_positive"]])
    return {
        name: values[~is_repeat] for name, values in {**known, "is_positive": is_positive}.items()
    }


def target_of(wanted: Columns) -> Target:
    """Return the target that consists of these rows of one window."""
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

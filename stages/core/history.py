"""History and target of a fold. The history is every window before the target window.

Users and items of a fold are those of its history, so no shape or index depends on later data.
candidates.new_items adds items without an exposure in the history.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from core import folds, tables
from core.candidate_lists import CandidateListParams
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
OF_HISTORY = ("user", "item", "window", "is_positive", "is_repeat")
MANY_TIED = 0.01  # share of the interactions; fewer ties hardly change a result

Columns = dict[str, np.ndarray]  # of data/split/interactions.parquet


@dataclass(frozen=True)
class History:
    """All interactions before a fold's target window: a row per pair, by user, then by time."""

    users: np.ndarray  # int32 (n_users,): rows in users.parquet, ascending
    items: np.ndarray  # int32 (n_items,): rows in items.parquet, ascending
    indptr: np.ndarray  # int64 (n_users + 1,): user u has the rows indptr[u]:indptr[u + 1]
    item: np.ndarray  # int32 (n_rows,): an index into `items`
    window: np.ndarray  # int16 (n_rows,), window of the pair's first exposure
    is_positive: np.ndarray  # bool (n_rows,)
    n_windows: int  # windows of the history, and the number of the target window

    @property
    def n_users(self) -> int:
        return len(self.users)

    @property
    def n_items(self) -> int:
        return len(self.items)

    @cached_property
    def is_known(self) -> np.ndarray:
        """Which items have an exposure, bool (n_items,); with_items() added the others."""
        return np.bincount(self.item, minlength=self.n_items) > 0

    @cached_property
    def user(self) -> np.ndarray:
        """The user of each row, int32 (n_rows,): an index into `users`."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.indptr))

    @cached_property
    def exposures(self) -> sparse.csr_array:
        """All pairs, CSR float32 (n_users, n_items) of ones, columns in time order."""
        ones, indptr = np.ones(len(self.item), dtype=np.float32), self.indptr
        if len(ones) < np.iinfo(np.int32).max:
            indptr = indptr.astype(np.int32)  # otherwise scipy also widens the indices to 64 bits
        return sparse.csr_array((ones, self.item, indptr), shape=(self.n_users, self.n_items))

    @cached_property
    def positives(self) -> sparse.csr_array:
        """Positive pairs, CSR float32 (n_users, n_items) of ones, columns in time order."""
        return self.where(self.is_positive).exposures

    @cached_property
    def n_positives(self) -> np.ndarray:
        """Number of positives of each user, int64 (n_users,); 0 for a cold user."""
        return np.diff(self.positives.indptr)

    def since(self, window: int) -> "History":
        """Return the rows of this window and later windows."""
        return self.where(self.window >= window)

    def where(self, is_kept: np.ndarray) -> "History":
        """Return a subset of rows, bool (n_rows,), with the same users, items and windows."""
        kept = np.flatnonzero(is_kept)
        rows = {name: getattr(self, name)[kept] for name in ("item", "window", "is_positive")}
        return replace(self, indptr=np.searchsorted(kept, self.indptr), **rows)

    def alive(self, windows: int) -> np.ndarray | None:
        """Return which items have an exposure in the last `windows` windows, bool (n_items,).

        Items without any exposure count as alive. Returns None for 0, which means all items.
        """
        if not windows:
            return None
        recent = self.item[self.window >= self.n_windows - windows]
        return (np.bincount(recent, minlength=self.n_items) > 0) | ~self.is_known

    def n_positives_of(self, rows: np.ndarray) -> np.ndarray:
        """Return the number of positives of rows of users.parquet, int64; 0 for cold users."""
        return np.append(self.n_positives, 0)[self.user_of(rows)]  # -1 reads the appended 0

    def with_users(self, users: np.ndarray) -> "History":
        """Return the history with more users, rows of users.parquet. New users have no rows."""
        users = np.union1d(self.users, users).astype(np.int32)
        size = np.zeros(len(users), dtype=np.int64)
        size[np.searchsorted(users, self.users)] = np.diff(self.indptr)
        return replace(self, users=users, indptr=np.concatenate([[0], np.cumsum(size)]))

    def with_items(self, items: np.ndarray) -> "History":
        """Return the history with more items, rows of items.parquet, that have no interactions."""
        items = np.union1d(self.items, items).astype(np.int32)
        return replace(self, items=items, item=_position(items, self.items)[self.item])

    def of_items(self, is_kept: np.ndarray) -> "History":
        """Return the history with only these items, bool (n_items,)."""
        kept = self.where(is_kept[self.item])
        item = _position(np.flatnonzero(is_kept), kept.item)
        return replace(kept, items=self.items[is_kept], item=item)

    def user_of(self, rows: np.ndarray) -> np.ndarray:
        """Return the `user` of rows of users.parquet, int32, -1 for users without history."""
        return _position(self.users, rows)

    def item_of(self, rows: np.ndarray) -> np.ndarray:
        """Return the `item` of rows of items.parquet, int32, -1 for items without history."""
        return _position(self.items, rows)


@dataclass(frozen=True)
class Target:
    """The relevant pairs, by user: positive in the target window, not exposed in the history."""

    # int32, rows of users.parquet, ascending: all users of the window, or those drawn
    users: np.ndarray
    user: np.ndarray  # int32 (n_relevant,), rows of users.parquet
    item: np.ndarray  # int32 (n_relevant,), rows of items.parquet
    strength: np.ndarray  # uint8 (n_relevant,), at least 1

    def strength_of(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Return the label of each pair, uint8: its strength, or 0 if it is not relevant."""
        known, pair = _pair(self.user, self.item), _pair(user, item)
        place = pc.index_in(pa.array(pair), value_set=pa.array(known)).fill_null(len(known))
        return np.append(self.strength, np.uint8(0))[place.to_numpy()]


def load_fold(fold: str, candidates: CandidateListParams, seed: int) -> tuple[History, Target]:
    """Load the history and the target of a fold from the files of `split`.

    In a judged fold, at most candidates.judged_users users, sampled by seed, are served and
    evaluated. Raises InputError if they have no relevant pair; see also load_history.
    """
    window = folds.load().windows[fold]
    known, wanted = cut(pq.read_table(INTERACTIONS), window)
    target = target_of(wanted)
    if is_judged(fold):
        of_window = target.users
        users = draw_users(of_window, candidates.judged_users, (seed, window))
        rows = np.isin(target.user, users)
        target = Target(users, target.user[rows], target.item[rows], target.strength[rows])
        if not rows.any():
            drawn = f" ({len(users)} of them sampled)" if candidates.judged_users else ""
            raise InputError(
                f"fold {fold}: no user left to evaluate; its target window {window} has"
                f" {len(of_window)} users{drawn}, but no positive pair that is new; check"
                " data.positive and the last windows of the data"
            )
    return _history(known, window, candidates.new_items), target


def load_history(fold: str | None, new_items: str = "none") -> History:
    """Load the history of a fold from the files of `split`; None: the whole log.

    new_items  candidates.new_items: which items to add to those with an exposure
    Raises InputError if the history has no positive.
    """
    windows = folds.load().windows
    window = windows[fold] if fold else max(windows.values()) + 1
    known, _ = cut(pq.read_table(INTERACTIONS), window)
    return _history(known, window, new_items)


def _history(known: Columns, window: int, new_items: str) -> History:
    history = history_of(known, window)
    if not history.is_positive.any():
        raise InputError(
            f"windows 0 to {window - 1}, the history of window {window}, have no positive"
            " interaction"
        )
    if new_items != "none":
        history = history.with_items(catalogue(new_items, window))
    return history


def catalogue(new_items: str, window: int) -> np.ndarray:
    """Return the items without an exposure that may be recommended in a window.

    Returns rows of items.parquet, int64, ascending. `published` means items published before
    or at the start of the window. After the last window, it means all items with a time.
    Raises InputError for published if items or interactions have no times.
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
    return np.flatnonzero(published <= starts[window])  # False for NaN, which is unknown


def report_new_items(shares: dict[str, float]) -> None:
    """Print the share of the relevant pairs that are on new items, by fold."""
    text = ", ".join(f"{fold} {share:.1%}" for fold, share in shares.items())
    report(f"relevant pairs on new items, which the history of the fold does not know: {text}")


def training_users(history: History, target: Target, max_users: int, seed: int) -> np.ndarray:
    """Return the warm users with a relevant item, as draw_users does: rows of users.parquet."""
    users = np.unique(target.user)
    return draw_users(users[history.n_positives_of(users) > 0], max_users, seed)


def draw_users(users: np.ndarray, max_users: int, seed: int | tuple[int, int]) -> np.ndarray:
    """Sample at most max_users of the users (ascending, distinct) by seed; 0 means all."""
    if not max_users or len(users) <= max_users:
        return users
    return np.sort(np.random.default_rng(seed).choice(users, max_users, replace=False))


def order_by_user(user: np.ndarray) -> np.ndarray:
    """Return the stable order by user, int32 or int64 (n_rows,)."""
    # scipy converts COO to CSR by a counting sort, which is much faster than argsort
    n = len(user)
    rows = np.ones(n, dtype=np.int8), (user, np.arange(n, dtype=np.int32))
    by_user = sparse.coo_array(rows, shape=(int(user.max()) + 1, n))
    by_user.has_canonical_format = True  # each column occurs once, so there is nothing to sum
    return by_user.tocsr().indices


def tied_share(windows: Mapping[str, np.ndarray]) -> float:
    """Return the share of interactions with exactly the time at which a window starts."""
    if "n_tied" not in windows:
        return 0.0
    tied = dict(zip(windows["start"], windows["n_tied"], strict=True))  # windows may share a start
    return sum(tied.values()) / sum(windows["n_interactions"])


def repeats(user: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Return whether an earlier row has the same pair, bool (n_rows,), by user and time."""
    key = user.astype(np.int64) * (int(item.max()) + 1) + item
    order = np.argsort(key, kind="stable")
    is_repeat = np.empty(len(key), dtype=bool)
    is_repeat[order] = np.diff(key[order], prepend=-1) == 0
    return is_repeat


def cut(table: pa.Table, window: int) -> tuple[Columns, Columns]:
    """Return the rows before `window` and the rows in it, of data/split/interactions.parquet."""
    columns = {name: table[name].to_numpy() for name in table.column_names}
    of_row = columns["window"]
    known, wanted = (
        {name: values[rows] for name, values in columns.items()}
        for rows in (of_row < window, of_row == window)
    )
    return known, wanted


def history_of(known: Columns, n_windows: int, items: np.ndarray | None = None) -> History:
    """Return the history of these rows, which are all in the first n_windows windows.

    items  all items of the history, rows of items.parquet, ascending; None: the items of `known`
    """
    user, item, window, is_positive, is_repeat = (known[name] for name in OF_HISTORY)
    if is_repeat.any():  # the first row of a pair is positive if any of its rows is
        pair = _pair(user, item)
        is_positive = is_positive | np.isin(pair, pair[is_repeat & is_positive])
        rows = user, item, window, is_positive
        user, item, window, is_positive = (values[~is_repeat] for values in rows)
    starts = np.flatnonzero(np.diff(user, prepend=-1))
    if items is None:
        items = np.flatnonzero(np.bincount(item)).astype(np.int32)
    indptr = np.append(starts, len(user))
    return History(
        user[starts], items, indptr, _position(items, item), window, is_positive, n_windows
    )


def target_of(wanted: Columns) -> Target:
    """Return the target of these rows of one window."""
    user, item, is_positive, strength, is_repeat = (
        wanted[name] for name in ("user", "item", "is_positive", "strength", "is_repeat")
    )
    is_new = is_positive.copy()
    if is_repeat.any():  # a pair is new if its first row is in this window, and counts once
        pair = _pair(user, item)
        is_new &= np.isin(pair, pair[~is_repeat])
        rows = np.flatnonzero(is_new)
        is_new[rows] = False
        is_new[rows[np.unique(pair[rows], return_index=True)[1]]] = True
    return Target(np.unique(user), user[is_new], item[is_new], strength[is_new])


def _pair(user: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Return a number for each pair, int64, in the order of user, then item."""
    return user.astype(np.int64) << 32 | item


def _position(sorted_rows: np.ndarray, rows: np.ndarray) -> np.ndarray:
    largest = max(of.max(initial=0) for of in (sorted_rows, rows))
    lookup = np.full(int(largest) + 1, -1, dtype=np.int32)
    lookup[sorted_rows] = np.arange(len(sorted_rows), dtype=np.int32)
    return lookup[rows]

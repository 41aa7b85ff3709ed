"""What a family of features may know of a fold, and the candidate lists it describes.

A family is a function (context) -> (rows) -> columns: called once per fold with all that is known
before the target window, it returns a function that gives the columns of a block of candidates.
Notation of the formulas: n windows of history; recent = the last `recent_windows` of them; P(x),
E(x) = number of positives and of exposures of x; r = the share of all exposures that are positive;
smoothed rate of x = (P(x) + s r) / (E(x) + s), s = `smoothing`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from core import tables
from core.candidate_lists import Candidates
from core.feedback import Channels
from core.history import History
from core.params import Strict, shared_params
from core.weights import by_recency

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field
from scipy import sparse

from families.columns import Columns, codes, is_category
from families.levels import levels, lowest_of_levels


class FamilyParams(Strict):
    """The parameters that the families share; families.FeaturesParams adds which are in use."""

    recent_windows: int = Field(ge=1, le=1000)  # windows that count as recent
    smoothing: float = Field(ge=1e-6, le=1e9)  # exposures' worth of the overall rate in every rate
    last_items: int = Field(ge=1, le=1000)  # latest positives that make up the short-term profile


@dataclass(frozen=True)
class Rows:
    """A block of whole candidate lists, with the users and items of the history."""

    user: np.ndarray  # int32 (n_rows,)
    item: np.ndarray  # int32 (n_rows,)
    starts: np.ndarray  # int64 (n_lists,): the first row of each list
    rank: dict[str, np.ndarray]  # as in core.candidate_lists.Candidates
    score: dict[str, np.ndarray]


def rows_of(lists: Candidates, history: History) -> Rows:
    """The same lists with the own users and items of the history of the users served."""
    user, item = history.user_of(lists.user), history.item_of(lists.item)
    return Rows(user, item, lists.starts, lists.rank, lists.score)


@dataclass(frozen=True)
class Users:
    """Users and what is known of each, in the order of their history."""

    history: History  # what they have done, with the items and windows of the fold's history
    metadata: pd.DataFrame  # one column per feature, float32 or category
    channels: Channels  # of their history


@dataclass(frozen=True)
class Context:
    """What the families may know of a fold: its history, and metadata of the history's users and
    items in their order. What several families compute from it is cached here.
    """

    history: History
    users: pd.DataFrame  # one column per feature, float32 or category
    items: pd.DataFrame  # the same of items
    tags: sparse.csr_array  # float32 (n_items, n_tags): author or genres, each row sums to 1
    embeddings: np.ndarray  # float32 (n_items, d)
    channels: Channels  # of the history
    params: FamilyParams
    n_threads: int
    new_users: Users | None = None  # users to serve in place of the history's own

    @cached_property
    def served(self) -> Users:
        """The users that the rows are about: what a column says of a user, it takes from here, and
        what it says of items, or of all users, from the history.
        """
        return self.new_users or Users(self.history, self.users, self.channels)

    @cached_property
    def rate(self) -> float:
        """The share of all exposures that are positive; 0 where there are none."""
        return float(self.history.is_positive.sum() / max(len(self.history.is_positive), 1))

    def smoothed(
        self, positives: np.ndarray, exposures: np.ndarray, prior: np.ndarray | float | None = None
    ) -> np.ndarray:
        """(positives + s prior) / (exposures + s), float32; the prior is r unless given."""
        s = self.params.smoothing
        return ((positives + s * (self.rate if prior is None else prior)) / (exposures + s)).astype(
            np.float32
        )

    @property
    def n_recent(self) -> int:
        """How many windows of the history count as recent."""
        return min(self.history.n_windows, self.params.recent_windows)

    @cached_property
    def item_counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Exposures, and positives, of each item in each window: int64 (n_items, n_windows)."""
        return counts(self.history, self.history.item, self.history.n_items)

    @cached_property
    def user_counts(self) -> tuple[np.ndarray, np.ndarray]:
        """The same of each user served: int64 (n_users, n_windows)."""
        history = self.served.history
        return counts(history, history.user, history.n_users)

    @cached_property
    def last_positives(self) -> sparse.csr_array:
        """1 / (1 + age) for the last positives of each user served, age 0 for the latest one: CSR
        float32 (n_users, n_items).
        """
        return by_recency(self.served.history.positives, self.params.last_items)

    def positives_by_level(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """By a column of the users: the lowest value of each of its levels, and how many positives
        each level has of each item, float64 (n_levels, n_items); the last level is that of NaN.
        """
        values, is_categorical = codes(self.users[name]), is_category(self.users[name])
        lowest = lowest_of_levels(values, is_categorical)
        level = levels(values, lowest, is_categorical)
        counts = counts_by_level(level, len(lowest) + 1, self.history.positives)
        return lowest, counts.toarray().astype(np.float64)

    def since(self, window: int) -> "Context":
        """The same context, as if the windows from this one on were all of the history."""
        served = self.served
        return replace(
            self,
            history=self.history.since(window),
            new_users=replace(served, history=served.history.since(window)),
        )


def counts_by_level(
    level: np.ndarray, n_levels: int, positives: sparse.csr_array
) -> sparse.csr_array:
    """How many positives the users of each level have of each item: float32 (n_levels, n_items), of
    whole numbers, so exact.
    """
    ones = np.ones(len(level), dtype=np.float32)
    size = (n_levels, len(level))
    return sparse.csr_array((ones, (level, np.arange(len(level)))), shape=size) @ positives


def counts(history: History, of: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Exposures, and positives, of each of 0..n-1 in each window: int64 (n, n_windows) twice; `of`
    int32 (n_rows,) belongs to the rows of the history.
    """
    found = np.zeros(2 * n * history.n_windows, dtype=np.int64)
    step = max(2_000_000, len(found))
    for start in range(0, len(of), step):  # in parts that stay in the cache
        rows = slice(start, start + step)
        cell = of[rows] * np.int64(2 * history.n_windows)
        cell += 2 * history.window[rows] + history.is_positive[rows]
        found += np.bincount(cell, minlength=len(found))
    found = found.reshape(n, history.n_windows, 2)
    return found.sum(axis=2), found[:, :, 1]


FamilyOfFold = Callable[[Rows], Columns]
Family = Callable[[Context], FamilyOfFold]


def load_context(history: History, params: FamilyParams) -> Context:
    """The context of a fold, from the outputs of `ingest` and from params.yaml."""
    return Context(
        history,
        metadata(pq.read_table(tables.USERS), history.users),
        metadata(pq.read_table(tables.ITEMS), history.items),
        tables.read_tags(history.items),
        np.load(tables.EMBEDDINGS)[history.items],
        Channels(history),
        params,
        shared_params().n_threads,
    )


def serving(context: Context, users: np.ndarray, table: pa.Table) -> Context:
    """The same context for these rows of users.parquet (`table`), too: of those that the history
    does not know it has the metadata alone.
    """
    served = context.history.with_users(users)
    new_users = Users(served, metadata(table, served.users), context.channels)
    return replace(context, new_users=new_users)


def metadata(table: pa.Table, rows: np.ndarray) -> pd.DataFrame:
    """The feature columns (all but the first, which is the id) of these rows: float32, or
    category. Of a row of -1 nothing is known.
    """
    return table.select(table.column_names[1:]).take(pa.array(rows, mask=rows < 0)).to_pandas()

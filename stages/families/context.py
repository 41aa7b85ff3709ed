"""The context of a fold: everything that families of features may use, and blocks of candidates.

A family is a function (context) -> (rows) -> columns. It is called once per fold with everything
known before the target window, and returns a function from a block of candidates to columns.

Notation of the formulas: n is the number of windows of the history; recent means the last
`recent_windows` of them; P(x) and E(x) are the numbers of positives and exposures of x; r is the
share of all exposures that are positive; s is `smoothing`; the smoothed rate of x is (P(x) + s r) /
(E(x) + s).
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

from families.columns import Columns, codes, is_category, levels, lowest_of_levels

Rows = Candidates  # whole candidate lists, in which `user` and `item` are those of the history


class FamilyParams(Strict):
    """Parameters that the families share; families.FeaturesParams adds the families in use."""

    recent_windows: int = Field(ge=1, le=1000)  # number of last windows that count as recent
    smoothing: float = Field(ge=1e-6, le=1e9)  # exposures at the overall rate added to each rate
    last_items: int = Field(ge=1, le=1000)  # latest positives of a user in the short-term profile


def rows_of(lists: Candidates, history: History) -> Rows:
    """Convert lists to rows: rows of the tables become `user` and `item` of the history."""
    return replace(lists, user=history.user_of(lists.user), item=history.item_of(lists.item))


@dataclass(frozen=True)
class Users:
    """Users with their history and metadata, in the order of the history."""

    history: History  # interactions of these users, with items and windows of the fold's history
    metadata: pd.DataFrame  # one column per feature, float32 or category
    channels: Channels  # feedback of the interactions


@dataclass(frozen=True)
class Context:
    """The history of a fold, metadata of its users and items, and what several families need."""

    history: History
    users: pd.DataFrame  # one column per feature, float32 or category
    items: pd.DataFrame  # the same for items
    tags: sparse.csr_array  # float32 (n_items, n_tags): author or genres, each row sums to 1
    embeddings: np.ndarray  # float32 (n_items, d)
    channels: Channels  # feedback of the history
    params: FamilyParams
    n_threads: int
    new_users: Users | None = None  # users to serve, instead of those of the history

    @cached_property
    def served(self) -> Users:
        """The served users. User columns are computed from here; columns about items, or about all
        users, are computed from the history.
        """
        return self.new_users or Users(self.history, self.users, self.channels)

    @cached_property
    def rate(self) -> float:
        """Share of all exposures that are positive; 0 without exposures."""
        return float(self.history.is_positive.sum() / max(len(self.history.is_positive), 1))

    def smoothed(
        self, positives: np.ndarray, exposures: np.ndarray, prior: np.ndarray | float | None = None
    ) -> np.ndarray:
        """Return (positives + s prior) / (exposures + s), float32. The default prior is r."""
        s, prior = self.params.smoothing, self.rate if prior is None else prior
        return ((positives + s * prior) / (exposures + s)).astype(np.float32)

    @property
    def n_recent(self) -> int:
        """Number of windows of the history that count as recent."""
        return min(self.history.n_windows, self.params.recent_windows)

    @cached_property
    def item_counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Exposures and positives of each item in each window, int64 (n_items, n_windows)."""
        return counts(self.history, self.history.item, self.history.n_items)

    @cached_property
    def user_counts(self) -> tuple[np.ndarray, np.ndarray]:
        """The same for each served user, int64 (n_users, n_windows)."""
        history = self.served.history
        return counts(history, history.user, history.n_users)

    @cached_property
    def last_positives(self) -> sparse.csr_array:
        """Last positives of each served user, see by_recency, CSR float32 (n_users, n_items)."""
        return by_recency(self.served.history.positives, self.params.last_items)

    def positives_by_level(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return lowest values of the levels of a user column, and positives of levels and items.

        The number of positives is float64 (n_levels, n_items). The last level is NaN.
        """
        values, is_categorical = codes(self.users[name]), is_category(self.users[name])
        lowest = lowest_of_levels(values, is_categorical)
        level = levels(values, lowest, is_categorical)
        counts = counts_by_level(level, len(lowest) + 1, self.history.positives)
        return lowest, counts.toarray().astype(np.float64)

    def since(self, window: int) -> "Context":
        """Return the context of a history that starts at this window."""
        served = self.served
        return replace(
            self,
            history=self.history.since(window),
            new_users=replace(served, history=served.history.since(window)),
        )


def counts_by_level(
    level: np.ndarray, n_levels: int, positives: sparse.csr_array
) -> sparse.csr_array:
    """Return the positives of each item by users of each level, float32 (n_levels, n_items)."""
    ones = np.ones(len(level), dtype=np.float32)
    size = (n_levels, len(level))
    return sparse.csr_array((ones, (level, np.arange(len(level)))), shape=size) @ positives


def counts(history: History, of: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return exposures and positives of each user or item in each window, int64 (n, n_windows).

    of  int32 (n_rows,): the user or item of each row of the history, below n
    """
    found = np.zeros(2 * n * history.n_windows, dtype=np.int64)
    step = max(2_000_000, len(found))
    for start in range(0, len(of), step):  # parts fit the CPU cache
        rows = slice(start, start + step)
        cell = of[rows] * np.int64(2 * history.n_windows)
        cell += 2 * history.window[rows] + history.is_positive[rows]
        found += np.bincount(cell, minlength=len(found))
    found = found.reshape(n, history.n_windows, 2)
    return found.sum(axis=2), found[:, :, 1]


FamilyOfFold = Callable[[Rows], Columns]
Family = Callable[[Context], FamilyOfFold]


def load_context(history: History, params: FamilyParams) -> Context:
    """Return the context of a fold, with metadata from the outputs of `ingest`."""
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
    """Return the context for serving also these rows of users.parquet (`table`)."""
    served = context.history.with_users(users)
    new_users = Users(served, metadata(table, served.users), context.channels)
    return replace(context, new_users=new_users)


def metadata(table: pa.Table, rows: np.ndarray) -> pd.DataFrame:
    """Return the feature columns of these rows, float32 or category. The row -1 is unknown.

    The first column of the table is the id, which is not a feature.
    """
    return table.select(table.column_names[1:]).take(pa.array(rows, mask=rows < 0)).to_pandas()

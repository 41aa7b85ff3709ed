"""Feature families: pure functions of a fold's history and a candidate list, one column per
feature.

A family is a function (context, rows) -> dict of name -> float32 (n_rows,). `context` holds what
is known of a history, computed once; `rows` is a block of candidates. NaN means unknown, and
LightGBM treats it as such. To add a family: write the function, put it into FAMILIES. Notation: n
windows of history; recent = the last `recent_windows` of them; P(x), E(x) = number of positives
and of exposures of x; r = the share of all exposures that are positive; smoothed rate of x = (P(x)
+ s r) / (E(x) + s), s = `smoothing`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from harness.params import Strict

import numpy as np
import pandas as pd
from pydantic import Field, field_validator
from scipy import sparse

from folds.candidate_lists import Candidates
from folds.factors import Factors
from folds.history import History
from folds.similarity import item_knn, latest, normalised, transitions
from retrieval.params import ItemKnn

Columns = dict[str, np.ndarray]
Family = Literal[
    "als",
    "user",
    "item",
    "embedding",
    "popularity",
    "activity",
    "affinity",
    "similarity",
    "demographics",
    "sources",
]


class Settings(Strict):
    """The families in use, and the settings they share."""

    groups: list[Family]  # families of features, in this order
    recent_windows: int = Field(ge=1)  # windows that count as recent
    smoothing: float = Field(gt=0)  # exposures' worth of the overall rate added to every rate
    last_items: int = Field(ge=1, le=1000)  # latest positives that make up the short-term profile

    @field_validator("groups")
    @classmethod
    def _are_distinct(cls, groups: list[str]) -> list[str]:
        if not groups or len(set(groups)) < len(groups):
            raise ValueError("must name at least one family, and each once")
        return groups


@dataclass(frozen=True)
class Rows:
    """A block of whole candidate lists. user, item int32 (n_rows,): those of the history; starts
    int64 (n_lists,): where each list begins; rank, score: source -> (n_rows,), as in
    candidate_lists.Candidates."""

    user: np.ndarray
    item: np.ndarray
    starts: np.ndarray
    rank: dict[str, np.ndarray]
    score: dict[str, np.ndarray]


def rows_of(lists: Candidates, history: History) -> Rows:
    """The same lists with the history's own users and items."""
    return Rows(
        history.user_of(lists.user),
        history.item_of(lists.item),
        lists.starts,
        lists.rank,
        lists.score,
    )


@dataclass(frozen=True)
class Context:
    """What the families may read of a fold: its history, and metadata of the history's users and
    items in their order.

    users, items  one column per feature, float32 or category; tags CSR float32 (n_items, n_tags);
    embeddings float32 (n_items, d)
    """

    history: History
    factors: Factors
    users: pd.DataFrame
    items: pd.DataFrame
    tags: sparse.csr_array
    embeddings: np.ndarray
    settings: Settings
    knn: ItemKnn
    n_threads: int

    @cached_property
    def rate(self) -> float:
        return float(self.history.is_positive.mean())

    def smoothed(
        self, positives: np.ndarray, exposures: np.ndarray, prior: np.ndarray | float | None = None
    ) -> np.ndarray:
        """(positives + s prior) / (exposures + s), float32; the prior is r unless given."""
        s = self.settings.smoothing
        return ((positives + s * (self.rate if prior is None else prior)) / (exposures + s)).astype(
            np.float32
        )

    def counts(self, of: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        """int64 (n, n_windows) twice: rows, and positive rows, of each of 0..n-1 in each window;
        `of` int32 (n_rows,) belongs to the rows of the history.
        """
        n_windows = self.history.n_windows
        counts = np.zeros(2 * n * n_windows, dtype=np.int64)
        step = max(2_000_000, len(counts))
        for start in range(0, len(of), step):  # in parts that stay in the cache
            rows = slice(start, start + step)
            cell = of[rows] * np.int64(2 * n_windows)
            cell += 2 * self.history.window[rows] + self.history.is_positive[rows]
            counts += np.bincount(cell, minlength=len(counts))
        counts = counts.reshape(n, n_windows, 2)
        return counts.sum(axis=2), counts[:, :, 1]

    @cached_property
    def item_counts(self) -> tuple[np.ndarray, np.ndarray]:
        """int64 (n_items, n_windows) twice: exposures, and positives, of each item in each
        window.
        """
        return self.counts(self.history.item, self.history.n_items)

    @cached_property
    def item_columns(self) -> Columns:
        """The family `popularity`, per item."""
        history = self.history
        n_windows = history.n_windows
        recent = min(n_windows, self.settings.recent_windows)
        shown, likes = self.item_counts
        exposures, positives = shown.sum(axis=1), likes.sum(axis=1)
        lately, liked = shown[:, -recent:].sum(axis=1), likes[:, -recent:].sum(axis=1)
        last = likes[:, -1]
        before = likes[:, -2] if n_windows > 1 else np.zeros_like(last)
        age = n_windows - (shown > 0).argmax(axis=1)
        return float32(
            {
                "item_positives": np.log1p(positives),
                "item_exposures": np.log1p(exposures),
                "item_rate": self.smoothed(positives, exposures),
                "item_recent_positives": np.log1p(liked),
                "item_recent_rate": self.smoothed(liked, lately),
                "item_last_positives": np.log1p(last),
                "item_trend": np.log((liked + 1) / recent)
                - np.log((positives + 1) / np.maximum(age, recent)),
                "item_last_trend": np.log((last + 1) / (before + 1)),
                "item_age_windows": age,
            }
        )

    @cached_property
    def user_columns(self) -> Columns:
        """The family `activity`, per user."""
        history = self.history
        recent = min(history.n_windows, self.settings.recent_windows)
        shown, likes = self.counts(history.user, history.n_users)
        exposures, positives = shown.sum(axis=1), likes.sum(axis=1)
        lately, liked = shown[:, -recent:].sum(axis=1), likes[:, -recent:].sum(axis=1)
        return float32(
            {
                "user_exposures": np.log1p(exposures),
                "user_positives": np.log1p(positives),
                "user_rate": self.smoothed(positives, exposures),
                "user_recent_exposures": np.log1p(lately),
                "user_recent_rate": self.smoothed(liked, lately),
                "user_idle_windows": (shown[:, ::-1] > 0).argmax(axis=1) + 1,
                "user_active_windows": (shown > 0).sum(axis=1),
            }
        )

    @cached_property
    def numeric_items(self) -> Columns:
        """The columns of `items` that are numbers, NaN where missing."""
        return {
            name: values.to_numpy(dtype=np.float32)
            for name, values in self.items.items()
            if not isinstance(values.dtype, pd.CategoricalDtype)
        }

    @cached_property
    def user_means(self) -> dict[tuple[str, str], np.ndarray]:
        """(n_users,) for each number of the items and each of all, last: its mean over the user's
        positives, over the last ones; NaN where none has it.
        """
        means = {}
        for name, values in self.numeric_items.items():
            known = np.nan_to_num(values)
            for kind, profile in (("all", self.history.positives), ("last", self.last_positives)):
                weight = profile @ (~np.isnan(values)).astype(np.float32)
                with np.errstate(invalid="ignore", divide="ignore"):
                    means[name, kind] = np.where(weight > 0, (profile @ known) / weight, np.nan)
        return means

    @cached_property
    def tag_totals(self) -> tuple[np.ndarray, np.ndarray]:
        """(n_tags,): positives and exposures of each tag, each weighted by the tag's share."""
        shown, likes = self.item_counts
        return likes.sum(axis=1) @ self.tags, shown.sum(axis=1) @ self.tags

    @cached_property
    def lifts(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """For each column of `users`: the level of each user, (n_users,), and the family
        `demographics` per level and item, (n_levels, n_items).
        """
        positives, s = self.history.positives, self.settings.smoothing
        total = self.item_counts[1].sum(axis=1)
        lifts = {}
        for name, values in self.users.items():
            is_category = isinstance(values.dtype, pd.CategoricalDtype)
            level, n_levels = levels(codes(values), is_category)
            one = np.ones(len(level), dtype=np.float32)
            of_level = sparse.csr_array(
                (one, (level, np.arange(len(level)))), shape=(n_levels, len(level))
            )
            counts = (of_level @ positives).toarray().astype(np.float64)  # of whole numbers: exact
            share = counts.sum(axis=1, keepdims=True) / max(counts.sum(), 1)
            smoothed = (counts + s * share) / (total + s)
            lifts[name] = level, np.log(np.maximum(smoothed, 1e-9) / np.maximum(share, 1e-9))
        return lifts

    @cached_property
    def similarity(self) -> sparse.csr_matrix:
        return item_knn(self.history.positives, self.knn, self.n_threads)

    @cached_property
    def item_vectors(self) -> np.ndarray:
        return normalised(self.embeddings)

    @cached_property
    def transitions(self) -> sparse.csr_matrix:
        return transitions(self.history)

    @cached_property
    def last_positives(self) -> sparse.csr_array:
        """CSR float32 (n_users, n_items): 1 / (1 + age) for each user's last positives, age 0 for
        the latest one.
        """
        last = latest(self.history.positives, self.settings.last_items)
        age = np.repeat(last.indptr[1:], np.diff(last.indptr)) - 1 - np.arange(last.nnz)
        last.data = (1 / (1 + age)).astype(np.float32)
        return last


def float32(columns: Columns) -> Columns:
    return {name: np.asarray(values, dtype=np.float32) for name, values in columns.items()}


def canonical(matrix: sparse.csr_array) -> sparse.csr_matrix:
    """CSR with sorted indices, so that lookup() can search them."""
    matrix = sparse.csr_matrix(matrix)
    matrix.sum_duplicates()
    return matrix


def lookup(matrix: sparse.csr_matrix, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """float32 (n,): matrix[row, column], elementwise."""
    if not len(row):  # scipy would return a sparse matrix
        return np.zeros(0, dtype=np.float32)
    return np.asarray(matrix[row, column], dtype=np.float32).ravel()


def als(context: Context, rows: Rows) -> Columns:
    """Dot product p_u q_i, its rank among ALS candidates, its z-score within the list, cosine, and
    both norms.
    """
    users, items = context.factors.user_factors, context.factors.item_factors
    score = np.einsum("ij,ij->i", users[rows.user], items[rows.item])
    user_norm, item_norm = (
        np.linalg.norm(users, axis=1)[rows.user],
        np.linalg.norm(items, axis=1)[rows.item],
    )
    rank = rows.rank["als"].astype(np.float32)
    return float32(
        {
            "als_score": score,
            "als_rank": np.where(rank > 0, rank, np.nan),
            "als_score_z": within_list(score, rows.starts),
            "als_cosine": score / np.maximum(user_norm * item_norm, 1e-12),
            "als_user_norm": user_norm,
            "als_item_norm": item_norm,
        }
    )


def within_list(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """z-score within each list, since the scale of a score differs from fit to fit; 0 where all
    are equal.
    """
    size = np.diff(np.append(starts, len(values)))
    mean = np.repeat(np.add.reduceat(values, starts) / size, size)
    variance = np.repeat(np.add.reduceat((values - mean) ** 2, starts) / size, size)
    return (values - mean) / np.sqrt(variance + 1e-12)


def user(context: Context, rows: Rows) -> Columns:
    """The columns of users.parquet."""
    return {f"user_{name}": codes(values)[rows.user] for name, values in context.users.items()}


def item(context: Context, rows: Rows) -> Columns:
    """The columns of items.parquet."""
    return {f"item_{name}": codes(values)[rows.item] for name, values in context.items.items()}


def codes(values: pd.Series) -> np.ndarray:
    """float32: numbers as they are, categories as their codes, NaN where missing."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        numbers = values.cat.codes.to_numpy().astype(np.float32)
        return np.where(numbers < 0, np.nan, numbers)
    return values.to_numpy(dtype=np.float32)


def embedding(context: Context, rows: Rows) -> Columns:
    """The raw columns of the item's embedding."""
    return {
        f"embedding_{d:02d}": context.embeddings[rows.item, d]
        for d in range(context.embeddings.shape[1])
    }


def popularity(context: Context, rows: Rows) -> Columns:
    """Of the item: log(1 + P), log(1 + E), smoothed rate, overall and recent; trend = log of
    recent positives per window over positives per window of its life; the same for the last window
    over the one before; age in windows since its first exposure."""
    return {name: values[rows.item] for name, values in context.item_columns.items()}


def activity(context: Context, rows: Rows) -> Columns:
    """Of the user: log(1 + E), log(1 + P), smoothed rate, overall and recent; windows since the
    last exposure; active windows.
    """
    return {name: values[rows.user] for name, values in context.user_columns.items()}


def affinity(context: Context, rows: Rows) -> Columns:
    """Of the user and the item's tags (author, genres), each tag weighted by its share t in the
    item (summing to 1): sum t P(u, tag); the same as a share of P(u), over the tag's share of all
    positives; smoothed rate of (u, tag) with the user's rate as prior; and of the tags alone:
    log(1 + P), smoothed rate. Of each number of the item: its difference from the mean over the
    user's positives, and over the last ones.
    """
    tags = context.tags[rows.item]
    n_tags = np.diff(tags.indptr)
    row = np.repeat(np.arange(len(rows.item)), n_tags)
    has_tags = np.where(n_tags > 0, 1.0, np.nan)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(row, tags.data * values, minlength=len(rows.item)) * has_tags

    user = rows.user[row]
    users, at = np.unique(user, return_inverse=True)
    positives, exposures = (
        lookup(canonical(matrix[users] @ context.tags), at, tags.indices)
        for matrix in (context.history.positives, context.history.exposures)
    )
    all_positives, all_exposures = context.tag_totals
    share = positives / np.maximum(context.history.n_positives[user], 1)
    overall = all_positives / max(all_positives.sum(), 1)
    rate = context.user_columns["user_rate"][user]
    distances = {
        f"{name}_from_{kind}": context.numeric_items[name][rows.item] - mean[rows.user]
        for (name, kind), mean in context.user_means.items()
    }
    return float32(
        {
            **distances,
            "tag_positives": np.log1p(mean(positives)),
            "tag_exposures": np.log1p(mean(exposures)),
            "tag_lift": mean((share + 0.01) / (overall[tags.indices] + 0.01)),
            "tag_rate": mean(context.smoothed(positives, exposures, rate)),
            "tag_all_positives": np.log1p(mean(all_positives[tags.indices])),
            "tag_all_rate": mean(context.smoothed(all_positives, all_exposures)[tags.indices]),
        }
    )


def similarity(context: Context, rows: Rows) -> Columns:
    """To what the user liked. S = item-item similarity by co-occurrence, T = by order of watching,
    c = cosine of embeddings, q = ALS factors; "last" = the last positives, weighted 1, 1/2, 1/3, …

    knn_all, knn_last, knn_disliked: sum of S over all positives, the last ones, and the exposures
    that were not liked; next_last: sum of T over the last ones; content_all, content_last: c with
    the mean of all and of the last positives; als_last: q_i times the normalised sum of q over the
    last ones; NAME_z: z-score within the list.
    """
    users, at = np.unique(rows.user, return_inverse=True)
    columns = {}
    for name, profile, matrix in (
        ("knn_all", context.history.positives, context.similarity),
        ("knn_last", context.last_positives, context.similarity),
        ("knn_disliked", context.history.negatives, context.similarity),
        ("next_last", context.last_positives, context.transitions),
    ):
        columns[name] = lookup(canonical(profile[users] @ matrix), at, rows.item)
    for name, profile in (
        ("content_all", context.history.positives),
        ("content_last", context.last_positives),
    ):
        means = normalised(profile[users] @ context.item_vectors)
        columns[name] = np.einsum("ij,ij->i", means[at], context.item_vectors[rows.item])
    als_last = normalised(context.last_positives[users] @ context.factors.item_factors)
    columns["als_last"] = np.einsum(
        "ij,ij->i", als_last[at], context.factors.item_factors[rows.item]
    )
    for name in ("knn_all", "knn_last", "next_last", "content_all", "als_last"):
        columns[f"{name}_z"] = within_list(columns[name], rows.starts)
    return float32(columns)


def demographics(context: Context, rows: Rows) -> Columns:
    """For each column of users.parquet, with g = the user's level of it: log of the item's
    smoothed share of positives from g over the share of all positives from g. Numbers with many
    levels are cut into 8 quantiles; a missing level is a level."""
    return float32(
        {
            f"{name}_lift": lift[level[rows.user], rows.item]
            for name, (level, lift) in context.lifts.items()
        }
    )


def levels(values: np.ndarray, is_category: bool, most: int = 32) -> tuple[np.ndarray, int]:
    """int (n,), the level of each value, and the number of levels; NaN is the last level.

    Numbers with more than `most` distinct values are cut into 8 quantiles.
    """
    is_known = ~np.isnan(values)
    distinct = np.unique(values[is_known])
    if len(distinct) > most and not is_category:
        distinct = np.unique(np.quantile(values[is_known], np.linspace(0, 1, 9)[:-1]))
    level = np.searchsorted(distinct, values, side="right") - 1
    return np.where(is_known, level, len(distinct)), len(distinct) + 1


def sources(context: Context, rows: Rows) -> Columns:
    """Rank and score of each source, missing where it did not name the item; how many named it;
    the best rank.
    """
    columns = {}
    for name in rows.rank:
        rank = rows.rank[name].astype(np.float32)
        columns[f"{name}_source_rank"] = np.where(rank > 0, rank, np.nan)
        columns[f"{name}_source_score"] = rows.score[name]
    ranks = np.stack(list(rows.rank.values()))
    columns["n_sources"] = (ranks > 0).sum(axis=0)
    columns["best_rank"] = np.where(ranks > 0, ranks, np.iinfo(np.int16).max).min(axis=0)
    return float32(columns)


FAMILIES: dict[str, Callable[[Context, Rows], Columns]] = {
    "als": als,
    "user": user,
    "item": item,
    "embedding": embedding,
    "popularity": popularity,
    "activity": activity,
    "affinity": affinity,
    "similarity": similarity,
    "demographics": demographics,
    "sources": sources,
}


def matrix(context: Context, rows: Rows) -> tuple[np.ndarray, list[str]]:
    """float32 (n_rows, n_features), one column after the other in memory, and the names of the
    columns: the families in the order of `groups`.
    """
    columns = {}
    for group in context.settings.groups:
        columns |= FAMILIES[group](context, rows)
    return np.stack(list(columns.values()), dtype=np.float32).T, list(columns)


def categorical(context: Context) -> list[str]:
    """The names of the features in use that are categories."""
    frames = {"user": context.users, "item": context.items}
    return [
        f"{group}_{name}"
        for group in context.settings.groups
        for name, values in frames.get(group, pd.DataFrame()).items()
        if isinstance(values.dtype, pd.CategoricalDtype)
    ]

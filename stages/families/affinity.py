"""Affinity of a user to the item's author or genres, and to items with similar numbers; recent
affinity, and the time since the last exposure to one of them.
"""

import numpy as np
from scipy import sparse

from families.columns import Columns, elements, float32, is_category
from families.context import Context, FamilyOfFold, Rows

Distances = dict[str, tuple[np.ndarray, np.ndarray]]  # name -> (n_items,) and means (n_users,)


def affinity(context: Context) -> FamilyOfFold:
    """For user u and the tags of the item (author, genres), weighted by their shares t in the item:

    sum of t P(u, tag); the same as a share of P(u), divided by the tag's share of all positives;
    smoothed rate of (u, tag) with the user's rate as prior; for the tags alone, log(1 + P) and
    smoothed rate. For each number of the item: its difference from the mean over the user's
    positives, and over the last ones. Notation: context.py.
    """
    shown, likes = (counts.sum(axis=1) for counts in context.item_counts)
    all_positives, all_exposures = likes @ context.tags, shown @ context.tags
    overall = all_positives / max(all_positives.sum(), 1)
    all_rate = context.smoothed(all_positives, all_exposures)
    user_shown, user_likes = (counts.sum(axis=1) for counts in context.user_counts)
    user_rate = context.smoothed(user_likes, user_shown)
    served = context.served.history
    distances = distances_from_profiles(context)

    def columns(rows: Rows) -> Columns:
        tags = context.tags[rows.item]
        n_tags = np.diff(tags.indptr)
        row = np.repeat(np.arange(len(rows.item)), n_tags)
        has_tags = np.where(n_tags > 0, 1.0, np.nan)

        def mean_over_tags(values: np.ndarray) -> np.ndarray:
            return np.bincount(row, tags.data * values, minlength=len(rows.item)) * has_tags

        user = rows.user[row]
        users, at = np.unique(user, return_inverse=True)
        positives, exposures = (
            elements(matrix[users] @ context.tags, at, tags.indices)
            for matrix in (served.positives, served.exposures)
        )
        share = positives / np.maximum(served.n_positives[user], 1)
        rate = context.smoothed(positives, exposures, user_rate[user])
        return float32(
            {
                **{name: of[rows.item] - mean[rows.user] for name, (of, mean) in distances.items()},
                "tag_positives": np.log1p(mean_over_tags(positives)),
                "tag_exposures": np.log1p(mean_over_tags(exposures)),
                "tag_lift": mean_over_tags((share + 0.01) / (overall[tags.indices] + 0.01)),
                "tag_rate": mean_over_tags(rate),
                "tag_all_positives": np.log1p(mean_over_tags(all_positives[tags.indices])),
                "tag_all_rate": mean_over_tags(all_rate[tags.indices]),
            }
        )

    return columns


def distances_from_profiles(context: Context) -> Distances:
    """Return values of the items and means over the users' positives, for each number of the items.

    One entry uses all positives of a user, the other the last ones. NaN means unknown.
    """
    distances = {}
    for name, column in context.items.items():
        if is_category(column):
            continue
        values = column.to_numpy(dtype=np.float32)
        known = np.nan_to_num(values)
        for kind, profile in (
            ("all", context.served.history.positives),
            ("last", context.last_positives),
        ):
            weight = profile @ (~np.isnan(values)).astype(np.float32)
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = np.where(weight > 0, (profile @ known) / weight, np.nan)
            distances[f"{name}_from_{kind}"] = values, mean
    return distances


def recent_affinity(context: Context) -> FamilyOfFold:
    """recent_NAME are the columns of `affinity`, computed from the recent windows only, without the
    differences from the last positives. tag_idle_windows is the number of windows since the user's
    last exposure to one of the item's tags, 1 for the latest window.
    """
    first_recent = context.history.n_windows - context.n_recent
    history = context.served.history
    affinity_of = affinity(context.since(first_recent))
    windows = sparse.csr_array(
        (history.window + 1, history.exposures.indices, history.exposures.indptr),
        shape=history.exposures.shape,
    )

    def columns(rows: Rows) -> dict[str, np.ndarray]:
        of_recent = {
            f"recent_{name}": values
            for name, values in affinity_of(rows).items()
            if not name.endswith("_from_last")
        }
        last = last_windows(windows, context.tags, rows)
        idle = np.where(last > 0, history.n_windows + 1 - last, np.nan)
        return of_recent | float32({"tag_idle_windows": idle})

    return columns


def last_windows(windows: sparse.csr_array, tags: sparse.csr_array, rows: Rows) -> np.ndarray:
    """Return 1 + the window of the user's last exposure to a tag of the item, int64 (n_rows,).

    It is 0 if there was none.

    windows  CSR (n_users, n_items): 1 + the window of each exposure, in time order for each user
    """
    users, at = np.unique(rows.user, return_inverse=True)
    seen = windows[users]
    tags_seen = tags[seen.indices]
    n_tags = np.diff(tags_seen.indptr)
    user = np.repeat(np.repeat(np.arange(len(users)), np.diff(seen.indptr)), n_tags)
    pair = user * tags.shape[1] + tags_seen.indices
    pair, place = np.unique(pair[::-1], return_index=True)  # the first in reverse order is the last
    window = np.repeat(seen.data, n_tags)[::-1][place]
    size = len(users), tags.shape[1]
    latest = sparse.csr_array((window, np.divmod(pair, tags.shape[1])), shape=size)
    wanted = tags[rows.item]
    row = np.repeat(np.arange(len(rows.item)), np.diff(wanted.indptr))
    last = np.zeros(len(rows.item), dtype=np.int64)
    np.maximum.at(last, row, elements(latest, at[row], wanted.indices).astype(np.int64))
    return last

"""Affinity of a user to the item's author or genres, and to items with similar numbers."""

import numpy as np

from families.columns import Columns, canonical, elements, float32, is_category
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
            elements(canonical(matrix[users] @ context.tags), at, tags.indices)
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

"""Recent affinity of a user to the item's author or genres, and the time since the last of them."""

import numpy as np
from scipy import sparse

from families.affinity import affinity
from families.columns import elements, float32
from families.context import Context, FamilyOfFold, Rows


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
    latest = sparse.csr_matrix(
        (window, np.divmod(pair, tags.shape[1])), shape=(len(users), tags.shape[1])
    )
    wanted = tags[rows.item]
    row = np.repeat(np.arange(len(rows.item)), np.diff(wanted.indptr))
    last = np.zeros(len(rows.item), dtype=np.int64)
    np.maximum.at(last, row, elements(latest, at[row], wanted.indices).astype(np.int64))
    return last

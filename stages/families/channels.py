"""Rates of feedback (like, share, …), watched time, and the place, platform and agent of users."""

from collections.abc import Callable

from core.tables import FEEDBACK, SETTINGS, TIMESPENT, UNKNOWN

import numpy as np
import pandas as pd

from families.columns import Columns, float32
from families.context import Context, FamilyOfFold, Rows, Users

ROWS_AT_ONCE = 2_000_000
USERS_AT_ONCE = 1_000

Totals = dict[str, np.ndarray]  # item, tag, user -> float64 (2, n): all windows, recent windows
Amount = Callable[[Users], np.ndarray]  # numbers or bools for the rows of the history, (n_rows,)


def channels(context: Context) -> FamilyOfFold:
    """For the item, its tags (author) and the user, each overall and recent:

    NAME_rate = (C + s c) / (E + s), where C is the number of exposures with the feedback and c the
    share of all exposures with it; watched = (T + s t) / (D + s d), where T is the seconds watched,
    D the durations of the shown items, and t and d their means over all exposures, without items of
    unknown duration. Values of tags are means over the tags of the item. For the user: the most
    frequent place, platform and agent.

    Channels that the source lacks have no columns.
    """
    of_items, of_users, served = {}, {}, context.served
    has_tags = np.where(np.diff(context.tags.indptr) > 0, 1.0, np.nan)
    weight = context.params.smoothing / len(context.history.item)
    for name, (above, below) in fractions(context).items():
        above_all, below_all = (weight * of["item"][0].sum() for of in (above, below))
        rates = {of: (above[of] + above_all) / (below[of] + below_all) for of in above}
        for number, span in enumerate(("", "recent_")):
            of_items[f"item_{span}{name}"] = rates["item"][number]
            of_items[f"tag_{span}{name}"] = (context.tags @ rates["tag"][number]) * has_tags
            of_users[f"user_{span}{name}"] = rates["user"][number]
    of_items, of_users = float32(of_items), float32(of_users)
    settings = {
        f"user_{name}": most_frequent(served.channels[name], served.history.indptr)
        for name in SETTINGS
        if name in context.channels
    }

    def columns(rows: Rows) -> Columns:
        return {
            **{name: values[rows.item] for name, values in of_items.items()},
            **{name: values[rows.user] for name, values in of_users.items()},
            **{
                name: pd.Categorical.from_codes(codes[rows.user], categories=range(UNKNOWN))
                for name, codes in settings.items()
            },
        }

    return columns


def fractions(context: Context) -> dict[str, tuple[Totals, Totals]]:
    """Return numerator and denominator of each rate by name."""
    found = {}
    names = [name for name in FEEDBACK if name in context.channels]
    if names:
        exposures = totals(context, lambda users: np.ones(len(users.history.item), dtype=bool))
    for name in names:
        given = totals(context, lambda users, name=name: users.channels[name])
        found[f"{name}_rate"] = given, exposures
    if TIMESPENT in context.channels and "duration" in context.items:
        duration = np.nan_to_num(context.items["duration"].to_numpy())
        is_known = duration > 0
        found["watched"] = (
            totals(context, lambda of: of.channels[TIMESPENT] * is_known[of.history.item]),
            totals(context, lambda of: duration[of.history.item]),
        )
    return found


def totals(context: Context, amount: Amount) -> Totals:
    """Return sums of an amount by item, tag and served user."""
    fold = Users(context.history, context.users, context.channels)
    sums = sums_of(fold, amount(fold), context.n_recent)
    if new := context.new_users:
        sums["user"] = sums_of(new, amount(new), context.n_recent)["user"]
    sums = {of: np.stack([by.sum(axis=1), by[:, 1]]) for of, by in sums.items()}
    return sums | {"tag": sums["item"] @ context.tags}  # distributed over the tags of the item


def sums_of(users: Users, amount: np.ndarray, n_recent: int) -> dict[str, np.ndarray]:
    """Return sums by item and by user, float64 (n, 2): before the recent windows, and in them."""
    history = users.history
    first_recent = history.n_windows - n_recent
    sums = {"item": np.zeros((history.n_items, 2)), "user": np.zeros((history.n_users, 2))}
    for start in range(0, len(history.item), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        values = amount[part]
        rows = np.flatnonzero(values)  # few rows, because most feedback is rare
        is_recent = history.window[part][rows] >= first_recent
        weight = None if values.dtype == bool else values[rows]
        for of, of_row in (("item", history.item), ("user", history.user)):
            cell = 2 * of_row[part][rows].astype(np.int64) + is_recent
            sums[of] += np.bincount(cell, weight, minlength=sums[of].size).reshape(-1, 2)
    return sums


def most_frequent(code: np.ndarray, indptr: np.ndarray) -> np.ndarray:
    """Return the most frequent code of each user, int16 (n_users,), -1 if all are UNKNOWN.

    Of equally frequent codes, the lowest is returned. code  uint8 (n_rows,); indptr  as in History
    """
    n_users = len(indptr) - 1
    result = np.empty(n_users, dtype=np.int16)
    for start in range(0, n_users, USERS_AT_ONCE):
        ends = indptr[start : start + USERS_AT_ONCE + 1]
        user = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
        cell = user * (UNKNOWN + 1) + code[ends[0] : ends[-1]]
        counts = np.bincount(cell, minlength=(len(ends) - 1) * (UNKNOWN + 1))
        counts = counts.reshape(-1, UNKNOWN + 1)[:, :UNKNOWN]
        most = np.where(counts.any(axis=1), counts.argmax(axis=1), -1)
        result[start : start + len(most)] = most
    return result

"""The windows of the interactions of new users."""

from pathlib import Path

from harness.script import InputError

import numpy as np
from pyarrow import csv

from folds.history import WINDOWS, Columns, History


def windows_of(
    path: Path, columns: Columns, known: np.ndarray, history: History, time: str | None
) -> np.ndarray:
    """int16 (n_rows,): the history's own window of a pair that it has; of any other, the one that
    its time falls into, and without a time the last one. None is later than the history.

    columns, known  of serving.given.Given; path  of the file, for messages; time  the column of it
    that tells the time, if it has one
    """
    last = history.n_windows - 1
    window = np.full(len(columns["user"]), last, dtype=np.int16)
    if time:
        check_order(path, columns["user"], columns["time"], time)
        starts = csv.read_csv(WINDOWS)["start"].to_numpy()
        found = np.searchsorted(starts, columns["time"], side="right") - 1
        window = np.clip(found, 0, last).astype(np.int16)
    user = np.where(known < 0, -1, history.user_of(np.maximum(known, 0)))[columns["user"]]
    is_known, own = known_windows(history, user, history.item_of(columns["item"]))
    window[is_known] = own
    return window


def check_order(path: Path, user: np.ndarray, time: np.ndarray, name: str) -> None:
    """InputError where a row of a user is earlier than the one before; rows by user."""
    is_earlier = (np.diff(user) == 0) & (np.diff(time) < 0)
    if n_earlier := np.count_nonzero(is_earlier):
        raise InputError(
            f"{path}: {name} is less than in the row of the same user before in {n_earlier:,} rows;"
            " rows must be in time order"
        )


def known_windows(
    history: History, user: np.ndarray, item: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which pairs the history has, bool (n_rows,), and the windows of these, int16 (n_known,).

    user, item  of the history, the user -1 where it has not the one meant
    """
    is_asked = np.zeros(history.n_users + 1, dtype=bool)
    is_asked[user] = True  # -1 is the last one, which is nobody
    rows = np.flatnonzero(is_asked[history.user])
    pair = history.user[rows].astype(np.int64) * history.n_items + history.item[rows]
    rows, pair = rows[np.argsort(pair)], np.sort(pair)
    asked = user.astype(np.int64) * history.n_items + item
    place = np.searchsorted(pair, asked)
    is_known = place < len(pair)
    is_known[is_known] = pair[place[is_known]] == asked[is_known]
    return is_known, history.window[rows[place[is_known]]]

"""Rows that belong together in lists, one list a user, the rows of a list contiguous."""

import numpy as np


def starts_of(user: np.ndarray) -> np.ndarray:
    """The first row of every list: int64 (n_lists,), from the user of each row."""
    return np.flatnonzero(np.diff(user, prepend=-1))


def group_of(user: np.ndarray) -> np.ndarray:
    """The length of every list: int64 (n_lists,), from the user of each row."""
    return np.diff(np.append(starts_of(user), len(user)))


def list_of_row(group: np.ndarray) -> np.ndarray:
    """The list of each row, 0 for the first one: int64 (n_rows,), from the lengths of the lists."""
    return np.repeat(np.arange(len(group)), group)


class Lists:
    """What candidate lists and training examples share: `user`, int32 (n_rows,), one user's rows
    after the other's.
    """

    user: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        """The first row of every list: int64 (n_lists,)."""
        return starts_of(self.user)

    @property
    def group(self) -> np.ndarray:
        """The length of every list: int64 (n_lists,)."""
        return group_of(self.user)

    @property
    def list_of_row(self) -> np.ndarray:
        """The list of each row, 0 for the first one: int64 (n_rows,)."""
        return list_of_row(self.group)

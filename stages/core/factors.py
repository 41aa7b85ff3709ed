"""The factors of ALS, and their file."""

from dataclasses import asdict, dataclass
from pathlib import Path

from core.tables import write_npz

import numpy as np

FOLDER = Path("data/als")


@dataclass(frozen=True)
class Factors:
    """user_factors float32 (n_users, factors), item_factors float32 (n_items, factors); users,
    items int32: their rows in users.parquet and items.parquet.
    """

    user_factors: np.ndarray
    item_factors: np.ndarray
    users: np.ndarray
    items: np.ndarray


def save(path: Path, factors: Factors) -> None:
    """Write an npz file without pickle, whole or not at all."""
    write_npz(path, asdict(factors))


def load(fold: str) -> Factors:
    """Read the factors of a fold."""
    with np.load(FOLDER / f"{fold}.npz", allow_pickle=False) as arrays:
        return Factors(**arrays)

"""The factors of ALS as a file, npz without pickle."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from folds.tables import write_npz

FACTORS = "data/als/{fold}.npz"


@dataclass(frozen=True)
class Factors:
    """user_factors float32 (n_users, factors), item_factors float32 (n_items, factors); users,
    items int32: their rows in users.parquet and items.parquet."""

    user_factors: np.ndarray
    item_factors: np.ndarray
    users: np.ndarray
    items: np.ndarray


def save(path: str, factors: Factors) -> None:
    """Writes the file whole or not at all; the same bytes for the same factors."""
    write_npz(Path(path), asdict(factors))


def load(path: str) -> Factors:
    """Reads what save() wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return Factors(**arrays)

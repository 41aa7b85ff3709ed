"""The factors of ALS, and their file."""

from dataclasses import asdict, dataclass
from pathlib import Path

from core.tables import write_npz

import numpy as np

FOLDER = Path("data/als")
COLLAPSED = 0.99  # share of the energy in one direction above which factors have collapsed
TUNE = (
    "python stages/search.py als.alpha=0.1..100:log als.regularization=0.1..100:log "
    "als.factors=16..256:log --draws 20"
)


@dataclass(frozen=True)
class Factors:
    """The factors of all users and items of a history."""

    user_factors: np.ndarray  # float32 (n_users, factors)
    item_factors: np.ndarray  # float32 (n_items, factors)
    users: np.ndarray  # int32 (n_users,): rows in users.parquet
    items: np.ndarray  # int32 (n_items,): rows in items.parquet


def energy_share(factors: np.ndarray) -> float:
    """Return the share of the largest squared singular value of float32 (n, width) in their sum.

    Near 1, all vectors point in one direction. 0 if there is only one dimension.
    """
    squares = np.linalg.eigvalsh(np.float64(factors).T @ factors)
    return float(squares[-1] / squares.sum()) if len(squares) > 1 and squares.any() else 0.0


def save(path: Path, factors: Factors) -> None:
    """Write an npz file without pickle, completely or not at all."""
    write_npz(path, asdict(factors))


def load(path: Path) -> Factors:
    """Read a file written by `save`."""
    with np.load(path, allow_pickle=False) as arrays:
        return Factors(**arrays)

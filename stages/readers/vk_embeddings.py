"""What both layouts of VK-LSVD do with embeddings of items: their width, and which are usable."""

from pathlib import Path

from harness.script import InputError, report

import numpy as np


def chosen_width(wanted: int, there: int, path: Path) -> int:
    """How many columns of embeddings `there` wide to use; `wanted` is data.embedding_width."""
    if wanted > there:
        raise InputError(f"data.embedding_width is {wanted}: {path} has {there}; 0 takes all")
    return wanted or there


def usable_embeddings(embeddings: np.ndarray, path: Path) -> np.ndarray:
    """The same float32 (n_items, width), changed in place: a row that is not finite is all NaN.

    Reports how many rows are.
    """
    is_unusable = ~np.isfinite(embeddings).all(axis=1)
    embeddings[is_unusable] = np.nan
    if is_unusable.any():
        n = np.count_nonzero(is_unusable)
        report(f"{path}: no usable embedding of {n:,} of {len(embeddings):,} items")
    return embeddings

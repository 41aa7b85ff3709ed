"""Where the labels of a picture stand."""

import numpy as np


def spread(values: np.ndarray, distance: float) -> np.ndarray:
    """Positions at least `distance` apart, in order of the values and near them: float64 (n,)."""
    order = np.argsort(values, kind="stable")
    rank = np.arange(len(values))
    # with rank x distance taken off, the positions only have to ascend: isotonic regression
    blocks: list[list[float]] = []  # sum, number
    for value in values[order] - rank * distance:
        blocks.append([value, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, n = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += n
    level = np.concatenate([np.full(int(n), total / n) for total, n in blocks])
    positions = np.empty(len(values))
    positions[order] = level + rank * distance
    return positions

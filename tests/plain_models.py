"""Scores of every model by plain code, independent of stages/models."""

from collections.abc import Callable

from core.factors import Factors
from core.history import History
from core.params import Strict

import numpy as np
from scipy import sparse

from histories import LIKED, history_of
from models.author_top import AuthorTopParams
from models.ease import EaseParams
from models.item_knn import ItemKnnParams
from models.model import Inputs, NoParams
from models.next_item import NextItemParams
from models.popular import RecentPopularParams

KNN = {"neighbours": 100, "weighting": "cosine", "last_items": 4}
EASE = {"l2": 2.0, "max_items": 10}
SETTINGS: list[tuple[str, Strict]] = [  # every model with every option of its matrices
    ("als", NoParams()),
    ("popular", NoParams()),
    ("recent_popular", RecentPopularParams(windows=1)),
    ("content", NoParams()),
    ("next_item", NextItemParams(last_items=3, reach=2)),
    ("author_top", AuthorTopParams(favourites=2, windows=1)),
    ("item_knn", ItemKnnParams(of="positives", half_life=0, **KNN)),
    ("item_knn", ItemKnnParams(of="exposures", half_life=1.5, **KNN)),
    ("ease", EaseParams(of="positives", half_life=0, **EASE)),
    ("ease", EaseParams(of="exposures", half_life=1.5, **EASE)),
]


def random_history(seed: int, n_users: int = 12, n_items: int = 15) -> History:
    """Return three windows, with the users 1, 3, … and the items 0, 3, … of the tables. User 0 was
    exposed to every item, and the last user liked nothing.
    """
    rng = np.random.default_rng(seed)
    pairs = {(0, item) for item in range(n_items)}
    pairs |= {(user, int(rng.integers(n_items))) for user in range(n_users) for _ in range(6)}
    rows = [(*pair, int(rng.integers(3)), int(rng.integers(2))) for pair in sorted(pairs)]
    rows += [(user, n_items, 0, LIKED) for user in range(n_users - 1)]
    rows = [(2 * u + 1, 3 * i, w, s if u < n_users - 1 else 0) for u, i, w, s in rows]
    return history_of(sorted(rows, key=lambda row: row[2]), 3)


def inputs_of(history: History, n_threads: int = 1) -> Inputs:
    """Return inputs with random vectors; item 1 has no embedding, item 2 no tag."""
    rng = np.random.default_rng(7)
    embeddings = rng.normal(size=(history.n_items, 3)).astype(np.float32)
    embeddings[1] = np.nan
    users = rng.normal(size=(history.n_users, 4)).astype(np.float32)
    items = rng.normal(size=(history.n_items, 4)).astype(np.float32)
    factors = Factors(users, items, history.users, history.items)
    shares = rng.integers(0, 3, size=(history.n_items, 4)).astype(np.float32)
    shares[2] = 0
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1)
    return Inputs(history, embeddings, n_threads, factors, sparse.csr_array(shares))


def log_of(history: History, of: str, half_life: float) -> list[list[tuple[int, float]]]:
    """Return (item, weight) of every user's positives or exposures, in time order."""
    found = [[] for _ in range(history.n_users)]
    rows = zip(history.user, history.item, history.window, history.is_positive, strict=True)
    for user, item, window, is_positive in rows:
        age = history.n_windows - 1 - window
        weight = round(1024 * 2 ** (-age / half_life)) / 1024 if half_life else 1.0
        if is_positive or of == "exposures":
            found[user].append((int(item), weight))
    return found


def dense(history: History, log: list[list[tuple[int, float]]]) -> np.ndarray:
    """Return the log as a matrix, float64 (n_users, n_items)."""
    matrix = np.zeros((history.n_users, history.n_items))
    for user, pairs in enumerate(log):
        for item, weight in pairs:
            matrix[user, item] = weight
    return matrix


def als(inputs: Inputs, params: NoParams) -> np.ndarray:
    users, items = inputs.factors.user_factors, inputs.factors.item_factors
    return users.astype(float) @ items.T.astype(float)


def recent_counts(history: History, windows: int) -> np.ndarray:
    """Positives of the last windows; ties by all positives."""
    counts = np.zeros((2, history.n_items))
    for item, window, is_positive in zip(
        history.item, history.window, history.is_positive, strict=True
    ):
        counts[0, item] += is_positive
        counts[1, item] += is_positive and window >= history.n_windows - windows
    return counts[1] + counts[0] / (counts[0].max() + 1)


def for_all(inputs: Inputs, scores: np.ndarray) -> np.ndarray:
    return np.tile(scores, (inputs.history.n_users, 1))


def popular(inputs: Inputs, params: NoParams) -> np.ndarray:
    return for_all(inputs, dense(inputs.history, log_of(inputs.history, "positives", 0)).sum(0))


def recent_popular(inputs: Inputs, params: RecentPopularParams) -> np.ndarray:
    return for_all(inputs, recent_counts(inputs.history, params.windows))


def content(inputs: Inputs, params: NoParams) -> np.ndarray:
    vectors = np.nan_to_num(inputs.embeddings.astype(float))
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-300)
    means = dense(inputs.history, log_of(inputs.history, "positives", 0)) @ vectors
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-300)
    return means @ vectors.T


def next_item(inputs: Inputs, params: NextItemParams) -> np.ndarray:
    history = inputs.history
    orders = [[item for item, _ in pairs] for pairs in log_of(history, "positives", 0)]
    counts, n = np.zeros((history.n_items, history.n_items)), np.zeros(history.n_items)
    for order in orders:
        for place, item in enumerate(order):
            n[item] += 1
            for lag, other in enumerate(order[place + 1 : place + 1 + params.reach], start=1):
                counts[item, other] += 1 / lag
    scores = np.zeros((history.n_users, history.n_items))
    for user, order in enumerate(orders):
        for age, item in enumerate(reversed(order[-params.last_items :])):
            scores[user] += counts[item] / np.sqrt(n[item] * np.maximum(n, 1)) / (1 + age)
    return scores


def author_top(inputs: Inputs, params: AuthorTopParams) -> np.ndarray:
    history, tags = inputs.history, inputs.tags.toarray()
    popularity = recent_counts(history, params.windows)
    scores = np.zeros((history.n_users, history.n_items))
    for user, row in enumerate(dense(history, log_of(history, "positives", 0))):
        taken = row @ tags
        favourites = sorted(np.flatnonzero(taken), key=lambda tag, taken=taken: (-taken[tag], tag))
        has_one = tags[:, favourites[: params.favourites]].any(axis=1)
        scores[user] = np.where(has_one, popularity, 0)
    return scores


def item_knn(inputs: Inputs, params: ItemKnnParams) -> np.ndarray:
    """With more neighbours than items."""
    history = inputs.history
    log = log_of(history, params.of, params.half_life)
    last = dense(history, [pairs[-params.last_items :] for pairs in log])
    length = np.maximum(np.sqrt((last**2).sum(axis=0)), 1e-9)
    similarity = last.T @ last / np.outer(length, length)
    np.fill_diagonal(similarity, 0)
    return dense(history, log) @ similarity


def ease(inputs: Inputs, params: EaseParams) -> np.ndarray:
    history = inputs.history
    matrix = dense(history, log_of(history, params.of, params.half_life))
    counts = (matrix > 0).sum(axis=0)
    known = np.sort(np.argsort(-counts, kind="stable")[: params.max_items])
    inverse = np.linalg.inv(matrix[:, known].T @ matrix[:, known] + params.l2 * np.eye(len(known)))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    scores = np.full((history.n_users, history.n_items), -np.inf)
    scores[:, known] = matrix[:, known] @ weights
    return scores


# name -> inputs, parameters -> the scores of every user of the history for every item: float64
# (n_users, n_items), -inf for an item that the model does not know
PLAIN: dict[str, Callable[[Inputs, Strict], np.ndarray]] = {
    of.__name__: of
    for of in (als, popular, recent_popular, item_knn, ease, content, next_item, author_top)
}


def best_unseen(history: History, user: int, scores: np.ndarray, n: int) -> list[int]:
    """Return a user's (-1: nobody's) n best unseen items, ties by item; -inf is no item."""
    seen = {*history.item[history.user == user].tolist()}
    order = sorted(range(len(scores)), key=lambda item: (-scores[item], item))
    return [item for item in order if item not in seen and scores[item] > -np.inf][:n]

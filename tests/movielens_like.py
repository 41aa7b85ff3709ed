"""Writes a small data set in the layout of MovieLens (RecBole's ml-1m or ml-100k).

It has 200 users, 150 items and 12 000 ratings.

Users like three of the genres, and some join late. Many timestamps are equal, also at the edges of
windows. Ids of items are titles with blanks, quotes and letters beyond ASCII. One rating in 100
repeats a pair with other stars. Rows are by user, not by time. In ml-100k, genres are in the column
`class`, occupations are words, two films have no year, and three films occur twice.
"""

from pathlib import Path

import numpy as np
import pandas as pd

N_USERS, N_ITEMS, N_RATINGS = 200, 150, 12_000
N_REPEATS = 120
MOST_ITEMS = 110  # maximum per user, so that every user has unseen items
SPAN_S, TICK_S, START_S = 100 * 86_400, 1_200, 978_300_000
GENRES = ["Action", "Animation", "Children's", "Comedy", "Drama", "Film-Noir", "Romance", "Sci-Fi"]
WORDS_OF_TITLES = """
    Amélie Anna Baby Blue Boy City Cuckoo's Dark Day Dog Dream Eight Fire Five Girl Gold Good Heart
    House Island King Life Little Man Moon Night North Paris Party Queen Rain Red Rock Sky Star
    Story Street Summer Three Time Town Travel Water "White" Winter Woman World Zoo
"""


def items_table(rng: np.random.Generator) -> pd.DataFrame:
    """Return item_id, movie_title, release_year, genre: distinct titles, one to three genres."""
    words = WORDS_OF_TITLES.split()
    pairs = rng.permutation(len(words) ** 2)[:N_ITEMS]
    titles = [f"{words[pair // len(words)]} {words[pair % len(words)]}" for pair in pairs]
    years = rng.integers(1930, 2001, N_ITEMS)
    n_genres = rng.integers(1, 4, N_ITEMS)
    genres = [" ".join(rng.choice(GENRES, n, replace=False)) for n in n_genres]
    ids = [f"{title} ({year})" for title, year in zip(titles, years, strict=True)]
    return pd.DataFrame(
        {"item_id": ids, "movie_title": titles, "release_year": years, "genre": genres}
    )


def users_table(rng: np.random.Generator) -> pd.DataFrame:
    """Return user_id, age, gender, occupation, zip_code."""
    return pd.DataFrame(
        {
            "user_id": [f"1m_{number}" for number in range(1, N_USERS + 1)],
            "age": rng.choice([1, 18, 25, 35, 45, 50, 56], N_USERS),
            "gender": rng.choice(["F", "M"], N_USERS),
            "occupation": rng.integers(0, 21, N_USERS),
            "zip_code": rng.integers(10_000, 99_999, N_USERS),
        }
    )


def taste(rng: np.random.Generator, items: pd.DataFrame) -> np.ndarray:
    """Return how well genres match, float (N_USERS, N_ITEMS), mean 0, standard deviation 1."""
    has_genre = np.array([[g in genres.split() for g in GENRES] for genres in items["genre"]])
    liked = rng.permuted(np.tile(np.arange(len(GENRES)) < 3, (N_USERS, 1)), axis=1)
    match = (liked @ has_genre.T) / has_genre.sum(axis=1)
    return (match - match.mean()) / match.std()


def n_items_per_user(rng: np.random.Generator) -> np.ndarray:
    """Return int (N_USERS,), at most MOST_ITEMS each, with the sum N_RATINGS - N_REPEATS."""
    counts = np.clip(rng.lognormal(4, 0.4, N_USERS).astype(int), 15, MOST_ITEMS)
    missing = N_RATINGS - N_REPEATS - counts.sum()
    while missing:
        user = rng.integers(N_USERS)
        step = int(np.sign(missing))
        if 15 <= counts[user] + step <= MOST_ITEMS:
            counts[user] += step
            missing -= step
    return counts


def ratings_table(
    rng: np.random.Generator, users: pd.DataFrame, items: pd.DataFrame
) -> pd.DataFrame:
    """Return user_id, item_id, rating, timestamp, by user."""
    match = taste(rng, items)
    popularity = rng.permutation(1 / np.arange(3, N_ITEMS + 3))
    joins = np.where(rng.random(N_USERS) < 0.12, rng.uniform(0.6, 0.99, N_USERS), 0)
    user, item = [], []
    for number, count in enumerate(n_items_per_user(rng)):
        weight = popularity * np.exp(match[number])
        item.append(rng.choice(N_ITEMS, count, replace=False, p=weight / weight.sum()))
        user.append(np.full(count, number))
    user, item = np.concatenate(user), np.concatenate(item)
    again = rng.choice(len(user), N_REPEATS, replace=False)
    user, item = np.append(user, user[again]), np.append(item, item[again])
    stars = np.clip(np.round(3.5 + 0.9 * match[user, item] + rng.normal(0, 0.8, len(user))), 1, 5)
    when = joins[user] + (1 - joins[user]) * rng.random(len(user))
    ratings = pd.DataFrame(
        {
            "user_id": users["user_id"].to_numpy()[user],
            "item_id": items["item_id"].to_numpy()[item],
            "rating": stars.astype(int),
            "timestamp": START_S + (when * SPAN_S / TICK_S).astype(int) * TICK_S,
        }
    )
    return ratings.iloc[np.argsort(user, kind="stable")].reset_index(drop=True)


def write_ratings(path: Path, ratings: pd.DataFrame) -> None:
    """Write ml-1m.inter with RecBole's types in the header."""
    _write(path, ratings, ["token", "token", "float", "float"])


def read_ratings(path: Path, dtype: type | None = None) -> pd.DataFrame:
    """Read the columns of a file, such as user_id, item_id, rating, timestamp, in file order."""
    frame = pd.read_csv(path, sep="\t", quoting=3, dtype=dtype)
    return frame.rename(columns=lambda name: name.split(":")[0])


def write(folder: Path, stem: str = "ml-1m") -> None:
    """Make the folder and write STEM.inter, STEM.item and STEM.user."""
    rng = np.random.default_rng(0)
    users, items = users_table(rng), items_table(rng)
    folder.mkdir(parents=True, exist_ok=True)
    write_ratings(folder / f"{stem}.inter", ratings_table(rng, users, items))
    item_types = ["token", "token", "float", "token"]
    user_types = ["token", "float", "token", "float", "token"]
    if stem == "ml-100k":
        users, items = as_in_100k(users, items)
        item_types, user_types = ["token", "token", "token", "token_seq"], ["token"] * 5
    _write(folder / f"{stem}.item", items, item_types)
    _write(folder / f"{stem}.user", users, user_types)


def as_in_100k(users: pd.DataFrame, items: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the users and items in the form of ml-100k."""
    years = items["release_year"].astype(object)
    years[[3, 70]] = ["V", "unkonwn"]
    items = items.assign(release_year=years).rename(columns={"genre": "class"})
    again = items.iloc[[5, 40, 70]].assign(release_year=1900, **{"class": "unknown"})
    jobs = "job " + users["occupation"].astype(str)
    return users.assign(occupation=jobs), pd.concat([items, again])


def _write(path: Path, frame: pd.DataFrame, types: list[str]) -> None:
    header = [f"{name}:{kind}" for name, kind in zip(frame.columns, types, strict=True)]
    frame.to_csv(path, sep="\t", index=False, header=header, quoting=3, lineterminator="\n")

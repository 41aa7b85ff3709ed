"""Simulates VK-LSVD in both layouts, at any size, from a seed.

usage: python tests/simulator.py lsvd|notebook FOLDER [--users N] [--items N] [--rows N]
                                                      [--weeks N] [--seed N] [--threads N]
       write_lsvd, write_notebook: the same from Python
out:   lsvd      interactions/{train,validation,test}/week_NN.parquet,
                 metadata/users_metadata.parquet, metadata/items_metadata.parquet,
                 metadata/item_embeddings.npz
       notebook  train.parquet test.parquet user_metadata.parquet item_metadata.parquet
                 item_embeddings.parquet; the test file is the last week

The model. Items are vectors: 64 columns of content, which are published as the embedding, and 8
hidden ones, which only co-watching reveals. An author belongs to a community, and a user to three;
collaborative filtering can find the communities. A user's taste is a vector over the first 32
columns of content and the hidden ones, and drifts from week to week. New items appear all the time,
and most live for days. A platform that knows tastes imperfectly shows each user, each week, some
live items not shown before, most of them from the user's communities, with weights popularity x
exp(estimated taste match + follow). The user's appreciation is taste match + quality + follow + the
user's habit + noise. The watch ratio is computed from its rank, all other feedback from its value.

Fitted to published figures (VK-LSVD's dataset card and totals; reports on its subsample
ur0.01_ir0.01, see tests/benchmarks/published.py, which also lists figures that it only predicts):
  - columns, dtypes, week numbering, ranges of all values; no pair twice; rows in time order
  - 31 % of exposures last at least as long as the video; 40 % last 80 % of it or have a like, a
    share or a bookmark; the latter are 3.4 %; the shares of FEEDBACK
  - at the size of the subsample (90 000 users, 125 000 items, 3.72 million rows, 27 weeks): NDCG@10
    of content, iALS and all-time popularity, and NDCG@20 of popularity
Everything else is invented, without published figures: the tails of popularity and activity, drift,
quality, authors and demographics, the share of late joiners, platforms of users, distributions of
ages and durations, the order of rows within a week (uniform, no sessions) and all correlations
beyond the model above. The gain of a hybrid here is plausible, not known, for VK-LSVD.

The same arguments give the same bytes (on one machine with one version of the libraries), for any
--threads. Exactly `rows` rows are written: a user sees fewer items in a week than are born in it,
so unseen items always remain.
"""

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits
from tqdm import tqdm

SIZE = {"users": 500, "items": 400, "rows": 40_000, "weeks": 6, "seed": 0, "threads": 1}
WATCHED = (  # share of the duration, by the rank of appreciation among all exposures, 0 to 1
    (0, 0.45, 0.512, 0.602, 0.69, 0.9, 1),
    (0, 0.15, 0.5, 0.8, 1, 1.5, 4),
)
DURATION_S, CAP_S = 23, 255  # median of items; most timespent
FEEDBACK = {  # published share of exposures; exponent: strength of the effect of appreciation
    "like": (0.0287, 1.0),
    "dislike": (0.00029, -1.0),
    "share": (0.00644, 1.0),
    "bookmark": (0.00098, 1.0),
    "click_on_author": (0.00208, 0.7),
    "open_comments": (0.0118, 0.7),
}
N_PLACES, N_PLATFORMS, N_AGENTS, N_GEOS = 24, 11, 29, 80

WIDTH, TASTE_WIDTH, HIDDEN = 64, 32, 8  # columns of embedding, of tastes, hidden ones
HIDDEN_SPREAD = 1.2  # spread of all hidden columns, relative to content
TOPIC, STYLE = 0.25, 0.4  # spreads of content by community and by author; that of items is 0.8
N_TOPICS, N_INTERESTS, N_FOLLOWED = 40, 3, 5  # number of topics; communities and authors per user
ITEMS_PER_COMMUNITY, IN_COMMUNITY = 500, 0.8  # share of the draws from the user's communities
ITEMS_PER_AUTHOR = 6
WARM_UP_WEEKS = 6  # weeks with births before week 0
RISE_WEEKS, DECAY_WEEKS, DECAY_SPREAD = 0.7, 1.0, 0.7
LIFE = 3  # an item dies at this multiple of its decay time
POPULARITY_SPREAD, ACTIVITY_SPREAD, WEEK_SPREAD = 1.5, 1.0, 0.5  # sigma of log-normals
ACTIVE_SHARE, LATE_SHARE = 0.8, 0.15  # user-weeks with exposures; users who join after week 0

TASTE_IN_EXPOSURE, PLATFORM_ERROR, FOLLOW_IN_EXPOSURE = 1.1, 0.7, 1.5
TASTE, QUALITY, FOLLOW, HABIT, NOISE = 1.0, 0.6, 0.8, 0.5, 1.3  # in appreciation
DRIFT = 0.15  # weekly step of a taste, as a share of its spread

CANDIDATES = 8  # items sampled by popularity for each exposure of a user in a week, plus as many
DENSE_CELLS = 2_000_000  # users x live items scored at once
SEEN_CELLS = 200_000_000  # users of a block x items


@dataclass(frozen=True)
class Users:
    user_id: np.ndarray  # uint32 (n_users,), in no order
    age: np.ndarray  # uint8, years
    gender: np.ndarray  # uint8, 1 or 2
    geo: np.ndarray  # uint8
    platform: np.ndarray  # uint8, platform of the user
    agent: np.ndarray  # uint8
    taste: np.ndarray  # float32 (n_users, TASTE_WIDTH + HIDDEN), of week 0
    habit: np.ndarray  # float32, leniency
    communities: np.ndarray  # int64 (n_users, N_INTERESTS)


@dataclass(frozen=True)
class Items:
    item_id: np.ndarray  # uint32 (n_items,), in no order; the items are in order of birth
    author: np.ndarray  # int64, 0 to n_authors - 1
    author_id: np.ndarray  # uint32 (n_authors,)
    community: np.ndarray  # int64, of the author
    duration: np.ndarray  # uint8, s
    embedding: np.ndarray  # float32 (n_items, WIDTH), variance decreasing by column
    vector: np.ndarray  # float32 (n_items, TASTE_WIDTH + HIDDEN), compared with tastes
    quality: np.ndarray  # float32
    popularity: np.ndarray  # float32, natural logarithm, at the peak
    birth: np.ndarray  # float64, weeks, ascending
    decay: np.ndarray  # float64, weeks


@dataclass(frozen=True)
class Live:
    """The items that can be shown in one week."""

    item: np.ndarray  # int32 (n_live,)
    log_weight: np.ndarray  # float32 (n_live,)
    table: np.ndarray  # int32 (32 * n_live,), items, repeated in proportion to their weights
    starts: np.ndarray  # int64 (n_communities + 1,), the table is sorted by community
    n_born: int  # live items that were not live in the week before


def write_lsvd(folder: str | Path, **size: int) -> None:
    """Write the public layout (3 weeks or more). The last weeks are validation and test.

    size  values of SIZE that differ
    """
    folder, size = Path(folder), {**SIZE, **size}
    for name in ("interactions", "metadata"):
        (folder / name).mkdir(parents=True)  # FileExistsError protects existing files
    who, what, tables = _simulate(**size)
    for week, table in enumerate(tables):
        part = {size["weeks"] - 1: "test", size["weeks"] - 2: "validation"}.get(week, "train")
        path = folder / "interactions" / part / f"week_{week:02}.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(table, path)
    pq.write_table(_user_table(who), folder / "metadata" / "users_metadata.parquet")
    pq.write_table(_item_table(what), folder / "metadata" / "items_metadata.parquet")
    order = _rng(size["seed"], "npz").permutation(len(what.item_id))  # not that of items_metadata
    np.savez(
        folder / "metadata" / "item_embeddings.npz",
        item_id=what.item_id[order],
        embedding=what.embedding[order].astype(np.float16),
    )


def write_notebook(folder: str | Path, **size: int) -> None:
    """Write the notebook's five files. The last week is test (2 weeks or more).

    size  values of SIZE that differ
    """
    folder, size = Path(folder), {**SIZE, **size}
    folder.mkdir(parents=True)  # FileExistsError protects existing files
    who, what, tables = _simulate(**size)
    *train, test = tables
    pq.write_table(test, folder / "test.parquet")
    pq.write_table(pa.concat_tables(train), folder / "train.parquet")
    pq.write_table(_user_table(who), folder / "user_metadata.parquet")
    pq.write_table(_item_table(what), folder / "item_metadata.parquet")
    embedding = what.embedding[:, :TASTE_WIDTH]
    embedding = pa.FixedSizeListArray.from_arrays(embedding.ravel(), TASTE_WIDTH)
    table = pa.table({"item_id": what.item_id, "embedding": embedding.cast(pa.list_(pa.float32()))})
    pq.write_table(table.sort_by("item_id"), folder / "item_embeddings.parquet")


def _user_table(users: Users) -> pa.Table:
    columns = ("user_id", "age", "gender", "geo")
    return pa.table({column: getattr(users, column) for column in columns})


def _item_table(items: Items) -> pa.Table:
    author_id = items.author_id[items.author]
    columns = {"item_id": items.item_id, "author_id": author_id, "duration": items.duration}
    return pa.table(columns).sort_by("item_id")  # not by birth


def _rng(seed: int, purpose: str, number: int = 0) -> np.random.Generator:
    """Return the random stream for one purpose. Streams are independent."""
    return np.random.default_rng([seed, number, *purpose.encode()])


def _simulate(
    users: int, items: int, rows: int, weeks: int, seed: int, threads: int
) -> tuple[Users, Items, Iterator[pa.Table]]:
    """Return users, items and interactions by week."""
    with threadpool_limits(1):  # BLAS: sums in the same order whatever the number of threads
        topics, what = _items(items, weeks, _rng(seed, "items"))
        who = _users(users, topics, what, _rng(seed, "users"))
    live = [_live(what, week, _rng(seed, "live", week)) for week in range(weeks)]
    quota = _quota(users, [week.n_born for week in live], rows, _rng(seed, "quota"))
    shown = _expose(who, what, live, quota, seed, threads)
    return who, what, _with_feedback(who, what, shown, seed)


def _items(n_items: int, n_weeks: int, rng: np.random.Generator) -> tuple[np.ndarray, Items]:
    """Return topics, float32 (N_TOPICS, TASTE_WIDTH), and items in order of birth.

    Items of an author have similar topics, styles, hidden columns and quality.
    """
    n_authors = -(-n_items // ITEMS_PER_AUTHOR)
    author = _zipf(n_authors, n_items, rng).astype(np.int64)
    n_communities = -(-n_items // ITEMS_PER_COMMUNITY)
    community = rng.integers(n_communities, size=n_authors)  # of each author
    topics, embedding = _content(author, community, rng)
    content = embedding[:, :TASTE_WIDTH]

    def by_author(width: int) -> np.ndarray:
        shared, own = (rng.standard_normal((n, width)) for n in (n_authors, n_items))
        return shared[author] + own

    hidden = by_author(HIDDEN)
    hidden *= HIDDEN_SPREAD * content.std() / hidden.std() * np.sqrt(TASTE_WIDTH / HIDDEN)
    quality = 0.7 * by_author(1)[:, 0]
    position = (np.arange(n_items) + rng.random(n_items)) / n_items  # births at a steady rate
    popularity = POPULARITY_SPREAD * rng.standard_normal(n_items) + 0.4 * quality
    return topics[:, :TASTE_WIDTH], Items(
        item_id=_ids(n_items, rng),
        author=author,
        author_id=_ids(n_authors, rng),
        community=community[author],
        duration=np.clip(rng.lognormal(np.log(DURATION_S), 0.7, n_items), 5, 180).astype(np.uint8),
        embedding=embedding,
        vector=np.hstack([content, hidden]).astype(np.float32),
        quality=quality.astype(np.float32),
        popularity=popularity.astype(np.float32),
        birth=position * (n_weeks + WARM_UP_WEEKS) - WARM_UP_WEEKS,
        decay=rng.lognormal(np.log(DECAY_WEEKS), DECAY_SPREAD, n_items),
    )


def _content(
    author: np.ndarray, community: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return topics, float32 (N_TOPICS, WIDTH), and embeddings, float32 (n_items, WIDTH).

    Columns are the principal axes of the items, with decreasing variance, as after an SVD.
    """

    def directions(n: int) -> np.ndarray:
        return rng.standard_normal((n, WIDTH)) * np.arange(1, WIDTH + 1) ** -0.5

    topics = directions(N_TOPICS)
    centres = TOPIC * topics[community % N_TOPICS] + STYLE * directions(len(community))
    content = centres[author] + 0.8 * directions(len(author))
    axes = np.linalg.eigh(np.cov(content.T))[1][:, ::-1]
    embedding = (content - content.mean(axis=0)) @ axes
    return (topics @ axes).astype(np.float32), embedding.astype(np.float32)


def _users(n_users: int, topics: np.ndarray, items: Items, rng: np.random.Generator) -> Users:
    """Return users with a few topics, own tastes, and a shift by age band, gender and geo."""
    age = (18 + 52 * rng.beta(1.3, 2.2, n_users)).astype(np.uint8)
    gender = rng.integers(1, 3, size=n_users, dtype=np.uint8)
    geo = _zipf(N_GEOS, n_users, rng)
    column_spread = items.vector.std(axis=0)

    def directions(n: int) -> np.ndarray:
        return rng.standard_normal((n, TASTE_WIDTH + HIDDEN), dtype=np.float32) * column_spread

    taste = 0.7 * directions(n_users)
    communities = rng.integers(items.community.max() + 1, size=(n_users, N_INTERESTS))
    for community in communities.T:
        taste[:, :TASTE_WIDTH] += 0.7 * topics[community % N_TOPICS]
    for group in ((age - 18) // 11, gender, geo):  # bands of 11 years
        taste += 0.3 * directions(int(group.max()) + 1)[group]
    sample = rng.integers(n_users, size=10_000), rng.integers(len(items.vector), size=10_000)
    match = np.einsum("nd,nd->n", taste[sample[0]], items.vector[sample[1]])
    return Users(
        user_id=_ids(n_users, rng),
        age=age,
        gender=gender,
        geo=geo,
        platform=_zipf(N_PLATFORMS, n_users, rng),
        agent=_zipf(N_AGENTS, n_users, rng),
        taste=taste / match.std(),  # so a match with a random item has standard deviation 1
        habit=HABIT * rng.standard_normal(n_users, dtype=np.float32),
        communities=communities,
    )


def _zipf(n: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Sample numbers i below n with weights 1 / (i + 3); uint8 if it is wide enough."""
    share = np.cumsum(1 / np.arange(3, n + 3))
    drawn = np.searchsorted(share / share[-1], rng.random(size), side="right")
    return np.minimum(drawn, n - 1).astype(np.uint8 if n <= 256 else np.int64)


def _ids(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n distinct ids below 10 n in random order, uint32."""
    return rng.permutation(10 * n)[:n].astype(np.uint32)


def _live(items: Items, week: int, rng: np.random.Generator) -> Live:
    """Return the items of a week, weighted by popularity and age: quick rise, slow decay."""
    is_live = (items.birth < week + 1) & (week - items.birth < LIFE * items.decay)
    item = np.flatnonzero(is_live).astype(np.int32)
    age = week + 1 - items.birth[item]
    log_weight = items.popularity[item] - age / items.decay[item]
    log_weight += np.log(-np.expm1(-age / RISE_WEEKS))
    share = np.cumsum(np.exp(log_weight))
    n_slots = 32 * len(item)
    slots = (np.arange(n_slots) + rng.random()) / n_slots
    table = item[np.minimum(np.searchsorted(share / share[-1], slots), len(item) - 1)]
    table = table[np.argsort(items.community[table], kind="stable")]
    starts = np.searchsorted(items.community[table], np.arange(items.community.max() + 2))
    n_born = int((items.birth[item] >= week).sum()) if week else len(item)
    return Live(item, log_weight.astype(np.float32), table, starts, n_born)


def _quota(n_users: int, n_born: list[int], n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return exposures of each user in each week, int32 (n_users, n_weeks), with the sum n_rows.

    Numbers are log-normal over users and over weeks of a user, and below the number of items born
    in each week, so that enough unseen items exist.
    """
    n_weeks = len(n_born)
    cap = max(min(n_born) - 1, 0)
    activity = rng.lognormal(0, ACTIVITY_SPREAD, n_users)
    is_late = rng.random(n_users) < LATE_SHARE
    first_week = np.where(is_late, rng.integers(n_weeks, size=n_users), 0)
    level = rng.lognormal(0, WEEK_SPREAD, (n_users, n_weeks)) * activity[:, None]
    level *= rng.random((n_users, n_weeks), dtype=np.float32) < ACTIVE_SHARE
    level *= np.arange(n_weeks) >= first_week[:, None]
    most = int(((level > 0) * cap).sum())
    if n_rows > 0.9 * most:
        raise ValueError(
            f"rows is {n_rows}: at most {int(0.9 * most)} at this size, pairs are unique"
        )
    factor, total = 1.0, 0.0
    while abs(total - n_rows) > 0.5:
        rate = np.minimum(level * factor, cap)
        total = rate.sum()
        factor *= n_rows / total
    running = np.cumsum(rate).reshape(rate.shape)
    running = np.floor(running * (n_rows / running[-1, -1]) + 0.5).astype(np.int32)
    return np.diff(running.ravel(), prepend=0).reshape(running.shape)


def _expose(
    users: Users, items: Items, live: list[Live], quota: np.ndarray, seed: int, threads: int
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield user int32, item int32 and appreciation float32 of the exposures of each week.

    Blocks of users are independent and have separate random streams.
    """
    n_users, n_items = len(quota), len(items.item_id)
    size = int(np.clip(SEEN_CELLS // n_items, 1, -(-n_users // 16)))
    blocks = [(start, min(start + size, n_users)) for start in range(0, n_users, size)]
    weeks: list[list] = [[] for _ in live]
    bar = tqdm(total=int(quota.sum()), desc="exposures", unit="row", unit_scale=True, disable=None)

    def expose(number: int) -> list:
        start, end = blocks[number]
        block = _Block(users, items, start, end, _rng(seed, "exposures", number))
        shown = [block.week(week, quota[start:end, w]) for w, week in enumerate(live)]
        bar.update(int(quota[start:end].sum()))
        return shown

    with bar, threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        for shown in pool.map(expose, range(len(blocks))):
            for week, arrays in zip(weeks, shown, strict=True):
                week.append(arrays)
    return [tuple(np.concatenate(part) for part in zip(*week, strict=True)) for week in weeks]


class _Block:
    """The state of users start..end over the weeks: seen items and tastes."""

    def __init__(
        self, users: Users, items: Items, start: int, end: int, rng: np.random.Generator
    ) -> None:
        self.items, self.rng, self.start = items, rng, start
        self.taste = users.taste[start:end].copy()
        self.habit = users.habit[start:end]
        self.communities = users.communities[start:end]
        self.spread = users.taste.std(axis=0)
        self.error = PLATFORM_ERROR * self.spread * self._normal()  # of the platform's estimate
        self.seen = np.zeros((end - start, len(items.item_id)), bool)
        self.follows = self._follow()

    def week(self, live: Live, quota: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Show every user `quota` live items, then let tastes drift.

        Returns user int32, item int32 and appreciation float32, one row for each exposure.
        """
        shown = [(np.empty(0, np.int64), np.empty(0, np.int32)), *self._pick(live, quota)]
        user, item = (np.concatenate(part) for part in zip(*shown, strict=True))
        self.seen[user, item] = True
        appreciation = self._appreciation(user, item)
        self.taste *= np.float32((1 - DRIFT**2) ** 0.5)
        self.taste += DRIFT * self.spread * self._normal()
        return (user + self.start).astype(np.int32), item, appreciation

    def _pick(self, live: Live, quota: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield users and their items: from a sample by popularity, or from all live items if the
        sample would not be smaller, or is too small."""
        n_candidates = CANDIDATES * (quota + 1)
        is_dense = 4 * n_candidates > len(live.item)
        width = 2 ** np.ceil(np.log2(n_candidates)).astype(int)
        width[is_dense | (quota == 0)] = 0
        for n in np.unique(width[width > 0]):
            user = np.flatnonzero(width == n)
            picked, is_short = self._pick_some(user, live, quota[user], n)
            is_dense[user[is_short]] = True
            yield picked
        dense = np.flatnonzero(is_dense & (quota > 0))
        step = max(DENSE_CELLS // len(live.item), 1)
        for start in range(0, len(dense), step):
            user = dense[start : start + step]
            yield self._pick_any(user, live, quota[user])

    def _normal(self) -> np.ndarray:
        return self.rng.standard_normal(self.taste.shape, dtype=np.float32)

    def _follow(self) -> np.ndarray:
        """Return followed authors, bool (n_users, n_authors): best of 64 random items."""
        n_users = len(self.taste)
        item = self.rng.integers(len(self.items.vector), size=(n_users, 64))
        match = np.einsum("nd,nmd->nm", self.taste, self.items.vector[item])
        match += self.rng.standard_normal(match.shape, dtype=np.float32)
        best = np.argsort(-match, axis=1)[:, :N_FOLLOWED]
        author = self.items.author[np.take_along_axis(item, best, axis=1)]
        follows = np.zeros((n_users, len(self.items.author_id)), bool)
        np.put_along_axis(follows, author, True, axis=1)
        return follows

    def _pick_any(self, user: np.ndarray, live: Live, k: np.ndarray) -> tuple:
        """Return k unseen items for each of `user`, from all live items."""
        estimate = TASTE_IN_EXPOSURE * (self.taste[user] + self.error[user])
        weight = estimate @ self.items.vector[live.item].T
        weight += live.log_weight
        author = self.items.author[live.item]
        weight += np.float32(FOLLOW_IN_EXPOSURE) * self.follows[user[:, None], author]
        n_communities, community = len(live.starts) - 1, self.items.community[live.item]
        is_in = np.zeros((len(user), n_communities), np.float32)
        np.put_along_axis(is_in, self.communities[user], 1, axis=1)
        more = IN_COMMUNITY / (1 - IN_COMMUNITY) * n_communities / N_INTERESTS
        weight += np.float32(np.log1p(more)) * is_in[:, community]
        row, position = self._race(weight, self.seen[user[:, None], live.item], k)
        return user[row], live.item[position]

    def _pick_some(self, user: np.ndarray, live: Live, k: np.ndarray, n: int) -> tuple:
        """Return the same from n items sampled for each of `user` by popularity and communities.

        Returns also the users who got none, because fewer than k items were distinct and unseen.
        """
        interest = self.rng.integers(N_INTERESTS, size=(len(user), n))
        community = np.take_along_axis(self.communities[user], interest, axis=1)
        first, end = live.starts[community], live.starts[community + 1]
        is_any = (self.rng.random(first.shape, np.float32) >= IN_COMMUNITY) | (first == end)
        first[is_any], end[is_any] = 0, len(live.table)
        item = live.table[self.rng.integers(first, end)]
        item.sort(axis=1)
        is_out = self.seen[user[:, None], item]
        is_out[:, 1:] |= item[:, 1:] == item[:, :-1]
        is_short = n - is_out.sum(axis=1) < k
        estimate = TASTE_IN_EXPOSURE * (self.taste[user] + self.error[user])
        weight = np.einsum("nd,nmd->nm", estimate, self.items.vector[item])
        follows = self.follows[user[:, None], self.items.author[item]]
        weight += np.float32(FOLLOW_IN_EXPOSURE) * follows
        row, position = self._race(weight, is_out, np.where(is_short, 0, k))
        return (user[row], item[row, position]), is_short

    def _race(self, weight: np.ndarray, is_out: np.ndarray, k: np.ndarray) -> tuple:
        """Sample k cells of each row without replacement by exp(weight). Returns rows and columns.

        They are the k smallest exponential variates with rate exp(weight). Cells that are out are
        never sampled if k others exist. `weight` is overwritten.
        """
        np.exp(-weight, out=weight)
        weight *= self.rng.standard_exponential(weight.shape, dtype=np.float32)
        weight[is_out] = np.inf
        most = int(k.max())
        best = np.argpartition(weight, most - 1, axis=1)[:, :most]
        order = np.argsort(np.take_along_axis(weight, best, axis=1), axis=1)
        best = np.take_along_axis(best, order, axis=1)
        is_won = np.arange(most) < k[:, None]
        return np.nonzero(is_won)[0], best[is_won]

    def _appreciation(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Return the appreciation of these exposures, float32."""
        match = np.einsum("nd,nd->n", self.taste[user], self.items.vector[item])
        follows = self.follows[user, self.items.author[item]]
        noise = self.rng.standard_normal(len(user), dtype=np.float32)
        known = TASTE * match + QUALITY * self.items.quality[item] + FOLLOW * follows
        return (known + self.habit[user] + NOISE * noise).astype(np.float32)


def _with_feedback(users: Users, items: Items, weeks: list, seed: int) -> Iterator[pa.Table]:
    """Yield the shuffled table of each week. `weeks` is emptied."""
    every = np.concatenate([appreciation for _, _, appreciation in weeks])
    mean, spread = every.mean(dtype=np.float64), every.std(dtype=np.float64)
    of_ranks = (np.quantile(every, WATCHED[0]) - mean) / spread
    del every
    for week in tqdm(range(len(weeks)), desc="feedback", unit="week", disable=None):
        user, item, appreciation = weeks[week]
        weeks[week] = None
        rng = _rng(seed, "feedback", week)
        order = rng.permutation(len(user))
        user, item = user[order], item[order]
        level = (appreciation[order] - mean) / spread
        yield _interactions(users, items, user, item, level, of_ranks, rng)


def _interactions(
    users: Users,
    items: Items,
    user: np.ndarray,
    item: np.ndarray,
    level: np.ndarray,
    of_ranks: np.ndarray,
    rng: np.random.Generator,
) -> pa.Table:
    """Return the columns of VK-LSVD, one row for each of `user`, `item` and `level`.

    level  float64, standardised appreciation; of_ranks  its values at the ranks of WATCHED
    """
    watched = np.interp(level, of_ranks, WATCHED[1]) * items.duration[item]
    columns = {
        "user_id": users.user_id[user],
        "item_id": items.item_id[item],
        "place": _zipf(N_PLACES, len(user), rng),
        "platform": users.platform[user],
        "agent": users.agent[user],
        "timespent": np.minimum(watched, CAP_S).astype(np.uint8),
    }
    for name, (share, exponent) in FEEDBACK.items():
        probability = share * np.exp(exponent * level - exponent**2 / 2)  # mean: share
        columns[name] = rng.random(len(user)) < probability
    return pa.table(columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("layout", choices=("lsvd", "notebook"))
    parser.add_argument("folder", type=Path)
    for name, value in (SIZE | {"threads": os.cpu_count()}).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    arguments = vars(parser.parse_args())
    layout, folder = arguments.pop("layout"), arguments.pop("folder")
    {"lsvd": write_lsvd, "notebook": write_notebook}[layout](folder, **arguments)


if __name__ == "__main__":
    main()

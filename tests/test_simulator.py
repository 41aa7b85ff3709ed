"""The simulator: promised columns, no pair twice, the same bytes, data that can be learned from."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse

import simulator

FEEDBACK = ["like", "dislike", "share", "bookmark", "click_on_author", "open_comments"]
INTERACTIONS = (
    dict.fromkeys(["user_id", "item_id"], "uint32")
    | dict.fromkeys(["place", "platform", "agent", "timespent"], "uint8")
    | dict.fromkeys(FEEDBACK, "bool")
)
USERS = {"user_id": "uint32", "age": "uint8", "gender": "uint8", "geo": "uint8"}
ITEMS = {"item_id": "uint32", "author_id": "uint32", "duration": "uint8"}
RANK = {"train_interactions_rank": "uint32"}
EMBEDDING = {"embedding": "list<element: float>"}
WEEKS = [
    "train/week_00.parquet",
    "train/week_01.parquet",
    "train/week_02.parquet",
    "train/week_03.parquet",
    "validation/week_04.parquet",
    "test/week_05.parquet",
]


class Small:
    """The default size; `user` and `item` of a row are positions in the metadata."""

    def __init__(self, folder: Path) -> None:
        tables = [pq.read_table(folder / "interactions" / path) for path in WEEKS]
        self.rows = pa.concat_tables(tables)
        self.week = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
        self.users = pq.read_table(folder / "metadata" / "users_metadata.parquet")
        self.items = pq.read_table(folder / "metadata" / "items_metadata.parquet")
        with np.load(folder / "metadata" / "item_embeddings.npz") as file:
            self.npz = dict(file)
        item_id = self.items["item_id"].to_numpy()
        self.user = positions(self.users["user_id"].to_numpy(), self.rows["user_id"].to_numpy())
        self.item = positions(item_id, self.rows["item_id"].to_numpy())
        embedding = self.npz["embedding"].astype(np.float32)
        self.embedding = embedding[positions(self.npz["item_id"], item_id)]  # (n_items, 64)
        self.timespent = self.rows["timespent"].to_numpy()
        self.is_positive = self.timespent > 5
        self.is_history = self.week < 5

    def profiles(self) -> np.ndarray:
        """Sum of the centred embeddings of each user's positives before the last week."""
        centred = self.embedding - self.embedding.mean(axis=0)
        return self.user_item(self.is_history & self.is_positive) @ centred

    def user_item(self, is_used: np.ndarray) -> sparse.csr_array:
        """1 for each of the rows that are used; (n_users, n_items)."""
        pair = self.user[is_used], self.item[is_used]
        shape = len(self.users), len(self.items)
        return sparse.csr_array((np.ones(is_used.sum(), np.float32), pair), shape)


def positions(ids: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where each of `wanted` stands in `ids`."""
    order = np.argsort(ids)
    return order[np.searchsorted(ids[order], wanted)]


def schema(path: Path) -> dict[str, str]:
    return {field.name: str(field.type) for field in pq.read_schema(path)}


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def pairs(folder: Path) -> np.ndarray:
    """user_id and item_id of every row as one number."""
    tables = [pq.read_table(path) for path in sorted(folder.rglob("week_*.parquet"))]
    user_id, item_id = (
        np.concatenate([table[name].to_numpy() for table in tables]).astype(np.uint64)
        for name in ("user_id", "item_id")
    )
    return user_id << np.uint64(32) | item_id


def surplus(values: np.ndarray, is_high: np.ndarray) -> float:
    """Mean of `values` where `is_high` minus elsewhere, in standard errors of the difference."""
    high, low = values[is_high], values[~is_high]
    error = (high.var() / len(high) + low.var() / len(low)) ** 0.5
    return float((high.mean() - low.mean()) / error)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lsvd")
    simulator.write_lsvd(folder)
    return folder


@pytest.fixture(scope="module")
def small(folder: Path) -> Small:
    return Small(folder)


@pytest.fixture(scope="module")
def medium(tmp_path_factory: pytest.TempPathFactory) -> Small:
    folder = tmp_path_factory.mktemp("medium")
    simulator.write_lsvd(folder, users=2_000, items=1_000, rows=400_000)
    return Small(folder)


# Layouts


def test_lsvd_has_the_promised_files_columns_and_dtypes(folder: Path, small: Small) -> None:
    written = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    metadata = ["users_metadata.parquet", "items_metadata.parquet", "item_embeddings.npz"]
    assert written == {f"interactions/{w}" for w in WEEKS} | {f"metadata/{m}" for m in metadata}
    assert all(schema(folder / "interactions" / path) == INTERACTIONS for path in WEEKS)
    assert schema(folder / "metadata" / "users_metadata.parquet") == USERS | RANK
    assert schema(folder / "metadata" / "items_metadata.parquet") == ITEMS | RANK
    assert {key: (a.dtype, a.shape) for key, a in small.npz.items()} == {
        "item_id": (np.uint32, (400,)),
        "embedding": (np.float16, (400, 64)),
    }


def test_subsample_has_its_own_folder_and_the_metadata_beside_it(tmp_path: Path) -> None:
    simulator.write_lsvd(tmp_path, users=60, items=200, rows=900, subsample="up0.001_ip0.001")
    written = {path for path in contents(tmp_path) if not path.startswith("metadata/")}
    assert written == {f"subsamples/up0.001_ip0.001/{path}" for path in WEEKS}
    assert (tmp_path / "metadata" / "item_embeddings.npz").exists()


@pytest.mark.parametrize("is_in_metadata", [False, True])
def test_notebook_has_the_promised_files_columns_and_dtypes(
    tmp_path: Path, is_in_metadata: bool
) -> None:
    simulator.write_notebook(
        tmp_path, users=60, items=200, rows=900, embedding_in_metadata=is_in_metadata
    )
    assert {path.name: schema(path) for path in tmp_path.iterdir()} == {
        "train.parquet": INTERACTIONS,
        "test.parquet": INTERACTIONS,
        "user_metadata.parquet": USERS,
        "item_metadata.parquet": ITEMS | (EMBEDDING if is_in_metadata else {}),
        "item_embeddings.parquet": {"item_id": "uint32"} | EMBEDDING,
    }
    embedding = pq.read_table(tmp_path / "item_embeddings.parquet")["embedding"]
    assert set(embedding.combine_chunks().value_lengths().to_pylist()) == {32}


def test_both_layouts_tell_the_same_story(small: Small, tmp_path: Path) -> None:
    simulator.write_notebook(tmp_path)
    train, test = (pq.read_table(tmp_path / f"{part}.parquet") for part in ("train", "test"))
    assert pa.concat_tables([train, test]).equals(small.rows)
    assert len(test) == (small.week == 5).sum()
    table = pq.read_table(tmp_path / "item_embeddings.parquet")
    assert table["item_id"].equals(small.items["item_id"])
    embedding = table["embedding"].combine_chunks().flatten().to_numpy().reshape(-1, 32)
    np.testing.assert_array_equal(embedding.astype(np.float16), small.embedding[:, :32])


def test_values_are_in_their_ranges(small: Small) -> None:
    age, gender, geo = (small.users[name].to_numpy() for name in ("age", "gender", "geo"))
    assert (age.min(), age.max()) >= (18, 18)
    assert age.max() <= 70
    assert set(gender) == {1, 2}
    assert geo.max() < 80
    for name, n in (("place", 24), ("platform", 11), ("agent", 29)):
        assert small.rows[name].to_numpy().max() < n
    assert small.items["duration"].to_numpy().min() >= 5


def test_rank_1_has_most_rows_in_the_train_weeks(small: Small) -> None:
    for table, row in ((small.users, small.user), (small.items, small.item)):
        count = np.bincount(row[small.week < 4], minlength=len(table))
        rank = table["train_interactions_rank"].to_numpy()
        assert sorted(rank) == list(range(1, len(table) + 1))
        assert (np.diff(count[np.argsort(rank)]) <= 0).all()


# Sampling


@pytest.mark.parametrize(
    "size",
    [
        {"users": 500, "items": 400, "rows": 40_000, "weeks": 6},
        {"users": 500, "items": 400, "rows": 60_000, "weeks": 6},  # close to what is possible
        {"users": 3_000, "items": 5_000, "rows": 30_000, "weeks": 6},  # drawn by popularity
        {"users": 1, "items": 400, "rows": 40, "weeks": 3},
    ],
)
def test_rows_are_as_many_as_asked_and_no_pair_twice(tmp_path: Path, size: dict) -> None:
    simulator.write_lsvd(tmp_path, **size)
    assert len(np.unique(pairs(tmp_path))) == len(pairs(tmp_path)) == size["rows"]


def test_a_draw_too_small_is_made_up_from_all_live_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator, "CANDIDATES", 1)  # k + 1 for k exposures: some repeat
    users, items, weeks = simulator._simulate(300, 2_000, 30_000, 6, 0, 1)
    pair = np.concatenate([user.astype(np.int64) * 2_000 + item for _, user, item in weeks])
    assert len(np.unique(pair)) == 30_000


def test_race_draws_by_weight_and_never_what_is_out() -> None:
    items = simulator._items(400, 3, np.random.default_rng(0))[1]
    users = simulator._users(1, np.zeros((simulator.N_TOPICS, 32), np.float32), items, rng())
    block = simulator._Block(users, items, 0, 1, rng())
    weight = np.log(np.tile(np.array([1, 2, 4, 9], np.float32), (20_000, 1)))
    is_out = np.zeros_like(weight, dtype=bool)
    is_out[:, 3] = True
    row, column = block._race(weight, is_out, np.ones(20_000, int))
    np.testing.assert_array_equal(row, np.arange(20_000))
    share = np.bincount(column, minlength=4) / 20_000
    np.testing.assert_allclose(share, [1 / 7, 2 / 7, 4 / 7, 0], atol=0.01)


def test_same_seed_same_bytes_for_any_threads(folder: Path, tmp_path: Path) -> None:
    simulator.write_lsvd(tmp_path, threads=3)
    assert contents(tmp_path) == contents(folder)


def test_other_seed_other_bytes(folder: Path, tmp_path: Path) -> None:
    simulator.write_lsvd(tmp_path, seed=1)
    ours, theirs = contents(tmp_path), contents(folder)
    assert ours.keys() == theirs.keys()
    assert not any(ours[path] == theirs[path] for path in ours)


# Statistics


def test_53_percent_of_exposures_are_positive(small: Small) -> None:
    assert small.is_positive.mean() == pytest.approx(0.53, abs=0.02)
    assert small.timespent.mean() == pytest.approx(21.0, abs=3)


def test_feedback_is_as_frequent_as_published_and_goes_with_timespent(small: Small) -> None:
    for name in FEEDBACK:
        given = small.rows[name].to_numpy()
        share = simulator.FEEDBACK[name][0]
        assert given.mean() == pytest.approx(share, abs=5 * (share / len(given)) ** 0.5)
        sign = -1 if name == "dislike" else 1
        assert sign * (small.timespent[given].mean() - small.timespent.mean()) > 0


def test_popularity_and_activity_have_long_tails(small: Small, tmp_path: Path) -> None:
    def top_share(row: np.ndarray) -> float:
        count = np.sort(np.bincount(row))[::-1]
        return count[: len(count) // 10].sum() / len(row)

    assert top_share(small.item) > 0.25  # of 400 items, seen by a fifth of the users each
    assert top_share(small.user) > 0.2
    simulator.write_lsvd(tmp_path, users=3_000, items=2_000, rows=60_000)
    sparse_item = pairs(tmp_path) & np.uint64(2**32 - 1)
    sparse_user = (pairs(tmp_path) >> np.uint64(32)).astype(np.int64)
    assert top_share(np.unique(sparse_item, return_inverse=True)[1]) > 0.5
    assert top_share(np.unique(sparse_user, return_inverse=True)[1]) > 0.35


def test_items_are_born_peak_and_die(small: Small) -> None:
    shown = np.zeros((400, 6), int)
    np.add.at(shown, (small.item, small.week), 1)
    seen = shown[shown.sum(axis=1) > 0]
    first = (seen > 0).argmax(axis=1)
    last = 5 - (seen[:, ::-1] > 0).argmax(axis=1)
    assert (first >= 2).mean() > 0.2
    assert (last <= 3).mean() > 0.1
    born = seen[first == 1]  # nobody has seen these before: what ages is the item
    assert born[:, 5].sum() < 0.5 * born[:, 1:3].sum(axis=1).sum() / 2


def test_users_join_late(small: Small) -> None:
    first = np.full(500, 6)
    np.minimum.at(first, small.user, small.week)
    assert 0 < (first == 5).sum() < 50


# What can be learned


def test_embedding_columns_have_decreasing_variance(small: Small) -> None:
    assert (np.diff(small.embedding.var(axis=0)) < 0).all()


def test_items_of_an_author_are_alike(small: Small) -> None:
    unit = small.embedding - small.embedding.mean(axis=0)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    author = small.items["author_id"].to_numpy()
    is_same = author[:, None] == author
    is_other_item = ~np.eye(400, dtype=bool)
    cosine = unit @ unit.T
    assert cosine[is_same & is_other_item].mean() > 0.4 > cosine[~is_same].mean() + 0.35


def test_content_tells_what_is_shown_and_what_is_liked(small: Small) -> None:
    """Positives of the last week match the earlier ones better than skipped and random items do."""
    last = small.week == 5
    user, item, is_positive = small.user[last], small.item[last], small.is_positive[last]
    profiles = small.profiles()
    profiles /= np.maximum(np.linalg.norm(profiles, axis=1, keepdims=True), 1e-9)

    def match(item: np.ndarray) -> np.ndarray:
        return np.einsum("nd,nd->n", profiles[user], small.embedding[item])

    assert surplus(match(item), is_positive) > 10
    random = match(rng().permutation(item))  # live, and as popular
    both = np.append(match(item)[is_positive], random)
    assert surplus(both, np.arange(len(both)) < is_positive.sum()) > 10


def test_co_watching_tells_what_content_does_not(medium: Small) -> None:
    """Item-item scores separate positives from skipped, beyond what content and counts explain."""
    watched = medium.user_item(medium.is_history & medium.is_positive)
    by_user, by_item = watched.sum(axis=1), watched.sum(axis=0)
    similarity = (watched.T @ watched).toarray() / np.sqrt(np.outer(by_item + 1, by_item + 1))
    np.fill_diagonal(similarity, 0)
    last = (medium.week == 5) & (by_item[medium.item] > 0)
    user, item = medium.user[last], medium.item[last]
    match = np.einsum("nd,nd->n", medium.profiles()[user], medium.embedding[item])
    known = np.stack([np.ones(len(user)), match, by_user[user], by_item[item]], axis=1)
    score = (watched @ similarity)[user, item]
    score -= known @ np.linalg.lstsq(known, score)[0]
    assert surplus(score, medium.is_positive[last]) > 5


def test_authors_differ_in_how_much_they_are_liked(small: Small) -> None:
    author = np.unique(small.items["author_id"].to_numpy(), return_inverse=True)[1][small.item]
    history, last = small.is_history, small.week == 5
    shown = np.bincount(author[history], minlength=author.max() + 1)
    liked = np.bincount(author[history], small.is_positive[history], minlength=author.max() + 1)
    rate = ((liked + 5.3) / (shown + 10))[author[last]]
    assert surplus(rate, small.is_positive[last]) > 10


def test_demographics_matter_a_little(medium: Small) -> None:
    """Genders are shown other things than random halves of the users, users much more so."""
    shown = medium.user_item(np.ones(len(medium.user), bool))
    count = shown.sum(axis=1)
    means = (shown @ medium.embedding)[count > 0] / count[count > 0, None]
    is_second = medium.users["gender"].to_numpy()[count > 0] == 2

    def distance(is_second: np.ndarray) -> float:
        return float(np.linalg.norm(means[is_second].mean(axis=0) - means[~is_second].mean(axis=0)))

    chance = [distance(np.random.default_rng(i).permutation(is_second)) for i in range(99)]
    assert max(chance) < distance(is_second) < np.linalg.norm(means.std(axis=0)) / 2


def test_tastes_drift_slowly() -> None:
    topics, items = simulator._items(400, 20, rng())
    users = simulator._users(200, topics, items, rng())
    block = simulator._Block(users, items, 0, 200, rng())
    correlation = []
    for week in range(20):
        block.week(simulator._live(items, week, rng()), np.full(200, 2))
        correlation.append(np.corrcoef(block.taste.ravel(), users.taste.ravel())[0, 1])
    assert correlation[0] > 0.97
    assert 0.6 < correlation[-1] < 0.9
    assert (np.diff(correlation) < 0.01).all()


# Errors and the command


def test_too_many_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"rows is 150000: at most \d+ at this size"):
        simulator.write_lsvd(tmp_path, rows=150_000)


@pytest.mark.parametrize(("write", "weeks"), [("write_lsvd", 2), ("write_notebook", 1)])
def test_too_few_weeks_are_refused(tmp_path: Path, write: str, weeks: int) -> None:
    with pytest.raises(ValueError, match=f"weeks is {weeks}: must be at least {weeks + 1}"):
        getattr(simulator, write)(tmp_path, weeks=weeks)


@pytest.mark.parametrize("write", ["write_lsvd", "write_notebook"])
def test_nothing_is_overwritten(tmp_path: Path, write: str) -> None:
    getattr(simulator, write)(tmp_path, users=60, items=200, rows=900)
    before = contents(tmp_path)
    with pytest.raises(FileExistsError):
        getattr(simulator, write)(tmp_path, users=60, items=200, rows=800)
    assert contents(tmp_path) == before


def test_command(tmp_path: Path) -> None:
    size = {"users": 60, "items": 200, "rows": 900, "weeks": 3, "seed": 4}
    flags = [part for name, value in size.items() for part in (f"--{name}", str(value))]
    command = [sys.executable, simulator.__file__, "lsvd", tmp_path / "run", *flags]
    subprocess.run(command, check=True)
    simulator.write_lsvd(tmp_path / "called", **size)
    assert contents(tmp_path / "run") == contents(tmp_path / "called")
    command[2:4] = "notebook", tmp_path / "other"
    assert subprocess.run([*command, "--subsample", "x"], capture_output=True).returncode == 2

"""The simulator: the columns of both layouts, no pair twice, the same bytes."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import simulator

INTERACTIONS = (
    dict.fromkeys(["user_id", "item_id"], "uint32")
    | dict.fromkeys(["place", "platform", "agent", "timespent"], "uint8")
    | dict.fromkeys(simulator.FEEDBACK, "bool")
)
USERS = {"user_id": "uint32", "age": "uint8", "gender": "uint8", "geo": "uint8"}
ITEMS = {"item_id": "uint32", "author_id": "uint32", "duration": "uint8"}
RANK = {"train_interactions_rank": "uint32"}
WEEKS = [f"train/week_0{week}" for week in range(4)] + ["validation/week_04", "test/week_05"]


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def rows_of(folder: Path) -> pa.Table:
    paths = sorted(folder.rglob("week_*.parquet"), key=lambda path: path.name)
    return pa.concat_tables([pq.read_table(path) for path in paths])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lsvd")
    simulator.write_lsvd(folder)
    return folder


def test_both_layouts_have_the_promised_columns_and_the_same_rows(
    folder: Path, tmp_path: Path
) -> None:
    expected = {f"interactions/{week}.parquet": INTERACTIONS for week in WEEKS}
    expected |= {"metadata/users_metadata.parquet": USERS | RANK}
    expected |= {"metadata/items_metadata.parquet": ITEMS | RANK}
    notebook = dict.fromkeys(["train.parquet", "test.parquet"], INTERACTIONS)
    notebook |= {"user_metadata.parquet": USERS, "item_metadata.parquet": ITEMS}
    notebook["item_embeddings.parquet"] = {"item_id": "uint32", "embedding": "list<element: float>"}
    simulator.write_notebook(tmp_path / "notebook")
    for of, schemas in ((folder, expected), (tmp_path / "notebook", notebook)):
        for path, columns in schemas.items():
            found = pq.read_schema(of / path)
            assert {field.name: str(field.type) for field in found} == columns
    parts = [pq.read_table(tmp_path / f"notebook/{name}.parquet") for name in ("train", "test")]
    assert pa.concat_tables(parts).equals(rows_of(folder))
    table = pq.read_table(tmp_path / "notebook/item_embeddings.parquet")
    embedding = np.stack(table["embedding"].to_numpy())
    with np.load(folder / "metadata/item_embeddings.npz") as arrays:
        assert (arrays["embedding"].dtype, arrays["embedding"].shape) == (np.float16, (400, 64))
        order = np.argsort(arrays["item_id"])[np.argsort(np.argsort(table["item_id"]))]
        np.testing.assert_array_equal(arrays["embedding"][order, :32], embedding.astype("f2"))


@pytest.mark.parametrize(
    "size",
    [
        {"rows": 60_000},  # close to what is possible
        {"users": 3_000, "items": 5_000, "rows": 30_000},  # drawn by popularity
        {"users": 1, "rows": 30, "weeks": 3, "subsample": "ur1"},
    ],
)
def test_rows_are_as_many_as_asked_and_no_pair_twice(tmp_path: Path, size: dict) -> None:
    simulator.write_lsvd(tmp_path, **size)
    pairs = rows_of(tmp_path).select(["user_id", "item_id"]).to_pandas()
    assert len(pairs) == len(pairs.drop_duplicates()) == size["rows"]


def test_the_seed_alone_decides_the_bytes(folder: Path, tmp_path: Path) -> None:
    simulator.write_lsvd(tmp_path / "same", threads=3)
    assert contents(tmp_path / "same") == contents(folder)
    simulator.write_lsvd(tmp_path / "other", seed=1)
    other, ours = contents(tmp_path / "other"), contents(folder)
    assert not any(other[path] == ours[path] for path in ours)


def test_feedback_is_as_frequent_as_published_and_goes_with_timespent(folder: Path) -> None:
    rows = rows_of(folder).to_pandas()
    items = pq.read_table(folder / "metadata/items_metadata.parquet").to_pandas()
    duration = items.set_index("item_id")["duration"].reindex(rows["item_id"]).to_numpy()
    for least, share in ((1, 0.31), (0.5, 0.488)):  # the latter loses the part of a second
        assert (rows["timespent"] >= least * duration).mean() == pytest.approx(share, abs=0.015)
    for name, (share, exponent) in simulator.FEEDBACK.items():
        assert rows[name].mean() == pytest.approx(share, abs=5 * (share / len(rows)) ** 0.5)
        if rows[name].sum() > 50:  # else by chance
            more = rows["timespent"][rows[name]].mean() - rows["timespent"].mean()
            assert (more > 0) == (exponent > 0)

"""The simulator: no pair twice, the same bytes, feedback as published."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import simulator
from test_download import contents


def rows_of(folder: Path) -> pa.Table:
    paths = sorted(folder.rglob("week_*.parquet"), key=lambda path: path.name)
    return pa.concat_tables([pq.read_table(path) for path in paths])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lsvd")
    simulator.write_lsvd(folder)
    return folder


@pytest.mark.parametrize(
    "size",
    [
        {"rows": 60_000},  # close to what is possible
        {"users": 3_000, "items": 5_000, "rows": 30_000},  # drawn by popularity
        {"users": 1, "rows": 30, "weeks": 3},
    ],
)
def test_rows_are_as_many_as_asked_and_no_pair_twice(tmp_path: Path, size: dict) -> None:
    simulator.write_lsvd(tmp_path, **size)
    pairs = rows_of(tmp_path).select(["user_id", "item_id"]).to_pandas()
    assert len(pairs) == len(pairs.drop_duplicates()) == size["rows"]


def test_bytes_do_not_depend_on_threads(folder: Path, tmp_path: Path) -> None:
    simulator.write_lsvd(tmp_path, threads=3)
    assert contents(tmp_path) == contents(folder)


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

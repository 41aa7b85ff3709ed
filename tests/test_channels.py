"""Feedback channels from the files of VK-LSVD to the features: ingest, split and the family."""

from collections.abc import Callable
from pathlib import Path

from core.history import History, load_fold
from core.params import section
from core.tables import FEEDBACK, SETTINGS

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

import ingest
import simulator
import split
from clone import TOP
from families import FeatureMatrix, FeaturesParams, families_of, feature_matrix
from families.context import Rows, load_context

FOLD = "validation"
LAST_KNOWN = "train/week_02"  # of weeks 0 to 4, of which validation targets the last but one
Change = Callable[[str, pa.Table], pa.Table]  # of a week's name and its rows


def matrix_of(history: History, groups: list[str]) -> FeatureMatrix:
    """The features of every item for every user of the history."""
    context = load_context(history, section("features", FeaturesParams))
    user, item = np.divmod(np.arange(history.n_users * history.n_items), history.n_items)
    nothing = np.zeros(len(user), np.int16)
    starts = np.arange(0, len(user), history.n_items)
    rows = Rows(user, item, starts, {"als": nothing}, {"als": nothing.astype(np.float32)})
    return feature_matrix(families_of(context, groups), rows)


@pytest.fixture
def features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FeatureMatrix]:
    """Simulates a log, changes its weeks, and computes the features of the fold."""
    monkeypatch.chdir(tmp_path)

    def run(change: Change, groups: list[str], name: str) -> FeatureMatrix:
        simulator.write_lsvd(name, users=50, items=200, rows=2_000, weeks=5)
        for path in Path(name, "interactions").rglob("*.parquet"):
            week = f"{path.parent.name}/{path.stem}"
            pq.write_table(change(week, pq.read_table(path)), path)
        yaml = YAML()
        params = yaml.load(TOP / "params.yaml")
        params["folds"] = ["test", "validation", "label_1"]
        params["data"] |= {"source": "vk-lsvd", "path": name, "positive": "timespent > 5"}
        yaml.dump(params, Path("params.yaml"))
        ingest.main()
        split.main()
        return matrix_of(load_fold(FOLD)[0], groups)

    return run


def test_features_of_a_log_as_a_plain_reading_has_them(features: Callable) -> None:
    matrix = features(lambda _, table: table, ["channels"], "vk")
    assert len(matrix.names) == 3 * 2 * (len(FEEDBACK) + 1) + len(SETTINGS)
    assert matrix.categorical == [f"user_{name}" for name in SETTINGS]
    weeks = [pq.read_table(f"vk/interactions/train/week_0{n}.parquet") for n in range(3)]
    log = pa.concat_tables(weeks).to_pandas()
    users, items = np.unique(log["user_id"]), np.unique(log["item_id"])
    column = dict(zip(matrix.names, matrix.values.T, strict=True))
    for name, ids, shape in (("item", items, (0, slice(None))), ("user", users, (slice(None), 0))):
        rate = column[f"{name}_like_rate"].reshape(len(users), len(items))[shape]
        given = log.groupby(f"{name}_id")["like"].agg(["sum", "count"]).loc[ids]
        expected = (given["sum"] + 20 * log["like"].mean()) / (given["count"] + 20)
        np.testing.assert_allclose(rate, expected, rtol=1e-5)
    platform = column["user_platform"].reshape(len(users), len(items))[:, 0]
    order = list(dict.fromkeys(log["platform"]))  # of first occurrence
    own = log.groupby("user_id")["platform"].first().loc[users]  # the simulator's users have one
    assert platform.tolist() == [order.index(value) for value in own]


def test_a_log_with_one_channel(features: Callable) -> None:
    """The time watched, which the rule needs."""

    def bare(_: str, table: pa.Table) -> pa.Table:
        return table.select(["user_id", "item_id", "timespent"])

    names = features(bare, ["channels"], "bare").names
    assert sorted(names) == sorted(
        f"{of}_{span}watched" for span in ("", "recent_") for of in ("item", "tag", "user")
    )

"""The pipeline on Spark, on local[2] and on a small cluster of processes, held against the local
one on the same data.
"""

import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from harness.params import section
from harness.script import InputError

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse

import movielens_like
import simulator
from clone import SMALL, TOP, Clone, make
from spark.engine import session as sessions

pytest.importorskip("pyspark", reason="pyspark is not installed: requirements-spark.txt")
try:
    sessions.check_java()
except InputError as error:
    pytest.skip(str(error), allow_module_level=True)

from boosting.examples import read_file
from families import FeaturesParams, families_of, feature_matrix, load_context, rows_of, serving
from folds import candidate_lists, factors, tables
from folds.history import load_fold
from retrieval import CandidatesParams, Inputs, SourcesParams, fit_all
from retrieval.source import lists_of
from spark.engine.blocks import block_of
from spark.engine.candidates import Sources, lists_in
from spark.engine.context import context_of, ease_name, fold_in, knn_name
from spark.engine.item_side import ItemSide
from spark.engine.settings import SparkAlsParams, SparkParams
from spark.raw.movielens import read_ratings
from spark.raw.vk import together, with_features

STAGES = [
    "ingest",
    "windows",
    "als",
    "item_side",
    "candidates",
    "features",
    "ranker",
    "recommend",
    "baselines",
    "evaluate",
]
FOLD = "validation"
EASE_KNOWS = 60  # of 150 items, so that there are others
QUICK_JVM = {  # which compiles less: there are few rows
    f"spark.{of}.extraJavaOptions": "-XX:TieredStopAtLevel=1" for of in ("driver", "executor")
}


def small(folder: Path) -> dict[str, object]:
    """Values of params.yaml; by absolute paths, since the session started in another folder."""
    return {
        "sources.ease.max_items": EASE_KNOWS,
        "spark.settings": QUICK_JVM,
        "spark.master": "local[2]",
        "spark.partitions": 2,
        "spark.users_at_once": 64,
        "spark.folder": str(folder / "data/spark"),
        "spark.checkpoints": str(folder / "data/spark/checkpoints"),
    }


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """One session for all tests: a start takes seconds."""
    params = SparkParams(
        master="local[2]",
        driver_memory="1g",
        executor_memory="1g",
        max_result="64m",
        partitions=2,
        folder="unused",
        checkpoints="unused",
        input="",
        users_at_once=64,
        alive_windows=0,
        settings=QUICK_JVM,
        als=SparkAlsParams(alpha=0.3, regularization=0.3),
    )
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(params.master)
    for key, value in sessions.configuration(params).items():
        builder = builder.config(key, value)
    before = signal.getsignal(signal.SIGINT)
    session = builder.getOrCreate()
    signal.signal(signal.SIGINT, before)  # Spark has one of its own
    code = sessions.packed_code(tmp_path_factory.mktemp("code"))
    session.sparkContext.addPyFile(str(code))
    yield session
    session.stop()


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """With the folder as the working folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def run_stage(name: str, spark: object, folder: Path) -> None:
    """The script's main() in this process, in the session that all share."""
    path = list(sys.path)
    script = import_module(f"spark.{name}")
    sys.path[:] = path

    @contextlib.contextmanager
    def shared(params: SparkParams, _: str) -> Iterator[object]:
        with sessions.one_line_errors(params):
            spark.sparkContext.setCheckpointDir(params.checkpoints)
            yield spark

    with inside(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "session", shared)
        script.main()


@pytest.fixture(scope="session")
def run(
    clone: Clone, once: Callable[[str, Callable], Path], request: pytest.FixtureRequest
) -> Path:
    """The clone of the local pipeline, with all stages on Spark run beside it, for all workers: to
    be read only. said.txt: what they have printed.
    """

    def fill(folder: Path) -> None:
        copy = clone.copy(folder)
        shutil.copytree(TOP / "stages/spark", copy.folder / "stages/spark", dirs_exist_ok=True)
        copy.set_params(small(copy.folder))
        spark = request.getfixturevalue("spark")
        with contextlib.redirect_stdout(io.StringIO()) as said:
            for name in STAGES:
                run_stage(name, spark, copy.folder)
        (copy.folder / "said.txt").write_text(said.getvalue())

    return once("spark", fill) / "clone"


@pytest.fixture
def own(run: Path, tmp_path: Path) -> Path:
    """A copy of the run, for one test to change."""
    copy = Clone(run, run.parent).copy(tmp_path)
    copy.set_params(small(copy.folder))
    return copy.folder


def side_of(folder: Path, fold: str = FOLD) -> ItemSide:
    base = folder / "data/spark"
    return ItemSide(base / f"item_side/{fold}.items", base / f"als/{fold}.factors")


def logs_of(folder: Path) -> pa.Table:
    return pq.read_table(folder / "data/spark/logs").sort_by("user")


# --- the same tables, counts and neighbours


def test_logs_are_the_split(run: Path) -> None:
    """Users, items, windows and labels, in the order of time."""
    logs = logs_of(run).to_pandas()
    split = pd.read_parquet(run / "data/split/interactions.parquet")
    assert np.array_equal(np.repeat(logs["user"], logs["item"].map(len)), split["user"])
    for name in ("item", "window", "is_positive", "strength"):
        assert np.array_equal(np.concatenate(logs[name].tolist()), split[name])
    windows = pd.read_parquet(run / "data/spark/windows")
    expected = pd.read_csv(run / "data/split/windows.csv")
    pd.testing.assert_frame_equal(windows, expected, check_dtype=False)


def test_blocks_are_the_fold(run: Path) -> None:
    """The users of the fold in two blocks: all of its history, target and metadata."""
    with inside(run):
        history, target = load_fold(FOLD)
        context = load_context(FOLD, history, section("features", FeaturesParams))
    side, logs = side_of(run), logs_of(run)
    assert np.array_equal(side.items, history.items)
    blocks = [block_of(part, side.window, side.items) for part in (logs[:77], logs[77:])]
    for name in ("users", "item", "window", "is_positive"):
        parts = [getattr(block.history, name) for block in blocks]
        assert np.array_equal(np.concatenate(parts), getattr(history, name))
    for name in ("users", "user", "item", "strength"):
        parts = [getattr(block.target, name) for block in blocks]
        assert np.array_equal(np.concatenate(parts), getattr(target, name))
    first = blocks[0].metadata(blocks[0].history.users, side.levels)
    expected = context.users.iloc[: len(first)]
    for name in expected:
        assert first[name].tolist() == expected[name].tolist()


def test_the_item_side_is_what_the_history_says(run: Path) -> None:
    with inside(run):
        history, _ = load_fold(FOLD)
        params = section("features", FeaturesParams)
        context = load_context(FOLD, history, params)
    side = side_of(run)
    for found, expected in zip(side.item_counts, context.item_counts, strict=True):
        assert np.array_equal(found, expected)
    for name in context.users:
        lowest, counts = context.positives_by_level(name)
        assert np.array_equal(side.array(f"lowest_{name}"), lowest)
        assert np.array_equal(side.array(f"level_{name}"), counts)
    assert (side.tags != context.tags).nnz == 0
    assert np.array_equal(side.embeddings, context.embeddings)
    for name, model in params.scores.items():
        expected = context.fitted(name)
        if model.model == "ease":
            items, weights = side.ease(ease_name(model))
            assert np.array_equal(items, expected[0])
            assert np.array_equal(weights, expected[1])
        else:
            found = side.similarity(knn_name(model), model.neighbours)
            assert abs(found - expected).max() < 1e-6


@pytest.mark.parametrize("source", ["vk-lsvd", "vk-notebook"])
def test_vk_layouts_are_read_as_locally(source: str, spark: object, tmp_path: Path) -> None:
    """Simulated data: users, items, tags, embeddings, and the logs of all users."""
    data = tmp_path / "raw"
    write = simulator.write_lsvd if source == "vk-lsvd" else simulator.write_notebook
    write(data, users=80, items=200, rows=3_000, weeks=8, seed=3)
    values = {"data.source": source, "data.positive": "timespent > 5", "split.windows": 8}
    of_clone = make(tmp_path, data, {**SMALL, **values})
    of_clone.set_params(small(of_clone.folder))
    for name in ("ingest", "split"):
        of_clone.run(sys.executable, f"stages/{name}.py")
    for name in ("ingest", "windows"):
        run_stage(name, spark, of_clone.folder)
    folder = of_clone.folder / "data"
    test_logs_are_the_split(of_clone.folder)
    for name, own in (("users", "user"), ("items", "item")):
        local = pd.read_parquet(folder / f"{name}.parquet")
        found = pd.read_parquet(folder / f"spark/{name}").sort_values(own, ignore_index=True)
        assert found[f"{own}_id"].tolist() == local[f"{own}_id"].tolist()
        levels = json.loads((folder / "spark/schema/schema.json").read_text())[name]
        assert list(levels) == list(local.columns[1:])
        for column, of_column in levels.items():
            codes = local[column] if of_column is None else local[column].cat.codes
            np.testing.assert_array_equal(found[column].fillna(-1), codes.fillna(-1))
    tags = sparse.load_npz(folder / "item_tags.npz")
    assert np.concatenate(found["tag"].tolist()).tolist() == tags.indices.tolist()
    embeddings = np.load(folder / "item_embeddings.npy")
    assert np.array_equal(np.stack(found["embedding"].tolist()), embeddings, equal_nan=True)


def test_feedback_that_some_files_lack_is_left_out(
    spark: object, capsys: pytest.CaptureFixture
) -> None:
    parts = [spark.createDataFrame(pa.table({"user_id": [1], name: [1]})) for name in ("a", "b")]
    assert together(parts).columns == ["user_id"]
    line = "no column a, b in some files; left out as strength of feedback"
    assert line in capsys.readouterr().out


def test_infinite_metadata_is_refused(spark: object, tmp_path: Path) -> None:
    path = str(tmp_path / "users.parquet")
    pq.write_table(pa.table({"user_id": [1, 2], "age": [np.inf, np.nan]}), path)
    ids = spark.createDataFrame(pa.table({"user": [0], "user_id": [2]}))
    with pytest.raises(InputError, match=r"users.parquet: age is infinite in 1 rows"):
        with_features(spark, ids, path, "user_id", {"age": "number"})


# --- ALS


def test_folding_in_is_the_last_half_step_of_spark(spark: object) -> None:
    """Which is how the derivation of the confidence and of the regularization is checked."""
    from pyspark.ml.recommendation import ALS

    rng = np.random.default_rng(0)
    matrix = sparse.csr_array(np.where(rng.random((40, 25)) < 0.3, rng.integers(1, 4, (40, 25)), 0))
    user, item = matrix.nonzero()
    rows = pa.table({"user": user, "item": item, "rating": matrix.data.astype(np.float32)})
    own = SparkAlsParams(alpha=0.7, regularization=0.2)
    model = ALS(
        rank=4,
        maxIter=3,
        implicitPrefs=True,
        alpha=own.alpha,
        regParam=own.regularization,
        userCol="user",
        itemCol="item",
        ratingCol="rating",
        seed=1,
    ).fit(spark.createDataFrame(rows))
    users, items = (
        np.stack(frame.toPandas().sort_values("id")["features"].tolist())
        for frame in (model.userFactors, model.itemFactors)
    )
    gram = items.astype(np.float64).T @ items
    np.testing.assert_allclose(fold_in(matrix, items, gram, own), users, atol=2e-5)


# --- candidates and features


def local_lists(run: Path, names: list[str]) -> tuple:
    """History, target, factors and lists of the local code, from these sources."""
    with inside(run):
        history, target = load_fold(FOLD)
        settings, params = (
            section("sources", SourcesParams),
            section("candidates", CandidatesParams),
        )
        of_fold = factors.load(factors.FACTORS.format(fold=FOLD))
        embeddings = np.load(tables.EMBEDDINGS)[history.items]
        inputs = Inputs(history, embeddings, 1, of_fold, tables.read_tags(history.items))
    sources, fallback = fit_all(names, inputs, settings)
    lists = lists_of(history, sources, fallback, target.users, params.per_source)
    return of_fold, lists, settings, params.per_source


def with_local_factors(run: Path, tmp_path: Path) -> ItemSide:
    """The item side of the fold, with the items' factors of the local pipeline."""
    with np.load(run / f"data/als/{FOLD}.npz") as of_fold:
        np.save(tmp_path / "item_factors.npy", of_fold["item_factors"])
    return ItemSide(side_of(run).folder, tmp_path)


def test_candidates_are_those_of_the_local_sources(run: Path, tmp_path: Path) -> None:
    """With the same factors; and every source of Spark is asked, EASE of its popular items."""
    names = ["als", "item_knn", "ease", "recent_popular", "content"]
    of_fold, expected, settings, n = local_lists(run, names)
    side = with_local_factors(run, tmp_path)
    block = block_of(logs_of(run), side.window, side.items)
    sources = Sources(block.history, side, of_fold.user_factors, alive=0)
    fitted = {name: sources.source(name, getattr(settings, name, None)) for name in names}
    fallback = sources.source("recent_popular", settings.recent_popular)
    found = lists_of(block.history, fitted, fallback, block.target.users, n)
    pd.testing.assert_frame_equal(found.table().to_pandas(), expected.table().to_pandas())
    line = f"EASE knows the {EASE_KNOWS} most popular of {len(side.items)} items (max_items)"
    assert line in (run / "said.txt").read_text()


def test_only_items_of_the_last_windows_are_retrieved(run: Path) -> None:
    """As many as are asked for, where there are so many unseen ones."""
    side, n = side_of(run), 10
    block = block_of(logs_of(run), side.window, side.items)
    user_factors = np.random.default_rng(0).random((block.history.n_users, 8), dtype=np.float32)
    side.item_counts[0][::3, -1] = 0
    alive = side.alive(1)
    assert 0 < len(alive) < len(side.items)
    users = np.arange(block.history.n_users)
    seen = block.history.exposures.toarray()[:, alive] > 0
    with inside(run):
        settings = section("sources", SourcesParams)
    sources = Sources(block.history, side, user_factors, alive=1)
    for name in ("als", "item_knn", "ease", "recent_popular", "popular", "content"):
        found = sources.source(name, getattr(settings, name, None))(users, n).item
        assert np.isin(found[found >= 0], alive).all()
        assert not block.history.exposures.toarray()[users[:, None], found][found >= 0].any()
        if name not in ("item_knn", "ease"):  # which know fewer items
            assert ((found >= 0).sum(axis=1) == np.minimum(n, (~seen).sum(axis=1))).all()


def test_features_are_equal_on_the_same_candidates(run: Path, tmp_path: Path) -> None:
    """All families that Spark has, of warm and of cold users, in two blocks."""
    every = [
        *("als", "user", "item", "embedding", "popularity", "activity", "affinity"),
        *("recent_affinity", "demographics", "sources", "scores"),
    ]
    with inside(run):
        history, target = load_fold(FOLD)
        params = section("features", FeaturesParams)
        context = load_context(FOLD, history, params)
        lists = candidate_lists.concatenate(list(candidate_lists.read(FOLD)))
        everyone = serving(context, target.users, pq.read_table(tables.USERS))
    expected = feature_matrix(families_of(everyone, every), rows_of(lists, everyone.served.history))
    side, logs = with_local_factors(run, tmp_path), logs_of(run)
    found = []
    for part in (logs[:90], logs[90:]):
        block = block_of(part, side.window, side.items)
        known = history.user_of(block.history.users)
        of_block = context_of(block, side, context.factors.user_factors[known], params)
        own = lists.take(np.isin(lists.user, block.users))
        rows = rows_of(own, of_block.served.history)
        found.append(feature_matrix(families_of(of_block, every), rows))
    assert found[0].names == expected.names
    assert found[0].categorical == expected.categorical
    values = np.concatenate([matrix.values for matrix in found])
    np.testing.assert_allclose(values, expected.values, rtol=1e-5, atol=1e-5)


def test_examples_are_lists_of_spark_with_a_relevant_item(run: Path) -> None:
    """The labels and the number of relevant items, from the files of the two pipelines."""
    with inside(run):
        _, target = load_fold(FOLD)
    found = read_file(run / f"data/spark/features/{FOLD}/warm.parquet")
    local = read_file(run / f"data/features/{FOLD}.parquet")
    assert local.names == found.names
    assert np.array_equal(found.label, target.strength_of(found.user, found.item))
    n_relevant = np.bincount(target.user, minlength=int(found.user.max()) + 1)
    assert np.array_equal(found.n_relevant, n_relevant[found.user])
    assert (np.add.reduceat(found.label > 0, found.starts) > 0).all()
    lists = lists_in(pq.read_table(run / f"data/spark/candidates/{FOLD}").sort_by("user"), ["als"])
    kept = np.isin(lists.user, found.user)
    assert np.array_equal(lists.item[kept], found.item)


# --- results


def test_results_have_the_keys_and_the_lists_of_the_local_ones(run: Path) -> None:
    def keys(tree: object) -> object:
        return {k: keys(v) for k, v in tree.items()} if isinstance(tree, dict) else None

    for name in ("map.json", "validation.json", "test.json"):
        ours, theirs = (
            json.loads((run / folder / name).read_text()) for folder in ("metrics/spark", "metrics")
        )
        assert keys(ours) == keys(theirs)
        if name != "map.json":
            for key in ("n_lists", "n_users", "n_cold_users", "n_items"):
                assert ours[key] == theirs[key]
            assert ours["candidates"]["reachable"] == theirs["candidates"]["reachable"]
    ours, theirs = (
        json.loads((run / folder / "baselines.json").read_text())
        for folder in ("metrics/spark", "metrics")
    )
    for kind in ("validation", "test"):
        for name in ("popular", "recent_popular", "content", "ease"):
            assert ours[kind][name] == pytest.approx(theirs[kind][name], abs=1e-12)
    windows = [pd.read_csv(run / at / "windows.csv") for at in ("metrics/spark", "metrics")]
    shared = ["fold", "window", "n_lists", "popular", "recent_popular", "content", "ease"]
    pd.testing.assert_frame_equal(windows[0][shared], windows[1][shared])


def test_everybody_is_recommended_unseen_items(run: Path) -> None:
    found = pd.read_parquet(run / f"data/spark/recommendations/{FOLD}")
    local = pd.read_parquet(run / f"data/recommendations/{FOLD}.parquet")
    assert list(found.columns) == list(local.columns)
    assert set(found["user_id"]) == set(local["user_id"])
    ranks = found.sort_values("rank").groupby("user_id")["rank"].apply(list)
    assert ranks.tolist() == [list(range(1, 11))] * len(ranks)
    best_first = found.sort_values(["user_id", "rank"]).groupby("user_id")["score"]
    assert best_first.apply(lambda score: score.is_monotonic_decreasing).all()
    ids = [pq.read_table(run / f"data/{name}.parquet") for name in ("users", "items")]
    split = pd.read_parquet(run / "data/split/interactions.parquet")
    window = json.loads((run / f"data/split/folds/{FOLD}.json").read_text())["window"]
    seen = split[split["window"] < window]
    pairs = zip(
        ids[0]["user_id"].take(pa.array(seen["user"])).to_pylist(),
        ids[1]["item_id"].take(pa.array(seen["item"])).to_pylist(),
        strict=True,
    )
    assert not set(pairs) & set(zip(found["user_id"], found["item_id"], strict=True))


def test_per_user_results_make_up_the_metrics(run: Path) -> None:
    folds = [f for f in Path(run / "data/spark/per_user").iterdir() if f.name[0] == "v"]
    lists = pd.concat([pd.read_parquet(path) for path in folds])
    summary = json.loads((run / "metrics/spark/validation.json").read_text())
    for model in ("als", "hybrid"):
        assert lists[f"ap_{model}"].mean() == pytest.approx(summary[model]["map@10"])


# --- promises


def test_the_same_again_has_the_same_receipt(own: Path, spark: object) -> None:
    """But for ALS, whose last bits depend on the order in which blocks arrive."""
    path = own / "metrics/spark/receipts"
    before = {stage: (path / f"{stage}.json").read_text() for stage in ("windows", "candidates")}
    for stage in before:
        run_stage(stage, spark, own)
        assert (path / f"{stage}.json").read_text() == before[stage]


def test_a_data_set_of_another_run_is_refused(own: Path, spark: object) -> None:
    receipt = own / "data/spark/logs/_receipt.json"
    receipt.write_text(receipt.read_text().replace("rows", "row"))
    (receipt.parent / "._receipt.json.crc").unlink(missing_ok=True)
    with pytest.raises(InputError, match=r"logs: not what metrics/spark/receipts/windows.json"):
        run_stage("als", spark, own)


def test_the_driver_is_capped(run: Path, spark: object) -> None:
    """A planted collect of what grows with users x candidates fails with the cap, in one line."""
    from pyspark.sql import functions as F  # noqa: N812

    with inside(run):
        params = section("spark", SparkParams)
    rows = spark.read.parquet(str(run / f"data/spark/candidates/{FOLD}"))
    planted = rows.select("user", F.explode("candidate")).crossJoin(spark.range(300))
    with (
        pytest.raises(InputError, match="bigger than .*maxResultSize"),
        sessions.one_line_errors(params),
    ):
        planted.toArrow()


# --- failures in one line each


def last_line(values: dict[str, object], folder: Path, **environment: str) -> str:
    """What ingest ends with where params.yaml has these values."""
    (folder / "params.yaml").write_text((TOP / "params.yaml").read_text())
    Clone(folder, folder).set_params({**small(folder), **values})
    result = subprocess.run(
        [sys.executable, str(TOP / "stages/spark/ingest.py")],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


def test_no_java(tmp_path: Path) -> None:
    line = last_line({}, tmp_path, JAVA_HOME="/nowhere")
    assert line.startswith("ingest: /nowhere/bin/java: not found; Spark needs Java 17")


def test_an_old_java(tmp_path: Path) -> None:
    java = tmp_path / "bin/java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(0o755)
    line = last_line({}, tmp_path, JAVA_HOME=str(tmp_path))
    assert line.startswith(f"ingest: {java}: version 11; Spark needs Java 17")


def test_no_pyspark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with (
        pytest.raises(InputError, match=r"pyspark is not installed; pip install -r requirements-s"),
        inside(TOP),
        sessions.session(section("spark", SparkParams), "test"),
    ):
        pass


def test_a_master_that_nobody_answers(tmp_path: Path) -> None:
    line = last_line({"spark.master": "spark://127.0.0.1:9"}, tmp_path)
    assert "spark.master is 'spark://127.0.0.1:9': 127.0.0.1:9 cannot be reached" in line


def test_an_absent_path(tmp_path: Path) -> None:
    line = last_line({"spark.input": "/nowhere/at/all"}, tmp_path)
    assert line == "ingest: params.yaml: spark.input is '/nowhere/at/all': not found"


def test_a_checkpoint_folder_that_cannot_be_written(tmp_path: Path) -> None:
    movielens_like.write(tmp_path / "raw")
    values = {"data.path": str(tmp_path / "raw"), "spark.checkpoints": "/dev/full/checkpoints"}
    line = last_line(values, tmp_path)
    assert "/dev/full/checkpoints" in line


BAD_RATINGS = [
    ("\t2\t5\t9", "user_id is empty in 1 of 2 rows"),
    ("1\t2\t5", "timestamp is empty in 1 of 2 rows"),
    ("1\t2\tmany\t9", "rating is no number in 1 of 2 rows"),
    ("1\t2\tinf\t9", "rating is not finite in 1 of 2 rows"),
]


@pytest.mark.parametrize(("row", "line"), BAD_RATINGS)
def test_unfit_ratings_are_refused(row: str, line: str, spark: object, tmp_path: Path) -> None:
    """As the local reader does; empty lines are none."""
    path = tmp_path / "ml-1m.inter"
    header = "user_id:token\titem_id:token\trating:float\ttimestamp:float"
    path.write_text(f"{header}\n1\t3\t4\t7\n\n{row}\n")
    with pytest.raises(InputError, match=re.escape(line)):
        read_ratings(spark, str(path))


def test_a_full_disk() -> None:
    with inside(TOP):
        params = section("spark", SparkParams)
    text = "SparkException: ...\nCaused by: java.io.IOException: No space left on device"
    line = sessions.finding(text, params)
    assert line.startswith("no space left on a device; spark.checkpoints is ")
    assert sessions.finding("java.lang.IllegalStateException: a bug", params) is None


# --- more than one process


@pytest.mark.skipif(not Path("/proc").exists(), reason="an executor is found by /proc")
def test_a_cluster_of_processes_with_an_executor_killed(run: Path, tmp_path: Path) -> None:
    """Two executors, of which one dies with a block in hand: the lists are those of local[2]."""
    code = Path(__file__).with_name("spark_cluster.py")
    result = subprocess.run(
        [sys.executable, str(code), str(run), FOLD, str(tmp_path / "killed")],
        cwd=run,
        env={**os.environ, "PYTHONPATH": str(TOP / "stages")},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    receipts = json.loads((run / "metrics/spark/receipts/candidates.json").read_text())
    assert json.loads(result.stdout.splitlines()[-1]) == receipts[f"candidates/{FOLD}"]
    assert (tmp_path / "killed").exists()

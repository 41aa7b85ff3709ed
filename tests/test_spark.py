"""The pipeline on Spark, on local[2] and on a small cluster of processes, compared with the local
one on the same data.
"""

import contextlib
import importlib
import json
import re
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

from core import candidate_lists, factors, tables
from core.candidate_lists import CandidateListParams
from core.examples import read
from core.factors import Factors
from core.params import leaves, section
from core.script import InputError

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse

import movielens_like
import simulator
from clone import TOP, Clone
from families import FAMILIES, FeaturesParams, families_of, feature_matrix
from families.context import load_context, rows_of, serving
from histories import fold_of_files
from logs import UP_TO_RECOMMEND, run_mains, write_params
from models.model import Inputs, NoParams
from models.popular import recent_popular
from models.registry import CandidatesParams, ScoresParams, SourcesParams, fit_all
from models.scoring import Served
from models.scoring import candidate_lists as local_lists
from test_pipeline import check_lists, truth_of

pytest.importorskip("pyspark", reason="pyspark is not installed: requirements-spark.txt")
import spark as package
from spark.engine import data_sets, lists
from spark.engine import session as sessions
from spark.engine.als import fold_in
from spark.engine.blocks import Block, block_of, flat
from spark.engine.context import check_families, context_of
from spark.engine.item_side import ItemSide
from spark.engine.judging import Contending
from spark.engine.lists import Retrieval, lists_in
from spark.engine.models import models_in_use
from spark.params import SparkAlsParams, SparkParams, refuse_what_only_local_has

try:
    sessions.check_java()
except InputError as error:
    pytest.skip(str(error), allow_module_level=True)

STAGES = ("ingest", "windows", "als", "item_side", "candidates", "features", "ranker", "recommend")
STAGES += ("baselines", "evaluate")
FOLD = "validation"
EASE_KNOWS = 60  # of 150 items, so that there are others
QUICK_JVM = {  # which compiles less: there are few rows
    f"spark.{of}.extraJavaOptions": "-XX:TieredStopAtLevel=1" for of in ("driver", "executor")
}


def small(folder: Path) -> dict[str, object]:
    """Values of params.yaml; absolute paths, since the session started in another folder."""
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
    own = {"master": "local[2]", "driver_memory": "1g", "executor_memory": "1g", "partitions": 2}
    own |= {"max_result": "64m", "users_at_once": 64, "settings": QUICK_JVM}
    own["checkpoints"] = str(tmp_path_factory.mktemp("checkpoints"))
    with contextlib.chdir(TOP):
        params = section("spark", SparkParams).model_copy(update=own)
    before = signal.getsignal(signal.SIGINT)
    with sessions.session(params, "tests") as session:
        signal.signal(signal.SIGINT, before)  # Spark has one of its own
        yield session


def run_stage(name: str, spark: object, folder: Path) -> None:
    """The script's main() in this process, in the session that all share."""

    @contextlib.contextmanager
    def shared(params: SparkParams, _: str) -> Iterator[object]:
        with sessions.one_line_errors(params):
            spark.sparkContext.setCheckpointDir(params.checkpoints)
            yield spark

    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path])  # which scripts change
        script = importlib.import_module(f"spark.{name}")
        patch.setattr(data_sets, "session", shared)
        script.main()


@pytest.fixture(scope="session")
def run(
    clone: Clone, once: Callable[[str, Callable], Path], request: pytest.FixtureRequest
) -> Path:
    """Return the shared clone after all stages on Spark, to be read only."""

    def fill(folder: Path) -> None:
        copy = clone.copy(folder)
        copy.set_params({"folds": ["test", "test_2", FOLD, "label_1"], "als.iterations": 2})
        run_mains(copy.folder, *UP_TO_RECOMMEND[1:], "baselines", "evaluate")
        copy.set_params(small(copy.folder))
        spark = request.getfixturevalue("spark")
        for name in STAGES:
            run_stage(name, spark, copy.folder)

    return once("spark", fill) / "clone"


@pytest.fixture
def own(run: Path, tmp_path: Path) -> Path:
    """A copy of the run, for one test to change."""
    copy = Clone(run, run.parent).copy(tmp_path)
    copy.set_params(small(copy.folder))
    return copy.folder


def side_of(folder: Path) -> ItemSide:
    base = folder / "data/spark"
    return ItemSide(base / f"item_side/{FOLD}.items", base / f"als/{FOLD}.factors")


def logs_of(folder: Path) -> pa.Table:
    return pq.read_table(folder / "data/spark/logs").sort_by("user")


# --- the same tables, counts and neighbours


def test_logs_are_the_split(run: Path) -> None:
    logs = logs_of(run).to_pandas()
    split = pd.read_parquet(run / "data/split/interactions.parquet")
    assert np.array_equal(np.repeat(logs["user"], logs["item"].map(len)), split["user"])
    for name in ("item", "window", "is_positive", "strength"):
        assert np.array_equal(np.concatenate(logs[name].tolist()), split[name])
    windows = pd.read_parquet(run / "data/spark/windows")
    expected = pd.read_csv(run / "data/split/windows.csv")
    expected = expected.drop(columns=["n_tied", "part"], errors="ignore")
    pd.testing.assert_frame_equal(windows, expected, check_dtype=False)


def test_items_that_are_alive(run: Path) -> None:
    with contextlib.chdir(run):
        history, _ = fold_of_files(FOLD)
    side = side_of(run)
    side.item_counts[0][::3, -1] = 0  # or all items are alive
    assert side.alive(0) is None
    assert np.array_equal(side.alive(1), history.alive(1) & (np.arange(history.n_items) % 3 > 0))


@pytest.mark.parametrize("source", ["vk-lsvd", "vk-notebook"])
def test_vk_layouts_are_read_as_locally(source: str, spark: object, tmp_path: Path) -> None:
    """Simulated data: users, items, tags, embeddings, and the logs of all users."""
    write = simulator.write_lsvd if source == "vk-lsvd" else simulator.write_notebook
    write(tmp_path / "raw", users=60, items=200, rows=2_000, weeks=5, seed=3)
    for path in tmp_path.glob("raw/interactions/train/week_01.parquet"):
        path.unlink()  # the weeks around it count as consecutive
    data = {"source": source, "path": str(tmp_path / "raw"), "positive": "timespent > 5"}
    values = {"folds": ["test", FOLD, "label_1"], "split.windows": 3, **small(tmp_path)}
    write_params(tmp_path, values | {f"data.{key}": value for key, value in data.items()})
    run_mains(tmp_path, "ingest", "split")
    for name in ("ingest", "windows"):
        run_stage(name, spark, tmp_path)
    test_logs_are_the_split(tmp_path)
    schema = json.loads((tmp_path / "data/spark/schema/schema.json").read_text())
    for name, own in (("users", "user"), ("items", "item")):
        local = pd.read_parquet(tmp_path / f"data/tables/{name}.parquet")
        found = pd.read_parquet(tmp_path / f"data/spark/{name}")
        found = found.sort_values(own, ignore_index=True)
        assert found[f"{own}_id"].tolist() == local[f"{own}_id"].tolist()
        assert list(schema[name]) == list(local.columns[1:])
        for column, levels in schema[name].items():
            codes = local[column] if levels is None else local[column].cat.codes
            np.testing.assert_array_equal(found[column].fillna(-1), codes.fillna(-1))
    tags = sparse.load_npz(tmp_path / tables.TAGS)
    assert np.concatenate(found["tag"].tolist()).tolist() == tags.indices.tolist()
    embeddings = np.load(tmp_path / tables.EMBEDDINGS)
    assert np.array_equal(np.stack(found["embedding"].tolist()), embeddings, equal_nan=True)


# --- ALS


def test_folding_in_is_the_last_half_step_of_spark(spark: object) -> None:
    from pyspark.ml.recommendation import ALS

    rng = np.random.default_rng(0)
    matrix = sparse.csr_array(np.where(rng.random((40, 25)) < 0.3, rng.integers(1, 4, (40, 25)), 0))
    user, item = matrix.nonzero()
    rows = pa.table({"user": user, "item": item, "rating": matrix.data.astype(np.float32)})
    own = SparkAlsParams(alpha=0.7, regularization=0.2)
    params = {"alpha": own.alpha, "regParam": own.regularization, "implicitPrefs": True}
    model = ALS(rank=4, maxIter=3, seed=1, **params).fit(spark.createDataFrame(rows))
    users, items = (
        np.stack(frame.toPandas().sort_values("id")["features"].tolist())
        for frame in (model.userFactors, model.itemFactors)
    )
    np.testing.assert_allclose(fold_in(matrix, items, own), users, atol=2e-5)


# --- candidates and features


@pytest.mark.parametrize("alive_windows", [0, 1])
def test_candidates_are_the_local_ones(
    alive_windows: int, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same factors, in two blocks. Every third item was not shown in the last window."""
    with contextlib.chdir(run):
        history, target = fold_of_files(FOLD)
        params = section("candidates", CandidatesParams)
        params = params.model_copy(update={"alive_windows": alive_windows})
        settings = section("sources", SourcesParams)
        scores, in_use = section("features.scores", ScoresParams), models_in_use()
        als, rows = factors.load(factors.FOLDER / f"{FOLD}.npz"), history.items
        inputs = Inputs(history, np.load(tables.EMBEDDINGS)[rows], 1, als)
    alive = np.arange(history.n_items) % 3 > 0 if alive_windows else None
    fitted = fit_all(params, settings, scores, inputs)
    recent = recent_popular(inputs, settings.recent_popular)
    served = Served(history, fitted, params.sources, recent, params.per_source, alive)
    expected = local_lists(served, target.users, 1)

    def factors_of(block: Block, *_: object) -> Factors:
        known = als.user_factors[history.user_of(block.history.users)]
        return Factors(known, als.item_factors, block.history.users, als.items)

    np.save(tmp_path / "item_factors.npy", als.item_factors)
    side = ItemSide(side_of(run).folder, tmp_path)
    monkeypatch.setattr(lists, "factors_of", factors_of)
    monkeypatch.setattr(ItemSide, "alive", lambda _, windows: alive if windows else None)
    files = SimpleNamespace(open=lambda: side)
    retrieval = Retrieval(files, True, in_use, params, settings.recent_popular, None, None)
    logs = logs_of(run)
    parts = [retrieval(logs[:77]), retrieval(logs[77:])]
    found = candidate_lists.concatenate([lists_in(part) for part in parts])
    pd.testing.assert_frame_equal(found.table().to_pandas(), expected.table().to_pandas())
    users = pa.concat_tables(parts).to_pandas()
    assert users["user"].tolist() == target.users.tolist()
    is_found = target.strength_of(expected.user, expected.item) > 0
    for name, user in (("n_relevant", target.user), ("n_found", expected.user[is_found])):
        n = np.bincount(user, minlength=int(target.users.max()) + 1)
        assert users[name].tolist() == n[target.users].tolist()
    baselines = {"content": {0: NoParams()}, "popular": {0: NoParams()}}
    top = Contending(files, baselines, settings.recent_popular, alive_windows, 10)(logs)
    for name in ("items_content 0", "items_popular 0"):
        item = history.item_of(flat(top[name]))
        assert len(item) > 10 * len(users) / 2
        assert alive is None or alive[item].all()


def test_features_are_equal_on_the_same_candidates(run: Path) -> None:
    """All families that Spark has, of warm and of cold users, in two blocks."""
    every = [name for name in FAMILIES if name != "channels"]
    with contextlib.chdir(run):
        history, target = fold_of_files(FOLD)
        params = section("features", FeaturesParams)
        context = load_context(history, params)
        lists = candidate_lists.concatenate(list(candidate_lists.read(FOLD)))
        everyone = serving(context, target.users, pq.read_table(tables.USERS))
    expected = feature_matrix(families_of(everyone, every), rows_of(lists, everyone.served.history))
    side, logs = side_of(run), logs_of(run)
    found = []
    for part in (logs[:90], logs[90:]):
        block = block_of(part, side.window, side.items)
        of_block = context_of(block, side, params)
        own = lists.take(np.isin(lists.user, block.users))
        rows = rows_of(own, of_block.served.history)
        found.append(feature_matrix(families_of(of_block, every), rows))
    assert found[0].names == expected.names
    assert found[0].categorical == expected.categorical
    values = np.concatenate([matrix.values for matrix in found])
    np.testing.assert_allclose(values, expected.values, rtol=1e-5, atol=1e-5)


def test_examples_are_lists_of_spark_with_a_relevant_item(run: Path) -> None:
    """The labels and the number of relevant items, from the files of the two pipelines."""
    with contextlib.chdir(run):
        _, target = fold_of_files(FOLD)
    found = read("examples", run / f"data/spark/features/{FOLD}")
    local = read(FOLD, run / "data/features")
    assert (local.names, local.categorical) == (found.names, found.categorical)
    assert np.array_equal(found.label, target.strength_of(found.user, found.item))
    n_relevant = np.bincount(target.user, minlength=int(found.user.max()) + 1)
    assert np.array_equal(found.n_relevant, n_relevant[found.user])
    assert (np.add.reduceat(found.label > 0, found.starts) > 0).all()
    lists = lists_in(pq.read_table(run / f"data/spark/candidates/{FOLD}").sort_by("user"))
    kept = np.isin(lists.user, found.user)
    assert np.array_equal(lists.item[kept], found.item)


# --- results


def test_results_have_the_keys_and_the_lists_of_the_local_ones(run: Path) -> None:
    def both(name: str) -> list[dict]:
        texts = [(run / at / name).read_text() for at in ("metrics/spark", "metrics")]
        return [leaves(json.loads(text)) for text in texts]

    for name in ("map.json", "validation.json", "test.json"):
        ours, theirs = both(name)
        assert list(ours) == list(theirs)
        for key in ("n_lists", "n_users", "n_cold_users", "n_items", "candidates.reachable"):
            assert ours.get(key) == theirs.get(key)
    ours, theirs = both("baselines.json")
    same = [key for key in ours if re.match(r"\w+\.(popular|recent_popular|content|ease)\.", key)]
    assert len(same) > 20
    for key in same:
        assert ours[key] == pytest.approx(theirs[key], abs=1e-12)


def test_everybody_is_recommended_unseen_items(run: Path, clone: Clone) -> None:
    found = pd.read_parquet(run / f"data/spark/recommendations/{FOLD}").sort_values("rank")
    truth = truth_of(clone.data, FOLD)
    assert {*found["user_id"]} == truth.served
    check_lists(found, truth.exposed, len(truth.items))


# --- promises


def test_receipts(own: Path, spark: object) -> None:
    """The same run again has the same receipt. A data set of another run is refused."""
    path = own / "metrics/spark/receipts/windows.json"
    before = path.read_text()
    run_stage("windows", spark, own)
    assert path.read_text() == before
    receipt = own / "data/spark/logs/_receipt.json"
    receipt.write_text(receipt.read_text().replace("rows", "row"))
    (receipt.parent / "._receipt.json.crc").unlink(missing_ok=True)
    line = r"logs: does not match metrics/spark/receipts/windows.json"
    with pytest.raises(InputError, match=line):
        run_stage("als", spark, own)


# --- failures in one line each


def test_models_and_families_that_spark_lacks_are_refused(tmp_path: Path) -> None:
    def read_params() -> None:
        check_families(section("features", FeaturesParams))
        refuse_what_only_local_has(section("candidates", CandidateListParams))
        models_in_use()

    scores = "features.scores.item_knn_exposures.weighting"
    for key, value, line in (
        ("candidates.sources", ["als", "next_item"], "candidates.sources has next_item: only"),
        (scores, "bm25", "features.scores has item_knn with weighting bm25: only the local"),
        ("features.groups", ["item", "channels"], "features.groups has channels, which Spark lac"),
        ("candidates.new_items", "all", "candidates.new_items is all: must be none: only"),
        ("candidates.judged_users", 5, "candidates.judged_users is 5: must be 0: only"),
    ):
        write_params(tmp_path, {key: value})
        with contextlib.chdir(tmp_path), pytest.raises(InputError, match=f"params.yaml: {line}"):
            read_params()


@pytest.mark.parametrize(
    ("values", "java", "line"),
    [
        ({}, "/nowhere", "/nowhere/bin/java: not found; Spark needs Java 17"),
        ({"spark.checkpoints": "/dev/full/of"}, None, "spark.checkpoints is '/dev/full/of'"),
    ],
)
def test_failures_of_ingest(values: dict, java: str | None, line: str, tmp_path: Path) -> None:
    movielens_like.write(tmp_path / "raw")
    write_params(tmp_path, {**small(tmp_path), "data.path": "raw", **values})
    clone = Clone(tmp_path, tmp_path, {"JAVA_HOME": java} if java else {})
    result = clone.run(sys.executable, str(TOP / "stages/spark/ingest.py"), is_checked=False)
    assert result.returncode == 1
    assert "Traceback" not in result.stdout
    assert line in result.stdout.splitlines()[-1]


def test_no_pyspark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setattr(sys, "argv", [str(TOP / "stages/spark/ingest.py")])
    with pytest.raises(SystemExit, match="pyspark is not installed; pip install -r requirements-s"):
        runpy.run_path(package.__file__)  # a session may have put a copy of it on the path


# --- more than one process


def test_a_cluster_of_processes_with_an_executor_killed(own: Path) -> None:
    """Two executors, of which one dies at work: the lists of all folds are those of local[2]."""
    receipts = own / "metrics/spark/receipts/candidates.json"
    expected = receipts.read_text()
    receipts.unlink()
    cluster = {"spark.master": "local-cluster[2,1,1024]", "spark.executor_memory": "1g"}
    Clone(own, own).set_params(cluster)
    command = [sys.executable, str(TOP / "stages/spark/candidates.py")]
    with subprocess.Popen(command, cwd=own) as stage:
        while stage.poll() is None and not (executor := executor_at_work(stage.pid)):
            time.sleep(0.05)
        executor.kill()
        assert stage.wait(300) == 0
    assert receipts.read_text() == expected


def executor_at_work(process: int) -> psutil.Process | None:
    """One below the process that has a worker: a child of the daemon that the executor started."""
    for one in psutil.Process(process).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if all("pyspark.daemon" in of.cmdline() for of in (one, one.parent())):
                return one.parent().parent()
    return None

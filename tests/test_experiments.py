"""The scripts that people run, under the real DVC: compare, search, submit; and results handed on.

What is right is computed here from the files of each revision, or is what `evaluate` says.
"""

import csv
import io
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from alone import run_alone
from clone import FOLDS, SMALL, Clone
from test_pipeline import column, exp_table, running, wait_for

VALIDATION = [fold for fold in FOLDS if fold.startswith("validation")]
SEARCH = ("als.factors=8,4", "als.alpha=1.0")
LIKE_NOW, NARROW = "search-factors8-alpha1.0", "search-factors4-alpha1.0"
KEPT = ("params.yaml", "dvc.lock", "stages", "metrics")


def tool(clone: Clone, name: str, *arguments: str, is_checked: bool = True) -> str:
    """What a script says; that it fails, and in one line, where it is not checked."""
    result = clone.run(sys.executable, f"stages/{name}.py", *arguments, is_checked=is_checked)
    if not is_checked:
        assert result.returncode == 1, result.stdout
        assert "Traceback" not in result.stdout
    return result.stdout


def compared(clone: Clone, *arguments: str) -> dict:
    return json.loads(tool(clone, "compare", *arguments, "--json"))


@pytest.fixture(scope="module")
def tried(
    clone: Clone,
    once: Callable[[str, Callable], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Clone:
    """A copy of the clone with two trials of ALS and a whole experiment, `few`. To be read only."""

    def fill(folder: Path) -> None:
        copy = clone.copy(folder)
        copy.dvc("exp", "run", "--name", "few", "-S", "ranker.num_leaves=3")
        copy.run("git", "checkout", "--quiet", "HEAD", "--", "params.yaml", "dvc.lock", "metrics")
        copy.dvc("checkout")
        tool(copy, "search", *SEARCH)

    folder = once("tried", fill)
    return Clone(folder / "clone", clone.data).copy(tmp_path_factory.mktemp("tried"))


@pytest.fixture
def tried_copy(tried: Clone, tmp_path: Path) -> Clone:
    """One to be changed."""
    return tried.copy(tmp_path)


# --- compare


def per_user(clone: Clone, branch: str, folder: Path) -> pd.DataFrame:
    """The per-user files of a branch or experiment, as a checkout has them."""
    clone.run("git", "worktree", "add", "--quiet", "--detach", str(folder), branch)
    own = Clone(folder, clone.data)
    own.dvc("config", "--local", "cache.dir", str(clone.folder / ".dvc/cache/files/md5/../.."))
    own.dvc("checkout", "data/per_user")
    frames = [pd.read_parquet(folder / f"data/per_user/{fold}.parquet") for fold in VALIDATION]
    return pd.concat(frames, keys=VALIDATION, names=["fold"]).reset_index("fold")


def test_compare_agrees_with_a_plain_recomputation(tried_copy: Clone, tmp_path: Path) -> None:
    tried_copy.dvc("exp", "branch", "few", "few-branch")
    frames = [per_user(tried_copy, name, tmp_path / name) for name in ("main", "few-branch")]
    old, new = frames
    assert old["user_id"].tolist() == new["user_id"].tolist()
    found = compared(tried_copy, "main", "few")
    (run,) = found["runs"]
    assert (found["n_lists"], found["n_users"]) == (len(old), old["user_id"].nunique())
    for metric, name in (("map@10", "ap_hybrid"), ("ndcg@10", "ndcg_hybrid")):
        test, delta = run["differences"][metric], new[name] - old[name]
        assert test["difference"] == pytest.approx(delta.mean(), abs=1e-12)
        counts = [(delta > 0).sum(), (delta == 0).sum(), (delta < 0).sum()]
        assert [test["wins"], test["ties"], test["losses"]] == counts
        rng, by_user = np.random.default_rng(3), delta.groupby(old["user_id"])
        sums, sizes = by_user.sum().to_numpy(), by_user.size().to_numpy()
        drawn = rng.integers(len(sums), size=(2000, len(sums)))
        means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
        error = 2.7 * means.std() * (1 / SMALL["evaluate.n_resamples"] + 1 / 2000) ** 0.5
        for key, quantile in (("ci95_low", 0.025), ("ci95_high", 0.975)):
            assert test[key] == pytest.approx(np.quantile(means, quantile), abs=3 * error)
    for row in run["windows"]:
        rows = old["fold"] == row["fold"]
        assert row["n_lists"] == rows.sum()
        assert row["map"] == pytest.approx(new[rows]["ap_hybrid"].mean(), abs=1e-12)
    assert run["params"] == {"ranker.num_leaves": [15, 3]}
    assert run["code"] == []


def test_compare_says_what_evaluate_says(tried: Clone) -> None:
    """Of the means, and of what the seeds are worth."""
    for kind, model in (("validation", "hybrid"), ("validation", "ease"), ("test", "als")):
        tree = json.loads((tried.folder / f"metrics/{kind}.json").read_text())
        tree |= json.loads((tried.folder / "metrics/baselines.json").read_text())[kind]
        found = compared(tried, "main", "--fold", kind, "--model", model)
        for metric in ("map@10", "ndcg@10"):
            assert found["reference"][metric] == pytest.approx(tree[model][metric], abs=1e-12)
    (run,) = compared(tried, "main", "few")["runs"]
    sd = [metrics_of(tried, one)["hybrid"]["seed_sd"] for one in ("main", "few")]
    assert run["seeds"]["sd"] == pytest.approx(np.hypot(*sd))


def metrics_of(clone: Clone, name: str, kind: str = "validation") -> dict:
    """What metrics/ says of a kind of folds in a branch or an experiment."""
    commit = name if name == "main" else exp_commit(clone, name)
    return json.loads(clone.run("git", "show", f"{commit}:metrics/{kind}.json").stdout)


def exp_commit(clone: Clone, name: str) -> str:
    refs = clone.run("git", "for-each-ref", "refs/exps", "--format=%(objectname) %(refname)").stdout
    (commit,) = [line.split()[0] for line in refs.splitlines() if line.endswith(f"/{name}")]
    return commit


def test_either_order_gives_mirrored_figures(tried: Clone) -> None:
    (one,), (other,) = (compared(tried, *of)["runs"] for of in (("main", "few"), ("few", "main")))
    for metric, test in one["differences"].items():
        mirror = other["differences"][metric]
        assert test["difference"] == -mirror["difference"] != 0
        assert test["ci95_low"] == -mirror["ci95_high"]
        assert test["p_value"] == mirror["p_value"]
        assert test["wins"] == mirror["losses"]


def test_a_run_against_itself(tried: Clone) -> None:
    """main is also what the workspace has."""
    for run in compared(tried, "main", "main", "workspace")["runs"]:
        for test in run["differences"].values():
            assert (test["difference"], test["p_value"], test["p_holm"]) == (0, 1, 1)
        assert run["params"] == {}


def test_compare_for_people(tried: Clone) -> None:
    text = tool(tried, "compare", "main", "few")
    assert text.startswith("MAP@10 of hybrid on validation: ")
    assert text.splitlines()[-1].startswith("few is ")
    assert "ranker.num_leaves  15  " in " ".join(text.split()).replace(" 15 ", "  15  ")
    markdown = tool(tried, "compare", "main", "few", "--markdown").splitlines()
    assert markdown[0].startswith("- few is ")
    assert (
        "| revision | MAP@10 | difference | 95 % interval | p | wins | ties | losses |" in markdown
    )


def test_compare_on_a_terminal(tried: Clone) -> None:
    """Drawn with lines."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "stages/compare.py", "main", "few"],
        cwd=tried.folder,
        env={**tried.environment, "COLUMNS": "120", "TERM": "xterm"},
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        parts = []
        while process.poll() is None or parts[-1]:
            try:
                parts.append(os.read(ours, 65536))
            except OSError:  # the other end is closed
                break
    os.close(ours)
    assert process.returncode == 0
    assert "┏" in b"".join(parts).decode()


def test_what_is_not_to_be_had_is_one_line(tried: Clone, tried_copy: Clone) -> None:
    assert "nope: no branch, commit or experiment" in tool(
        tried, "compare", "main", "nope", is_checked=False
    )
    assert "has no column ap_nope" in tool(
        tried, "compare", "main", "--model", "nope", is_checked=False
    )
    assert f"{NARROW}: only ALS was judged there" in tool(
        tried, "compare", "main", NARROW, is_checked=False
    )
    tried_copy.set_params({"ranker.num_leaves": 5})
    lines = tool(tried_copy, "compare", "main", is_checked=False).splitlines()
    assert lines == [
        "compare: workspace: `evaluate` ran before params.yaml was changed: ranker.num_leaves is "
        "5, not 15; run dvc repro there and commit"
    ]
    cache = tried_copy.folder / ".dvc/cache"
    cache.rename(cache.with_name("elsewhere"))
    lines = tool(tried_copy, "compare", "main", "few", is_checked=False).splitlines()
    assert len(lines) == 1
    assert (
        "main: data/per_user/validation.parquet is neither in the cache nor in a remote" in lines[0]
    )


def test_compare_in_a_subfolder_of_another_repository(tried: Clone, tmp_path: Path) -> None:
    """Where DVC does not look for a revision's files by itself."""
    inner = Clone(tmp_path / "other" / "deep" / "here", tried.data)
    shutil.copytree(tried.folder, inner.folder, ignore=shutil.ignore_patterns(".git"))
    outer = Clone(tmp_path / "other", tried.data)
    outer.run("git", "init", "--quiet", "--initial-branch=main")
    outer.commit()
    found, expected = (compared(one, "main", "workspace")["reference"] for one in (inner, tried))
    assert found["map@10"] == expected["map@10"]


def test_other_windows_are_refused(tried_copy: Clone) -> None:
    tried_copy.dvc("exp", "apply", LIKE_NOW)
    stage = "stages/trial/dvc.yaml:als_alone"
    tried_copy.dvc("exp", "run", "--name", "windows", "-S", "split.windows=8", stage)
    line = tool(tried_copy, "compare", "main", "windows", "--model", "als", is_checked=False)
    assert line.startswith("compare: main and windows cannot be compared: their target windows are")


def test_dvc_compares_too(tried_copy: Clone) -> None:
    """The workspace, as it is after an experiment, with the last commit; and all in one table."""
    tried_copy.dvc("exp", "apply", "few")
    old, new = (metrics_of(tried_copy, name, "test") for name in ("main", "few"))
    assert old["hybrid"]["map@10"] != new["hybrid"]["map@10"]
    diff = json_of(tried_copy, "metrics", "diff", "--json")
    assert diff.keys() == {"metrics/map.json"}
    assert diff["metrics/map.json"]["test.hybrid"]["old"] == old["hybrid"]["map@10"]
    assert diff["metrics/map.json"]["test.hybrid"]["new"] == new["hybrid"]["map@10"]
    assert len(tried_copy.dvc("metrics", "diff").stdout.splitlines()) < 16
    diff = json_of(tried_copy, "params", "diff", "--json")
    assert diff["params.yaml"].keys() == {"ranker.num_leaves"}
    assert diff["params.yaml"]["ranker.num_leaves"].items() >= {"old": 15, "new": 3}.items()
    table = exp_table(tried_copy)
    assert table.loc[["main", "few"], "ranker.num_leaves"].tolist() == [15, 3]
    shown = table.loc["few", column(table, "test.hybrid")]
    assert float(shown) == pytest.approx(new["hybrid"]["map@10"], rel=1e-4)


# --- search


def test_a_trial_of_als_is_what_evaluate_says_of_als(tried: Clone) -> None:
    expected = {"als": metrics_of(tried, "main")["als"]}
    assert metrics_of(tried, LIKE_NOW, "als_alone") == expected
    (run,) = compared(tried, "main", LIKE_NOW, "--model", "als")["runs"]
    assert run["differences"]["map@10"]["ties"] == metrics_of(tried, "main")["n_lists"]
    assert run["params"] == {}
    (run,) = compared(tried, "main", NARROW, "--model", "als")["runs"]
    assert run["params"] == {"als.factors": [8, 4]}


def test_search_leaves_everything_as_it_was(clone: Clone, tried: Clone) -> None:
    assert tried.content(*KEPT) == clone.content(*KEPT)
    assert tried.run("git", "status", "--porcelain").stdout == ""
    assert not (tried.folder / "data/als_alone").exists()
    assert "up to date" in tried.dvc("repro").stdout


def test_trials_are_experiments(tried_copy: Clone) -> None:
    """One can show, branch, apply them; of other stages they have no results."""
    frame = pd.read_csv(io.StringIO(tried_copy.dvc("exp", "show", "--csv").stdout))
    frame = frame.set_index("Experiment")
    assert frame.loc[[LIKE_NOW, NARROW], "als.factors"].tolist() == [8, 4]
    assert frame.loc[[LIKE_NOW, NARROW], "als.map@10"].astype(float).gt(0).all()
    assert frame.loc[[LIKE_NOW, NARROW], "validation.hybrid"].tolist() == ["!", "!"]
    tried_copy.dvc("exp", "branch", NARROW, "narrow")
    assert compared(tried_copy, "main", "narrow", "--model", "als")["runs"][0]["params"]
    tried_copy.dvc("exp", "apply", NARROW)
    tried_copy.run_stages("als")
    tree = json.loads((tried_copy.folder / "metrics/validation.json").read_text())
    shown = json.loads((tried_copy.folder / "metrics/als_alone.json").read_text())
    assert shown == {"als": tree["als"]}


def test_the_stage_of_a_trial_runs_on_its_declared_deps_alone(
    tried_copy: Clone, tmp_path: Path
) -> None:
    tried_copy.dvc("exp", "apply", LIKE_NOW)
    entry = YAML(typ="safe").load(tried_copy.folder / "stages/trial/dvc.lock")["stages"][
        "als_alone"
    ]
    assert run_alone(tried_copy, entry, tmp_path / "box") == ""


def table_of(text: str) -> list[str]:
    """The ranked table and the command, without what was run or not."""
    return [line for line in text.splitlines() if not line.startswith("search: ")]


def test_a_second_call_runs_nothing(tried_copy: Clone) -> None:
    before = tried_copy.run("git", "for-each-ref").stdout
    text = tool(tried_copy, "search", *SEARCH)
    assert text.startswith("search: 2 of 2 settings are experiments already\n")
    assert tried_copy.run("git", "for-each-ref").stdout == before
    rows = [line.split() for line in table_of(text) if line.startswith("search-")]
    maps = [float(row[3]) for row in rows]
    assert maps == sorted(maps, reverse=True)
    (run,) = compared(tried_copy, rows[0][0], rows[1][0], "--model", "als")["runs"]
    assert float(rows[1][4]) == pytest.approx(run["differences"]["map@10"]["difference"], abs=5e-5)
    factors = rows[0][1]
    assert (
        text.splitlines()[-1] == f"Apply it: dvc exp run -S als.factors={factors} -S als.alpha=1.0"
    )


def test_a_search_of_the_whole_pipeline(tried_copy: Clone, tried: Clone) -> None:
    text = tool(tried_copy, "search", "ranker.num_leaves=3,15", "--name", "whole")
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line[:6] == "whole-"}
    found = compared(tried, "main", "few")
    assert float(rows["whole-num_leaves3"][2]) == pytest.approx(
        found["runs"][0]["map@10"], abs=5e-5
    )
    assert text.splitlines()[-1].startswith("Apply it: dvc exp apply whole-num_leaves")
    assert tried_copy.content(*KEPT) == tried.content(*KEPT)
    assert tried_copy.run("git", "status", "--porcelain").stdout == ""
    assert "up to date" in tried_copy.dvc("status").stdout


def test_a_failing_trial(tried: Clone, tried_copy: Clone) -> None:
    """Even where the user has changes of their own, in the index and not."""
    params = tried_copy.folder / "params.yaml"
    params.write_text(params.read_text() + "# mine\n")
    (tried_copy.folder / "README.md").write_text("mine\n")
    tried_copy.run("git", "add", "README.md")
    before = tried_copy.content(*KEPT), tried_copy.run("git", "status", "--porcelain").stdout
    text = tool(tried_copy, "search", "als.factors=6,-5,7", "--name", "bad", is_checked=False)
    assert text.splitlines()[-1] == (
        "search: bad-factors-5 (als.factors=-5) failed: als_alone: params.yaml: als.factors is -5: "
        "must be greater than or equal to 1"
    )
    after = tried_copy.content(*KEPT), tried_copy.run("git", "status", "--porcelain").stdout
    assert after == before
    names = tried_copy.dvc("exp", "list", "--name-only").stdout.split()
    assert "bad-factors6" in names
    assert not {"bad-factors-5", "bad-factors7"} & set(names)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_search_goes_on(tried: Clone, tried_copy: Clone, number: int) -> None:
    """To the table of one that was not interrupted."""
    whole = table_of(tool(tried_copy, "search", *SEARCH))
    tried_copy.dvc("exp", "remove", LIKE_NOW, NARROW)
    shutil.rmtree(tried_copy.folder / ".dvc/cache/runs")
    process = subprocess.Popen(
        [sys.executable, "stages/search.py", *SEARCH],
        cwd=tried_copy.folder,
        env=tried_copy.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    first = process.stdout.readline()  # of the first trial
    assert first.startswith("search: 1 of 2: als.factors=8 als.alpha=1.0"), first
    assert wait_for(lambda: running(tried_copy, "stages/als_alone.py"), 60)
    process.send_signal(number)
    rest, _ = process.communicate(timeout=120)
    assert wait_for(lambda: not running(tried_copy, "stages/als_alone.py"), 60)
    if number == signal.SIGTERM:
        assert process.returncode == 130
        assert rest == "search: interrupted; no half-written output is left\n"
        assert tried_copy.content(*KEPT) == tried.content(*KEPT)
        assert tried_copy.run("git", "status", "--porcelain").stdout == ""
    text = tool(tried_copy, "search", *SEARCH)
    assert "search: 1 of 2 settings are experiments already" in text
    assert table_of(text) == whole
    assert tried_copy.content(*KEPT) == tried.content(*KEPT)
    assert tried_copy.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("als.factor=1",), "als.factor is not a parameter; did you mean als.factors?"),
        (("als.factors=1..9:log",), "als.factors is a range, to draw from: add --draws N"),
        (("als.factors=1", "--draws", "0"), "--draws 0: must be at least 1 and at most 10,000"),
        (("als.factors=1", "--draws", "x"), "argument --draws: invalid int value: 'x'; usage"),
        (("als.factors=1", "--metric", "als.map@5"), "--metric als.map@5: must be als or hybrid"),
        (
            ("ranker.num_leaves=1", "--metric", "als.map@10"),
            "ranker.num_leaves does not change als",
        ),
        (("split.windows=5,6",), "split.windows changes the lists that settings are judged by"),
        (("als.factors=4", "als.factors=5"), "als.factors is given twice"),
        (("als.factors=4", "--name", "a b"), "--name a b: must be letters"),
    ],
)
def test_bad_searches_are_one_line(tried: Clone, arguments: tuple[str, ...], reason: str) -> None:
    lines = tool(tried, "search", *arguments, is_checked=False).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"search: {reason}")


# --- submit


def test_submission(clone: Clone, copied: Clone) -> None:
    text = tool(copied, "submit")
    assert text.startswith("submit: submission.csv: ")
    tool(copied, "submit", "validation", "--out", "mine/validation.csv")
    for fold, name in (("test", "submission.csv"), ("validation", "mine/validation.csv")):
        expected = pd.read_parquet(clone.folder / f"data/recommendations/{fold}.parquet")
        expected = expected.sort_values("rank").sort_values("user_id", kind="stable")
        with (copied.folder / name).open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        assert header == ["user_id", "item_id"]
        assert sorted(map(tuple, rows)) == sorted(
            expected[["user_id", "item_id"]].itertuples(index=False, name=None)
        )
        lists, theirs = {}, expected.groupby("user_id")["item_id"].agg(list).to_dict()
        for user, item in rows:
            lists.setdefault(user, []).append(item)
        assert lists == theirs
    assert copied.run("git", "status", "--porcelain", "submission.csv").stdout == ""
    line = tool(copied, "submit", "nope", is_checked=False)
    assert "FOLD is one of test, test_2, validation, validation_2" in line


# --- handed on


def test_results_are_pulled_without_running_a_stage(copied: Clone, tmp_path: Path) -> None:
    """By a remote that is a folder; before the pull, `compare` reads from the remote."""
    copied.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    copied.dvc("push")
    copied.commit()
    fresh = Clone(tmp_path / "fresh/clone", copied.data)
    copied.run("git", "clone", "--quiet", str(copied.folder), str(fresh.folder))
    (run,) = compared(fresh, "main", "workspace")["runs"]
    assert run["differences"]["map@10"]["ties"] == compared(copied, "main")["n_lists"]
    fresh.dvc("pull")
    assert "Data and pipelines are up to date." in fresh.dvc("status").stdout
    assert fresh.run("git", "status", "--porcelain").stdout == ""
    assert fresh.content("data/recommendations") == copied.content("data/recommendations")
    assert "Running" not in fresh.dvc("repro").stdout


# --- what the DVC extension of VS Code reads


def json_of(clone: Clone, *arguments: str) -> dict | list:
    """What a command of DVC says as JSON, which is one line."""
    lines = clone.dvc(*arguments).stdout.splitlines()
    (line,) = [line for line in lines if line.startswith(("{", "["))]
    return json.loads(line)


def test_table_for_vs_code(tried: Clone) -> None:
    """Rows of revisions, each with its parameters, and with metrics or an error."""
    rows = json_of(tried, "exp", "show", "--json")
    assert [row["rev"] == "workspace" for row in rows] == [True, False]
    for row in rows:
        assert row["error"] is None
        assert row["data"]["params"]["params.yaml"]["data"]["als"]["factors"] == 8
        shown = row["data"]["metrics"]["metrics/map.json"]["data"]
        assert shown.keys() == {"validation", "test"}
    experiments = {run["name"]: run["revs"][0]["data"] for run in rows[1]["experiments"]}
    assert experiments.keys() == {"few", LIKE_NOW, NARROW}
    few, narrow = experiments["few"], experiments[NARROW]
    assert few["params"]["params.yaml"]["data"]["ranker"]["num_leaves"] == 3
    assert narrow["metrics"]["metrics/als_alone.json"]["data"]["als"]["map@10"] > 0
    assert "data" not in narrow["metrics"]["metrics/map.json"]


def test_plots_for_vs_code(tried_copy: Clone) -> None:
    """Of every plot the data of both revisions and what Vega draws of it, or two pictures."""
    told = ("plots", "diff", "main", "few", "--json", "--split", "-o", ".dvc/tmp/plots")
    plots = json_of(tried_copy, *told)
    assert plots.keys() == {"data"}  # and no errors
    declared = [next(iter(plot)) for plot in tried_copy.yaml("dvc.yaml")["plots"]]
    assert {name for name in plots["data"] if not name.endswith(".png")} == set(declared)
    assert {"metrics/windows.png", "metrics/results.png"} <= plots["data"].keys()
    for name, entries in plots["data"].items():
        if name.endswith(".png"):
            assert [(one["type"], one["revisions"]) for one in entries] == [
                ("image", ["main"]),
                ("image", ["few"]),
            ]
            assert all(Path(one["url"]).is_file() for one in entries)
            continue
        (entry,) = entries
        assert (entry["type"], entry["revisions"]) == ("vega", ["main", "few"])
        points = entry["anchor_definitions"]["<DVC_METRIC_DATA>"]
        assert {point["rev"] for point in points} == {"main", "few"}
        assert entry["content"]["$schema"].startswith("https://vega.github.io/schema/")

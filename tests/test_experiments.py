"""The scripts that people run, under the real DVC: compare, search, submit; and results handed on.

What is right is computed here from the files of each revision, or is what `evaluate` says.
"""

import contextlib
import copy
import functools
import importlib
import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from core.script import InputError

import numpy as np
import pandas as pd
import pytest

import search
from clone import FOLDS, TOP, Clone, wait_until
from experiments.outcome import contradiction, params_of
from experiments.revision import WORKSPACE, Revision
from experiments.trials import Trial
from test_pipeline import lists_of, metrics_of, truth_of

VALIDATION = [fold for fold in FOLDS if fold.startswith("validation")]
SEARCH = ("als.factors=8,4", "als.alpha=1.0")
KEPT = ("params.yaml", "dvc.lock", "stages", "metrics")


def example(name: str) -> str:
    """An example of metrics/README.md."""
    text = (TOP / "metrics/README.md").read_text(encoding="utf-8")
    return text.split(f"<!-- example: {name} -->")[1].split("```")[1].removeprefix("sh\n")


def tool(clone: Clone, name: str, *arguments: str, is_checked: bool = True) -> str:
    """Return the output of a script."""
    result = clone.run(sys.executable, f"stages/{name}.py", *arguments, is_checked=is_checked)
    assert is_checked or (result.returncode == 1 and "Traceback" not in result.stdout)
    return result.stdout


def called(clone: Clone, name: str, *arguments: str) -> str:
    """Return what a script prints, called in this process, which is faster."""
    with (
        contextlib.chdir(clone.folder),
        mock.patch.dict(os.environ, clone.environment, clear=True),
        contextlib.redirect_stdout(io.StringIO()) as printed,
    ):
        importlib.import_module(name).main([*arguments])
    return printed.getvalue()


def refusal(clone: Clone, name: str, *arguments: str) -> str:
    """Return the one line of a script that fails."""
    with pytest.raises(InputError) as error:
        called(clone, name, *arguments)
    assert "\n" not in str(error.value)
    return f"{name}: {error.value}"


def compared(clone: Clone, *arguments: str) -> dict:
    return json.loads(called(clone, "compare", *arguments, "--json"))


def state(clone: Clone) -> tuple[dict[str, bytes], str, str]:
    """Return everything that a search must not change."""
    status = clone.run("git", "status", "--porcelain", "--branch").stdout
    *_, last = clone.dvc("status", "dvc.yaml").stdout.splitlines()  # after DVC's warnings
    return clone.content(*KEPT), status, last


@pytest.fixture(scope="module")
def tried(
    clone: Clone,
    once: Callable[[str, Callable], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Clone:
    """A copy of the clone with an experiment, `few`, and a search of ALS. To be read only."""

    def fill(folder: Path) -> None:
        copy = clone.copy(folder)
        before = state(copy)
        copy.dvc("exp", "run", "--name", "few", "-S", "ranker.num_leaves=3")
        assert state(copy) != before
        copy.run("bash", "-c", example("back"))
        assert state(copy) == before
        tool(copy, "search", *SEARCH)

    folder = once("tried", fill)
    return Clone(folder / "clone", clone.data).copy(tmp_path_factory.mktemp("tried"))


@pytest.fixture
def tried_copy(tried: Clone, tmp_path: Path) -> Clone:
    """One to be changed."""
    return tried.copy(tmp_path)


# --- compare


def of_validation(clone: Clone, name: str) -> pd.DataFrame:
    """Return the files of the validation folds in a folder below data/."""
    frames = [pd.read_parquet(clone.folder / f"data/{name}/{fold}.parquet") for fold in VALIDATION]
    return pd.concat(frames, keys=VALIDATION, names=["fold"]).reset_index("fold")


def test_compare_agrees_with_a_plain_recomputation(tried_copy: Clone) -> None:
    old = of_validation(tried_copy, "per_user")
    tried_copy.dvc("exp", "apply", "few")
    new = of_validation(tried_copy, "per_user")
    assert old["user_id"].tolist() == new["user_id"].tolist()
    found = compared(tried_copy, "main", "few")
    (run,) = found["runs"]
    assert (found["n_lists"], found["n_users"]) == (len(old), old["user_id"].nunique())
    for metric, name in (("map@10", "ap_hybrid"), ("ndcg@10", "ndcg_hybrid")):
        test, delta = run["differences"][metric], new[name] - old[name]
        assert test["difference"] == pytest.approx(delta.mean(), abs=1e-12)
        counts = [(delta > 0).sum(), (delta == 0).sum(), (delta < 0).sum()]
        assert [test["wins"], test["ties"], test["losses"]] == counts
        assert test["ci95_low"] < test["difference"] < test["ci95_high"]
    for row in run["windows"]:
        rows = old["fold"] == row["fold"]
        assert row["n_lists"] == rows.sum()
        assert row["map"] == pytest.approx(new[rows]["ap_hybrid"].mean(), abs=1e-12)
    assert run["params"] == {"ranker.num_leaves": [15, 3]}
    assert run["code"] == []


def test_compare_says_what_evaluate_says(tried: Clone) -> None:
    for kind, model in (("validation", "ease"), ("test", "hybrid")):
        tree = shown(tried, "main", kind) | shown(tried, "main", "baselines")[kind]
        found = compared(tried, "main", "--fold", kind, "--model", model)
        for metric in ("map@10", "ndcg@10"):
            assert found["reference"][metric] == pytest.approx(tree[model][metric], abs=1e-12)
    (run,) = compared(tried, "main", "few")["runs"]
    sd = [shown(tried, one)["hybrid"]["seed_sd"] for one in ("main", "few")]
    assert run["seed_sd"] == pytest.approx(np.hypot(*sd))


def shown(clone: Clone, name: str, kind: str = "validation") -> dict:
    """Return the metrics of a kind of folds in a branch or an experiment."""
    refs = clone.run("git", "for-each-ref", "--format=%(objectname) %(refname)").stdout.splitlines()
    (commit,) = [line.split()[0] for line in refs if line.endswith(f"/{name}")]
    return json.loads(clone.run("git", "show", f"{commit}:metrics/{kind}.json").stdout)


def test_compare_for_people(tried: Clone) -> None:
    """main is also what the workspace has."""
    text = called(tried, "compare", "main", "few", "workspace")
    assert text.startswith("MAP@10 of hybrid on validation: ")
    first, second = text.splitlines()[-2:]
    assert first.startswith("few is ")
    assert second.startswith("workspace is not significantly different from main: MAP@10 0.0000")
    assert "few ranker.num_leaves 15 3 workspace nothing" in " ".join(text.split())
    assert called(tried, "compare", "main", "few", "--markdown").startswith("- few is ")


def test_given_lists(tried: Clone, tmp_path: Path) -> None:
    """The hybrid's own lists, and those of one fold reversed, without the first user."""
    own = of_validation(tried, "recommendations").drop(columns="score")
    own.sample(frac=1, random_state=0).to_csv(tmp_path / "own.csv", index=False)
    (run,) = compared(tried, "--lists", str(tmp_path / "own.csv"))["runs"]
    assert run["map@10"] > 0
    for test in run["differences"].values():
        assert (test["difference"], test["wins"], test["losses"]) == (0, 0, 0)

    judged = pd.read_parquet(tried.folder / "data/per_user/validation_2.parquet")
    gone, *users = judged["user_id"]
    lists = own[(own["fold"] == "validation_2") & (own["user_id"] != gone)]
    lists = lists.assign(rank=11 - lists["rank"])
    lists.to_parquet(tmp_path / "turned.parquet")
    expected = metrics_of([lists_of(lists)], [truth_of(tried.data, "validation_2")])["map@10"]
    found = compared(tried, "--lists", str(tmp_path / "turned.parquet"), str(tmp_path / "own.csv"))
    turned, same = found["runs"]
    assert turned["map@10"] == pytest.approx(expected)
    test = turned["differences"]["map@10"]
    assert test["difference"] == pytest.approx(expected - judged["ap_hybrid"].mean())
    assert same["differences"]["map@10"]["ties"] == found["n_lists"] == len(judged)
    counts = found["lists"][str(tmp_path / "turned.parquet")]
    assert (counts["n_missing"], counts["n_short"], counts["n_seen"]) == (1, 0, 0)
    assert counts["n_not_judged"] == lists["user_id"].nunique() - len(users)
    line = refusal(tried, "compare", "--fold", "test", "--lists", str(tmp_path / "own.csv"))
    assert "no test fold is in all" in line


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("fold", "label_1", "fold is 'label_1'; must be one of test, test_2, validation"),
        ("user_id", "nobody", "user_id is 'nobody'; must be a value of user_id in data/tables"),
        ("item_id", "", "item_id is None; must be a value of item_id in data/tables/items"),
        ("rank", 2, "rank is '2'; must be 1, 2, 3, … in each list, without a gap"),
        ("item_id", None, "item_id is '{first}'; must be another item at each rank"),
    ],
)
def test_dirty_lists(tried: Clone, tmp_path: Path, column: str, value: object, reason: str) -> None:
    """Row 3 of a list with three items has another value; None: the item of row 1."""
    lists = of_validation(tried, "recommendations")[:3].astype(object).reset_index(drop=True)
    first = lists.loc[0, "item_id"]
    lists.loc[2, column] = first if value is None else value
    lists.to_csv(tmp_path / "dirty.csv", index=False)
    line = refusal(tried, "compare", "--lists", str(tmp_path / "dirty.csv"))
    assert line.startswith(f"compare: {tmp_path}/dirty.csv: row 3: {reason.format(first=first)}")


def test_results_come_from_a_remote(tried_copy: Clone, tmp_path: Path) -> None:
    """A clone without a cache compares after a push, and pulls without running a stage."""
    tried_copy.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    tried_copy.commit()
    fresh, second = (Clone(tmp_path / name / "clone", tried_copy.data) for name in ("one", "two"))
    tried_copy.run("git", "clone", "--quiet", str(tried_copy.folder), str(fresh.folder))
    gone = "is neither in the cache nor in a remote; run dvc push"
    assert f"main: data/split/folds.json {gone}" in refusal(fresh, "compare", "main")
    tried_copy.dvc("push")
    (run,) = compared(fresh, "main", "workspace")["runs"]
    assert run["differences"]["map@10"]["ties"] == compared(tried_copy, "main")["n_lists"]
    fresh.dvc("pull")
    assert "Data and pipelines are up to date." in fresh.dvc("status", "dvc.yaml").stdout
    assert fresh.run("git", "status", "--porcelain").stdout == ""
    assert fresh.content("data/recommendations") == tried_copy.content("data/recommendations")
    md5 = tried_copy.outs()["data/per_user"]
    (tmp_path / "store/files/md5" / md5[:2] / md5[2:]).unlink()
    fresh.run("git", "clone", "--quiet", str(tried_copy.folder), str(second.folder))
    line = f"compare: main: data/per_user/validation.parquet {gone}"
    assert refusal(second, "compare", "main").startswith(line)


def test_every_contradiction_in_a_lock(tried: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """One parameter, or one hash of code, data or results, is another in each stage."""
    monkeypatch.chdir(tried.folder)
    stages = tried.yaml("dvc.lock")["stages"]
    reason = functools.partial(contradiction, Revision(WORKSPACE), list(stages))
    assert reason(stages) is None
    for stage, entry in stages.items():
        for key in params_of(entry):
            edited = copy.deepcopy(stages)
            params_of(edited[stage])[key] = 99
            assert f"`{stage}` ran with {key}" in reason(edited)
        for part in ("deps", "outs"):
            for number, one in enumerate(entry[part]):
                edited = copy.deepcopy(stages)
                md5 = 32 * "0" + ".dir" * one["md5"].endswith(".dir")
                edited[stage][part][number]["md5"] = md5
                line = reason(edited)
                assert f"`{stage}`" in line
                assert f" {one['path']} " in line
    del edited["report"]
    assert reason(edited) == "`report` never ran"
    edited["report@test"] = {}
    assert reason(edited).startswith("made by an earlier version of the pipeline")


def test_code_that_no_stage_ran_with(tried_copy: Clone) -> None:
    """A file changed after the run, or was not in git when an experiment ran with it."""
    new = tried_copy.folder / "stages/models/newest.py"
    new.write_text("# new\n")
    line = "the run of `candidates` had another stages/models than is there now"
    assert refusal(tried_copy, "compare", "main").startswith(f"compare: workspace: {line}; run dvc")
    lacking = tool(tried_copy, "search", "ranker.num_leaves=3", is_checked=False).splitlines()[-1]
    assert lacking.endswith(
        "experiments would lack stages/models/newest.py; run git add on it first"
    )
    tried_copy.dvc("exp", "run", "--name", "lacks", "candidates")
    assert "compare: lacks: `" in refusal(tried_copy, "compare", "main", "lacks")


# --- search


def rows_of(text: str) -> list[list[str]]:
    """The rows of the ranked table."""
    return [line.split() for line in text.splitlines() if line.startswith("search-")]


def test_search_of_als(clone: Clone, tried: Clone) -> None:
    """Its metrics are what evaluate says of ALS, and the workspace is as it was."""
    text = tool(tried, "search", *SEARCH)
    assert text.startswith("2 settings on validation, ")  # it ran before
    of_factors = {row[1]: row for row in rows_of(text)}
    assert of_factors["8"][3:] == [f"{shown(tried, 'main')['als']['map@10']:.4f}", "present"]
    best_first = [float(row[3]) for row in rows_of(text)]
    assert best_first == sorted(best_first, reverse=True)
    assert tried.content(*KEPT) == clone.content(*KEPT)
    assert not (tried.folder / "data/als_alone").exists()
    assert tried.dvc("exp", "list", "--name-only").stdout.split() == ["few"]
    refused = tried.dvc("exp", "apply", of_factors["4"][0], is_checked=False)
    assert refused.returncode != 0
    assert tried.content(*KEPT) == clone.content(*KEPT)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([(0.1, 0.06), (-0.1, 0.3)], "No difference found; keep als.factors 8, als.alpha 1.0"),
        ([(0.1, 0.06), (-0.1, 0.01)], "Nothing better found; keep als.factors 8, als.alpha 1.0"),
        ([(0.1, 0.06), (0.05, 0.01)], "Apply it: dvc exp run -S als.factors=4 -S als.alpha=2.0"),
        ([(math.nan, math.nan)] * 2, "No difference found; keep als.factors 8, als.alpha 1.0"),
    ],
)
def test_what_to_do(results: list[tuple[float, float]], expected: str) -> None:
    """Only what is better beyond the interval is applied; p is corrected for the number."""
    settings = [(8, 1.0), (4, 1.0), (4, 2.0)]
    trials = [
        Trial(dict(zip(("als.factors", "als.alpha"), of, strict=True)), {}, "name")
        for of in settings
    ]
    tests = [{"difference": gain, "p_holm": p} for gain, p in results]
    assert search.advice(trials, tests, "als").splitlines()[-1] == expected
    if expected.startswith("Apply"):
        assert search.advice(trials, tests, "hybrid").endswith("dvc exp apply name")


def test_a_search_of_the_whole_pipeline(tried_copy: Clone, tried: Clone) -> None:
    """Its trials are experiments. Results that `dvc gc` took away are made again."""
    (tried_copy.folder / "stages/new.md").touch()
    tried_copy.run("git", "add", "stages/new.md")  # DVC takes it out of the index in each run
    before, told = state(tried_copy), ("search", "ranker.num_leaves=3")
    text = tool(tried_copy, *told)
    (row,) = [row for row in rows_of(text) if row[1] == "3"]
    (run,) = compared(tried, "main", "few")["runs"]
    assert float(row[2]) == pytest.approx(run["map@10"], abs=5e-5)
    assert float(row[3]) == pytest.approx(run["differences"]["map@10"]["difference"], abs=5e-5)
    assert text.splitlines()[-1] in (
        f"Apply it: dvc exp apply {row[0]}",
        "No difference found; keep ranker.num_leaves 15",
        "Nothing better found; keep ranker.num_leaves 15",
    )
    assert state(tried_copy) == before
    tried_copy.dvc("gc", "--workspace", "--force")
    shutil.rmtree(tried_copy.folder / ".dvc/cache/runs")
    again = tool(tried_copy, *told)
    assert f"{row[0]}: data/per_user/validation.parquet is neither in the cache" in again
    assert rows_of(again) == rows_of(text)
    assert state(tried_copy) == before
    tried_copy.dvc("exp", "apply", row[0])
    assert shown(tried_copy, row[0])["hybrid"] == shown(tried_copy, "few")["hybrid"]


def test_a_failing_trial(tried_copy: Clone) -> None:
    """The workspace is restored, including the user's own staged and unstaged changes."""
    params = tried_copy.folder / "params.yaml"
    params.write_text(params.read_text() + "# mine\n")
    (tried_copy.folder / "README.md").write_text("mine\n")
    tried_copy.run("git", "add", "README.md")
    before = state(tried_copy)
    text = tool(tried_copy, "search", "als.factors=-5", "ranker.num_leaves=15", is_checked=False)
    assert text.splitlines()[-1] == (
        "search: als.factors=-5 ranker.num_leaves=15 failed: als: params.yaml: als.factors is -5: "
        "must be greater than or equal to 1"
    )
    assert state(tried_copy) == before


def test_an_interrupted_search_goes_on(tried_copy: Clone) -> None:
    """After a killed search, the next one restores the workspace and the branch."""
    before, again = state(tried_copy), (*SEARCH, "--metric", "hybrid.ndcg@10")
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = tried_copy.start("stages/search.py", *again, stdout=subprocess.PIPE)
        assert process.stdout.readline().startswith("search: 1 of 2")
        wait_until(lambda: tried_copy.processes("ranker"))
        process.send_signal(number)
        rest, _ = process.communicate(timeout=120)
        wait_until(lambda: not tried_copy.processes("ranker"))
        if number == signal.SIGTERM:
            assert process.returncode == 130
            assert rest.endswith("search: interrupted; no half-written output is left\n")
            assert state(tried_copy) == before
    text = tool(tried_copy, "search", *again)
    assert "search: restored the workspace" in text
    assert "search: 1 of 2 settings ran before" in text
    assert len(rows_of(text)) == 2
    assert state(tried_copy) == before


@pytest.mark.parametrize("number", [None, signal.SIGINT, signal.SIGKILL])
def test_the_way_back(tried_copy: Clone, number: signal.Signals | None) -> None:
    """After an experiment that fails, gets Ctrl-C, or whose DVC is killed; see also `tried`."""
    readme = tried_copy.folder / "README.md"
    readme.write_text("mine\n")
    before, settings = state(tried_copy), ["-S", "ranker.num_leaves=5"]
    if number is None:
        settings = ["-S", "als.factors=9", "-S", "ranker.num_leaves=1"]  # changes dvc.lock first
    process = tried_copy.start("-m", "dvc", "exp", "run", *settings)
    if number is not None:
        wait_until(lambda: tried_copy.processes("ranker"))
        (os.kill if number == signal.SIGKILL else os.killpg)(process.pid, number)
    assert process.wait(timeout=120) != 0
    wait_until(lambda: not tried_copy.processes("ranker"))
    assert state(tried_copy) != before
    tried_copy.run("bash", "-c", example("back"))
    assert state(tried_copy) == before


def test_a_table_of_experiments(tried_copy: Clone) -> None:
    """All parameters that differ, in 100 columns; a trial that has not run is not at the top."""
    tried_copy.dvc("exp", "run", "--queue", "-S", "seed=1")
    tried_copy.set_params({"data.subsample": "mine"})
    text = tried_copy.run("bash", "-c", example("show")).stdout
    _, header, _, workspace, main, few, _ = map(str.split, text.splitlines())
    assert header == ["Experiment", "validation.hybrid", "data.subsample", "ranker.num_leaves"]
    assert [workspace[2:], main[2:], few[-1]] == [["mine", "15"], ["15"], "3"]
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("compare main nope", "nope: no branch, commit or experiment"),
        ("compare main --model nope", "nope: must be one of als, hybrid, "),
        ("compare main --lists own.csv", "give either REV, or --lists"),
        ("search als.factor=1", "als.factor is not a parameter; did you mean als.factors?"),
        ("search als.factors=1..9:log", "als.factors is a range: add --draws N"),
        ("search als.factors=1 --draws x", "argument --draws: invalid int value: 'x'; usage"),
        ("search als.factors=1 --metric als.map@5", "--metric als.map@5: must be one of als.map"),
        ("search ranker.num_leaves=1 --metric als.map@10", "num_leaves does not change als"),
        ("search split.windows=5,6", "split.windows changes the evaluated lists"),
    ],
)
def test_bad_arguments_are_one_line(tried: Clone, call: str, reason: str) -> None:
    assert reason in refusal(tried, *call.split())


def test_als_needs_the_data_of_its_parameters(copied: Clone) -> None:
    copied.set_params({"split.windows": 8})
    line = "search: als.factors=8 failed: data/split is not up to date; run dvc repro split first"
    assert refusal(copied, "search", "als.factors=4") == line


# --- submit


def test_submission(clone: Clone, copied: Clone) -> None:
    assert ": submission.csv: " in called(copied, "submit")
    line = "submit: a.txt: must end in .csv or .parquet"
    assert refusal(copied, "submit", "--out", "a.txt") == line
    called(copied, "submit", "validation", "--out", "mine/validation.csv")
    for fold, name in (("test", "submission.csv"), ("validation", "mine/validation.csv")):
        expected = pd.read_parquet(clone.folder / f"data/recommendations/{fold}.parquet")
        expected = expected.sort_values("rank").groupby("user_id")["item_id"].agg(list)
        found = pd.read_csv(copied.folder / name)
        assert list(found.columns) == ["user_id", "item_id"]
        assert found.groupby("user_id")["item_id"].agg(list).equals(expected)
    assert copied.run("git", "status", "--porcelain", "submission.csv").stdout == ""

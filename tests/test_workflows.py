"""The comment for a pull request, and what its workflows may do."""

import json
import re

import pandas as pd
from ruamel.yaml import YAML

from clone import TOP, Clone


def workflow(name: str) -> dict:
    return YAML(typ="safe").load(TOP / f".github/workflows/{name}.yml")


def test_the_comment_compares_a_pull_request_with_its_base(clone: Clone, copied: Clone) -> None:
    """This works if the lock of the base has other parameters and no output is in the cache."""
    copied.set_params({"baselines.ease.l2": 500.0})
    copied.commit()
    copied.run("git", "checkout", "--quiet", "-b", "change")
    copied.set_params({"ranker.num_leaves": 5})
    copied.commit()
    out = copied.folder.parent / "comment.md"
    copied.run("bash", "-c", f"rm -r data/ranker && .ci/experiment main > '{out}'")
    _, verdict, *text = out.read_text(encoding="utf-8").splitlines()
    assert verdict.startswith("- pull-request is ")
    assert any("ranker.num_leaves" in line and line.endswith("5 |") for line in text)
    windows = pd.read_csv(copied.folder / "metrics/windows.csv")  # those of the run, not committed
    (gain,) = windows["gain"][windows["fold"] == "validation"]
    (row,) = [line for line in text if re.match(r"\| validation ", line)]
    assert f"{gain:+.4f}" in row
    committed = pd.read_csv(clone.folder / "metrics/windows.csv")
    assert row.endswith(f"{committed['gain'][windows['fold'] == 'validation'].item():+.4f} |")
    assert copied.run("git", "branch", "--show-current").stdout == "change\n"
    assert copied.run("git", "tag").stdout == ""
    copied.run("git", "tag", "base")
    assert "rename them" in copied.run(".ci/experiment", "main", is_checked=False).stdout
    assert copied.run("git", "tag").stdout == "base\n"


def test_code_of_a_pull_request_can_write_nothing() -> None:
    experiment, comment = workflow("experiment"), workflow("comment")
    assert experiment["permissions"] == {"contents": "read"}
    assert set(experiment["on"]) == {"pull_request"}
    assert set(comment["on"]) == {"workflow_run"}
    (job,) = comment["jobs"].values()
    used = [step.get("uses", "") for step in job["steps"]]
    assert not any("checkout" in action for action in used)
    scripts = [step["run"] for step in job["steps"] if "run" in step]
    assert not any("${{" in script for script in scripts)  # the event's texts are not pasted in


def test_the_devcontainer_runs_the_first_command_of_the_readme() -> None:
    made = json.loads((TOP / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    assert readme.split("```sh\n")[1].startswith(made["postCreateCommand"] + "\n```")

"""The comment for a pull request, and what its workflows may do."""

from ruamel.yaml import YAML

from clone import TOP, Clone


def workflow(name: str) -> dict:
    return YAML(typ="safe").load(TOP / f".github/workflows/{name}.yml")


def test_the_comment_compares_a_pull_request_with_its_base(copied: Clone) -> None:
    copied.commit()
    copied.run("git", "checkout", "--quiet", "-b", "change")
    copied.set_params({"ranker.num_leaves": 5})
    copied.commit()
    out = copied.folder.parent / "comment.md"
    copied.run("bash", "-c", f"rm -r data/ranker && .ci/experiment main > '{out}'")
    marker, verdict, *text = out.read_text(encoding="utf-8").splitlines()
    assert marker == "<!-- experiment -->"
    assert "workspace is" in verdict
    assert any("ranker.num_leaves" in line and line.endswith("5 |") for line in text)
    assert copied.run("git", "branch", "--show-current").stdout == "change\n"


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

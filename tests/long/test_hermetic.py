"""Every stage gives the same bytes in a folder with only the files that it declares.

Its params.yaml has the declared keys. Other keys that the strict parser needs have other values.
"""

import copy
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from clone import Clone
from test_dvc_yaml import STAGES

OTHER = {  # values of params.yaml in the clone are none of these
    "seed": 7,
    "threads": 3,
    "data.path": "elsewhere",
    "data.positive": "rating >= 1",
    "data.subsample": "other",
    "data.embedding_width": 3,
    "data.download": True,
    "data.table": {
        **dict.fromkeys(("interactions", "user", "item", "users", "items", "time"), "other"),
        **dict.fromkeys(("title", "embedding", "published"), ""),
        **dict.fromkeys(("user_columns", "item_columns", "tags"), []),
        "time_unit": "ms",
    },
    "candidates.sources": ["als", "popular"],
    "candidates.per_source": 11,
    "candidates.label_users": 3,
    "candidates.judged_users": 5,
    "candidates.alive_windows": 2,
    "features.scores": {},
    "evaluate.n_resamples": 123,
}


def params_of(folds: list[str], declared: dict[str, object]) -> dict:
    """Return params.yaml for a stage. declared  dotted keys and values from dvc.lock"""
    number = 1 + sum(fold.startswith("label") for fold in folds)
    others, tree = {**OTHER, "folds": [*folds, f"label_{number}"]}, {}
    partly = {key.partition(".")[0] for key in declared} - declared.keys()
    needed = {
        key: of for key, of in others.items() if "." not in key or key.split(".")[0] in partly
    }
    for dotted, value in {**needed, **declared}.items():
        *parents, key = dotted.split(".")
        section = tree
        for parent in parents:
            section = section.setdefault(parent, {})
        section[key] = copy.deepcopy(value)
    return tree


def run_alone(clone: Clone, entry: dict, folder: Path) -> str:
    """Run a stage by hand in an empty folder. Returns the error, or the paths that differ.

    entry  the stage's entry in dvc.lock
    """
    box = Clone(folder, clone.data, {"PYTHONDONTWRITEBYTECODE": "1"})
    for path in sorted({dep["path"] for dep in entry["deps"]}):  # a folder, then a file in it
        source, target = clone.folder / path, folder / path
        if not source.resolve().is_relative_to(clone.folder.resolve()):
            continue  # what lies outside stays where it is
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    tree = params_of(clone.yaml("params.yaml")["folds"], entry["params"]["params.yaml"])
    YAML(typ="safe").dump(tree, folder / "params.yaml")
    expected = box.content(".") | clone.content(*(out["path"] for out in entry["outs"]))
    result = box.run("sh", "-c", entry["cmd"], is_checked=False)
    if result.returncode != 0:
        return result.stdout
    found = box.content(".")
    return " ".join(path for path in found | expected if found.get(path) != expected.get(path))


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_needs_what_it_declares_and_nothing_else(
    name: str, clone: Clone, tmp_path: Path
) -> None:
    locks = ("dvc.lock", "stages/extra/dvc.lock", "stages/everyone/dvc.lock")
    entries = {k: v for lock in locks for k, v in clone.yaml(lock)["stages"].items()}
    assert run_alone(clone, entries[name], tmp_path) == ""

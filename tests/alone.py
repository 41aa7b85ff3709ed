"""One stage in a folder that holds what it declares and nothing else.

Of params.yaml it holds the keys declared. Those that the strict reading asks for beside them have
other values, on which nothing may depend: the other keys of a section of which only some are
declared, and `seed`, `threads` and `folds`, which are read together.
"""

import copy
import shutil
import subprocess
from pathlib import Path

from ruamel.yaml import YAML

from clone import Clone

OTHER = {  # values of params.yaml in the clone are none of these
    "seed": 7,
    "threads": 3,
    "data.path": "elsewhere",
    "data.positive": "rating >= 1",
    "data.subsample": "other",
    "data.embedding_width": 3,
    "data.download": True,
    "candidates.sources": ["als", "popular"],
    "candidates.per_source": 11,
    "candidates.label_users": 3,
    "candidates.alive_windows": 2,
    "features.scores": {},
    "evaluate.n_resamples": 123,
}


def put(tree: dict, dotted: str, value: object) -> None:
    """Sets the value of a dotted key, whose sections are made."""
    *parents, key = dotted.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
    tree[key] = copy.deepcopy(value)


def declared_params(full: dict, declared: dict[str, object]) -> dict:
    """params.yaml with the keys that are declared, and other values where more are read.

    declared  dotted keys and their values, as dvc.lock has them
    """
    tree: dict = {}
    number = 1 + sum(fold.startswith("label") for fold in full["folds"])
    others = {**OTHER, "folds": [*full["folds"], f"label_{number}"]}
    sections = {key.partition(".")[0] for key in declared}
    for dotted, value in others.items():
        section, dot, _ = dotted.partition(".")
        if not dot or (section in sections and section not in declared):
            put(tree, dotted, value)
    for dotted, value in declared.items():
        put(tree, dotted, value)
    return tree


def copy_dep(clone: Clone, path: str, box: Path) -> None:
    """One file or folder of the clone; what lies outside the clone stays where it is."""
    source, target = clone.folder / path, box / path
    if not source.resolve().is_relative_to(clone.folder.resolve()):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)


def files_of(box: Path) -> dict[str, bytes]:
    return {str(p.relative_to(box)): p.read_bytes() for p in box.rglob("*") if p.is_file()}


def run_alone(clone: Clone, entry: dict, box: Path) -> str:
    """Runs a stage by hand in the empty folder `box`; what is wrong with it, or nothing.

    entry  of the stage in dvc.lock
    """
    box.mkdir()
    for path in {dep["path"] for dep in entry["deps"]}:
        copy_dep(clone, path, box)
    params = declared_params(clone.yaml("params.yaml"), entry["params"]["params.yaml"])
    YAML(typ="safe").dump(params, box / "params.yaml")
    before = files_of(box)
    result = subprocess.run(
        entry["cmd"],
        shell=True,
        cwd=box,
        env={**clone.environment, "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        return f"exit {result.returncode}: {result.stderr}"
    after = files_of(box)
    outs = [out["path"] for out in entry["outs"]]
    made, expected = Clone(box, clone.data).content(*outs), clone.content(*outs)
    if touched := sorted(path for path in before if after.get(path) != before[path]):
        return f"changes {', '.join(touched)}, on which it depends"
    if more := sorted(after.keys() - before.keys() - made.keys()):
        return f"writes {', '.join(more)}, which it does not declare"
    wrong = sorted(path for path in made | expected if made.get(path) != expected.get(path))
    return f"other bytes in {', '.join(wrong)}" if wrong else ""

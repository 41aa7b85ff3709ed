"""The examples of stages/README.md, each as a reader of it would follow it: a file, two lines in a
registry, one command.
"""

import re
import shlex
from pathlib import Path

import pandas as pd

import movielens_like
from clone import TOP, Clone

README = (TOP / "stages/README.md").read_text(encoding="utf-8")


def blocks_of(example: str) -> dict[str, str]:
    """The three fenced blocks of an example: python, diff and sh."""
    text = README.split(f"<!-- example: {example} -->")[1]
    found = re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)[:3]
    assert [language for language, _ in found] == ["python", "diff", "sh"]
    return dict(found)


def follow(clone: Clone, example: str) -> list[str]:
    """Writes the file, changes the registry; the command."""
    blocks = blocks_of(example)
    first, code = blocks["python"].split("\n", 1)
    (clone.folder / first.removeprefix("# ")).write_text(code)
    first, *lines = blocks["diff"].splitlines()
    registry = clone.folder / first.removeprefix(" # ")
    new_import, anchor, entry = lines
    old = registry.read_text()
    assert old.count(f"{anchor[1:]}\n") == 1
    new = old.replace(f"{anchor[1:]}\n", f"{anchor[1:]}\n{entry[1:]}\n")
    docstring, rest = new.split('"""\n', 1)
    registry.write_text(f'{docstring}"""\n{new_import[1:]}\n{rest}')
    return shlex.split(blocks["sh"])


def test_all_in_one_experiment(copied: Clone, tmp_path: Path) -> None:
    """The data is the clone's ratings as a log without timestamps, users and items."""
    ratings = movielens_like.read_ratings(copied.data / "ml-1m.inter").sort_values("timestamp")
    log = ratings.set_axis(["user", "item", "stars", "timestamp"], axis=1)
    folder = tmp_path / "stars"
    folder.mkdir()
    log.drop(columns="timestamp").to_csv(folder / "log.csv", index=False)
    copied.set_params({"folds": ["test", "validation", "label_1"]})
    arguments = []
    roles = shlex.split(
        README.split("<!-- example: roles -->")[1].split("```")[1][2:].replace("\\\n", " ")
    )
    for words in (*(follow(copied, name) for name in ("reader", "family", "model")), roles):
        dvc, exp, run, *own = words
        assert [dvc, exp, run] == ["dvc", "exp", "run"]
        arguments += [word.replace("/data/stars", str(folder)) for word in own]
    arguments = list(dict.fromkeys(arguments))  # the roles repeat a parameter of the source
    copied.dvc("exp", "run", *(word for one in arguments if one != "-S" for word in ("-S", one)))
    lists = pd.read_parquet(copied.folder / "data/recommendations/test.parquet")
    assert set(lists["user_id"]) <= set(log["user"])
    gain = pd.read_csv(copied.folder / "metrics/tables/feature_gain.csv")
    assert {"item_freshness", "item_is_new", "score_age_z"} <= set(gain["feature"])
    lists = pd.read_parquet(copied.folder / "data/candidates/test.parquet")
    assert (lists["newest_rank"] > 0).any()
    assert "newest" in pd.read_csv(copied.folder / "metrics/tables/slices.csv")

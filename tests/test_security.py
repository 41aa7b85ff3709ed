"""What the project reads cannot run code, and what it fetches stays where it belongs."""

import ast
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path

from harness.script import InputError

import numpy as np
import pyarrow as pa
import pytest

from clone import TOP
from fetchers import hub, movielens
from folds import factors, tables
from readers import vk_layout
from readers.ids import Ids
from readers.vk_lsvd import read_embeddings

SCRIPTS = sorted((TOP / "stages").rglob("*.py"))
UNPICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "yaml"}
RUNNING = {"eval", "exec", "compile", "__import__", "system", "popen", "read_pickle", "unsafe_load"}


class Harmful:
    """Unpickling one writes a file."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("harmed",)


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def called(node: ast.Call) -> str:
    """The last name of what is called, such as load of np.load."""
    return ast.unparse(node.func).rpartition(".")[2]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(TOP)))
def test_no_code_unpickles_or_runs_what_it_reads(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            assert not {str(name).partition(".")[0] for name in modules} & UNPICKLING
        if isinstance(node, ast.Call):
            assert called(node) not in RUNNING or ast.unparse(node.func) == "re.compile"
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            assert called(node) != "YAML" or given.get("typ") == "'safe'"
            assert given.get("allow_pickle", "False") == given.get("shell", "False") == "False"


def load_embeddings(path: Path) -> object:
    return read_embeddings(path, Ids(pa.array([1, 2])), 0)


def load_tags(path: Path) -> object:
    path.rename(tables.TAGS)
    return tables.read_tags(np.array([0]))


@pytest.mark.parametrize("load", [load_embeddings, factors.load, load_tags])
def test_objects_in_npz_are_refused(
    load: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under every name that is read, so that none of them is unpickled."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    harmful = np.array([Harmful()], dtype=object)
    names = ["item_id", "embedding", "user_factors", "item_factors", "users", "items"]
    names += ["format", "data", "indices", "indptr", "shape"]
    np.savez("harmful.npz", **dict.fromkeys(names, harmful))
    with pytest.raises((InputError, ValueError), match="allow_pickle=False"):
        load(Path("harmful.npz"))
    assert not Path("harmed").exists()
    pickle.loads(pickle.dumps(Harmful()))
    assert Path("harmed").exists()  # so it would have been noticed


@pytest.mark.parametrize(
    "name",
    [
        "interactions/train/../../../evil/week_01.parquet",
        "interactions/train/../week_01.parquet",
        "/interactions/train/week_01.parquet",
        "../interactions/train/week_01.parquet",
        "interactions/train/week_01.parquet/../../x",
        "interactions/train/week_01.parquet\n",
        "interactions/train/week_\u0661.parquet",
        "interactions/train/week_01.parquet.py",
        "interactions/train/sub/week_01.parquet",
        "interactions/train/",
    ],
)
def test_only_names_of_the_layout_are_fetched(name: str) -> None:
    """Whatever else the hub lists."""
    weeks = [f"interactions/{part}/week_0{n}.parquet" for n, part in enumerate(vk_layout.PARTS)]
    assert hub.needed([*weeks, name], "") == [*vk_layout.METADATA, *weeks]


def test_what_is_fetched_is_pinned_by_hash() -> None:
    for digest in (movielens.WHEEL_SHA256, *movielens.FILE_SHA256.values()):
        assert re.fullmatch("[0-9a-f]{64}", digest)
    assert re.fullmatch(r"[\w-]+==[\d.]+", movielens.REQUIREMENT)

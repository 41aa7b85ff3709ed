"""What the project reads cannot run code, and what it fetches stays where it belongs."""

import ast
import os
import pickle
from collections.abc import Callable
from pathlib import Path

from core import factors, tables
from core.script import InputError

import numpy as np
import pyarrow as pa
import pytest

from clone import TOP
from readers import vk_lsvd as hub
from readers.vk_lsvd import read_embeddings

UNPICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "yaml"}
RUNNING = {"eval", "exec", "compile", "__import__", "system", "popen", "read_pickle", "unsafe_load"}


class Harmful:
    """Unpickling one makes a folder."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("harmed",)


def is_safe(node: ast.AST) -> bool:
    """Whether a node of code neither unpickles nor runs what it reads."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
        return not {str(name).partition(".")[0] for name in names} & UNPICKLING
    if not isinstance(node, ast.Call):
        return True
    function, given = ast.unparse(node.func), {w.arg: ast.unparse(w.value) for w in node.keywords}
    name = function.rpartition(".")[2]
    is_plain = name not in RUNNING or function == "re.compile"
    is_plain &= given.get("allow_pickle", "False") == given.get("shell", "False") == "False"
    return is_plain and (name != "YAML" or given.get("typ") in ("'safe'", "'rt'"))


def test_no_code_unpickles_or_runs_what_it_reads() -> None:
    for path in sorted((TOP / "stages").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert is_safe(node), f"{path}: {ast.unparse(node)}"
    for code in ("import yaml", "eval(text)", "YAML()", "np.load(path, allow_pickle=True)"):
        assert not all(map(is_safe, ast.walk(ast.parse(code))))


def load_embeddings(path: Path) -> object:
    return read_embeddings(path, pa.array([1, 2]), 0)


def load_factors(path: Path) -> object:
    factors.FOLDER.mkdir(parents=True)
    path.rename(factors.FOLDER / "test.npz")
    return factors.load(factors.FOLDER / "test.npz")


def load_tags(path: Path) -> object:
    tables.FOLDER.mkdir(parents=True)
    path.rename(tables.TAGS)
    return tables.read_tags(np.array([0]))


@pytest.mark.parametrize("load", [load_embeddings, load_factors, load_tags])
def test_objects_in_npz_are_refused(
    load: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under every name that is read, so that none of them is unpickled."""
    monkeypatch.chdir(tmp_path)
    names = ["item_id", "embedding", "user_factors", "item_factors", "users", "items"]
    names += ["format", "data", "indices", "indptr", "shape"]
    np.savez("harmful.npz", **dict.fromkeys(names, np.array([Harmful()], dtype=object)))
    with pytest.raises((InputError, ValueError), match="allow_pickle=False|Python objects"):
        load(Path("harmful.npz"))
    assert not Path("harmed").exists()
    pickle.loads(pickle.dumps(Harmful()))
    assert Path("harmed").exists()  # so it would have been noticed


@pytest.mark.parametrize(
    "name",
    [
        "interactions/train/../../../evil/week_01.parquet",
        "/interactions/train/week_01.parquet",
        "interactions/train/week_01.parquet\n",
        "interactions/train/week_01.parquet.py",
    ],
)
def test_only_names_of_the_layout_are_fetched(name: str) -> None:
    """Other files on the hub are ignored."""
    weeks = [f"interactions/{part}/week_0{n}.parquet" for n, part in enumerate(hub.PARTS)]
    assert hub.needed([*weeks, name], "") == [*hub.METADATA, *weeks]

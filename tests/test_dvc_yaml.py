"""dvc.yaml declares what the scripts use: modules, parameters and files, no more and no less.

What is declared too little, DVC does not notice: it calls a stale result up to date. What is
declared too much runs stages again for nothing.
"""

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from clone import TOP

SCRIPTS = TOP / "stages"
EXTRA, EVERYONE = "stages/extra/dvc.yaml", "stages/everyone/dvc.yaml"
TOOLS = ["als_alone", "compare", "preset", "search", "serve", "submit"]  # scripts that are no stage
STAGES: dict[str, dict] = {
    name: entry
    for path in ("dvc.yaml", EXTRA, EVERYONE)
    for name, entry in YAML(typ="safe").load(TOP / path)["stages"].items()
}
SPARK = YAML(typ="safe").load(TOP / "stages/spark/dvc.yaml")["stages"]
ALL = STAGES | {f"spark/{name}": entry for name, entry in SPARK.items()}
RECEIPT = "metrics/spark/receipts/{}.json"
# dotted name -> path; the module of a package is its __init__.py
MODULES: dict[str, Path] = {
    ".".join(path.relative_to(SCRIPTS).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SCRIPTS.rglob("*.py"))
}
LOCAL = [name for name in MODULES if name.split(".")[0] != "spark"]
NAMES_OF_SCRIPTS = sorted(path.stem for path in SCRIPTS.glob("*.py"))


@functools.cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def has_main(module: str) -> bool:
    return any(
        isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree_of(module).body
    )


def has_code(module: str) -> bool:
    """Whether there is more in it than a docstring."""
    return any(
        not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in tree_of(module).body
    )


def nodes_that_run(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it, without the bodies of `if TYPE_CHECKING:`."""
    if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
        yield node
        for child in ast.iter_child_nodes(node):
            yield from nodes_that_run(child)


@functools.cache
def local_imports(module: str) -> set[str]:
    """Return the modules of stages/ that a module imports itself, and the packages they are in."""
    names = set()
    for node in nodes_that_run(tree_of(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    parents = {".".join(name.split(".")[:n]) for name in names for n in range(1, 4)}
    return parents & MODULES.keys()


def closure(module: str) -> set[str]:
    """The module and all modules of stages/ that it imports, directly or not."""
    found, waiting = set(), {module}
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= local_imports(name) - found
    return found


def code_files(path: str) -> set[str]:
    """The files that a declared path of code means: a folder is all the code in it."""
    if path.endswith(".py"):
        return {path}
    files = {str(file.relative_to(TOP)) for file in (TOP / path).rglob("*.py")}
    assert files, f"{path}: no such code"
    return files


def script_of(stage: str) -> str:
    """The module that the command of a stage runs."""
    match = re.fullmatch(r"python stages/([\w/]+)\.py", ALL[stage]["cmd"])
    assert match, f"{stage}: {ALL[stage]['cmd']}"
    return match.group(1).replace("/", ".")


def paths(stage: str, *kinds: str) -> list[str]:
    """The declared paths of a stage."""
    entries = [entry for kind in kinds for entry in ALL[stage].get(kind, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def attributes(modules: set[str], name: str) -> set[str]:
    """The attributes read of a variable `name` in the modules: `run.seed` gives seed."""
    return {
        node.attr
        for module in modules
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
    }


def sections_read(modules: set[str]) -> set[str]:
    """The sections of params.yaml that are read: `section("als", AlsParams)` gives als."""
    return {
        node.args[0].value
        for module in modules
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "section"
        and isinstance(node.args[0], ast.Constant)
    }


# --- scripts and modules


def test_scripts_stand_in_stages_and_modules_below() -> None:
    """A script is a stage or one of the few tools, and nothing else has a main(). No script imports
    another one, and no stage the code of tools, because a change of a tool would re-run it.
    """
    assert sorted([*map(script_of, STAGES), *TOOLS]) == NAMES_OF_SCRIPTS
    assert sorted(filter(has_main, LOCAL)) == NAMES_OF_SCRIPTS
    for script in NAMES_OF_SCRIPTS:
        assert not any(map(has_main, closure(script) - {script}))
    assert not any("pyspark" in ast.dump(tree_of(name)) for name in LOCAL)
    assert not any("experiments" in closure(script_of(stage)) for stage in STAGES)


def test_packages_have_no_circle() -> None:
    below = defaultdict(set)
    for module in MODULES:
        package, *_ = module.split(".")
        below[package] |= {other.split(".")[0] for other in local_imports(module)} - {package}
    TopologicalSorter(below).prepare()  # raises CycleError


@pytest.mark.parametrize("stage", ALL)
def test_code_deps_are_the_imports(stage: str) -> None:
    declared = {
        path: code_files(path) for path in paths(stage, "deps") if path.startswith("stages")
    }
    used = {
        str(MODULES[name].relative_to(TOP)) for name in closure(script_of(stage)) if has_code(name)
    }
    assert used - set().union(*declared.values()) == set()
    assert [path for path, files in declared.items() if not files & used] == []


# --- parameters


@pytest.mark.parametrize("stage", STAGES)
def test_params_are_what_the_script_reads(stage: str) -> None:
    """`threads` is read, too, but changes no byte."""
    modules = {name for name in closure(script_of(stage)) if not name.startswith("core")}
    read = sections_read(modules) | (attributes(modules, "shared") & {"seed", "folds"})
    declared = set(STAGES[stage].get("params", []))
    partly = {key for key in declared if any(key.startswith(f"{name}.") for name in read)}
    assert declared - read - partly == set()
    assert read - declared - {key.rpartition(".")[0] for key in partly} == set()


@pytest.mark.parametrize("stage", SPARK)
def test_params_and_receipts_of_a_stage_on_spark(stage: str) -> None:
    """Receipts are not metrics, so `dvc metrics` and `dvc exp show` do not list them. `threads` and
    most keys of `spark` change no result.
    """
    entry, script = SPARK[stage], script_of(f"spark/{stage}")
    assert (script, entry["wdir"]) == (f"spark.{stage}", "../..")
    keys = {name.partition(".")[0] for name in entry["params"]}
    assert {name.partition(".")[0] for name in sections_read({script})} <= keys
    nodes = [node for module in closure(script) for node in ast.walk(tree_of(module))]
    texts = {node.value for node in nodes if isinstance(node, ast.Constant)}
    declared = {path for path in entry["deps"] if path.startswith("metrics/")}
    assert declared <= {RECEIPT.format(name) for name in SPARK if name in texts}
    outs = {path: of for out in entry["outs"] for path, of in out.items()}
    assert RECEIPT.format(stage) in outs
    assert all(of == {"cache": False, "persist": True} for of in outs.values())
    assert not {"metrics", "plots"} & {*entry}


# --- dvc.lock


@pytest.mark.parametrize("path", ["dvc.yaml", EXTRA])  # the others have none
def test_the_committed_lock_has_the_stages_and_outputs_of_dvc_yaml(path: str) -> None:
    """A stage that is gone would stay in the lock for ever."""
    declared, locked = (
        YAML(typ="safe").load((TOP / path).with_suffix(suffix))["stages"]
        for suffix in (".yaml", ".lock")
    )
    assert sorted(locked) == sorted(declared)
    for name, entry in declared.items():
        outs = [out for kind in ("outs", "metrics", "plots") for out in entry.get(kind, [])]
        names = [out if isinstance(out, str) else next(iter(out)) for out in outs]
        assert sorted(out["path"] for out in locked[name]["outs"]) == sorted(names)
        assert locked[name]["cmd"] == entry["cmd"]

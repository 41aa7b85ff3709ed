"""dvc.yaml declares what the scripts use: modules, parameters and files, no more and no less.

What is declared too little, DVC does not notice: it calls a stale result up to date. What is
declared too much runs stages again for nothing.
"""

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
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
# dotted name -> path; the module of a package is its __init__.py
MODULES: dict[str, Path] = {
    ".".join(path.relative_to(SCRIPTS).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SCRIPTS.rglob("*.py"))
}
LOCAL = [name for name in MODULES if name.split(".")[0] != "spark"]  # see test_spark_yaml.py
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
    """The modules of stages/ that a module imports itself, at any depth of its code; with each, the
    packages it stands in, whose __init__.py runs first.
    """
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
    match = re.fullmatch(r"python stages/(\w+)\.py", STAGES[stage]["cmd"])
    assert match, f"{stage}: {STAGES[stage]['cmd']}"
    return match.group(1)


def paths(stage: str, *kinds: str) -> list[str]:
    """The declared paths of a stage."""
    entries = [entry for kind in kinds for entry in STAGES[stage].get(kind, [])]
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
    """A script is a stage or one of the few tools, and nothing else has a main()."""
    assert sorted([*map(script_of, STAGES), *TOOLS]) == NAMES_OF_SCRIPTS
    assert sorted(filter(has_main, LOCAL)) == NAMES_OF_SCRIPTS


def test_no_package_bears_the_name_of_another() -> None:
    """No package is named like a script, an installed distribution or a standard module."""
    packages = {name.split(".")[0] for name in MODULES} - set(NAMES_OF_SCRIPTS)
    others = {*NAMES_OF_SCRIPTS, *sys.stdlib_module_names, *metadata.packages_distributions()}
    assert packages & others == set()
    assert all((SCRIPTS / package / "__init__.py").exists() for package in packages)


def test_packages_have_no_circle() -> None:
    """A package imports packages of lower floors alone."""
    below = {
        name.split(".")[0]: {
            other.split(".")[0]
            for module in MODULES
            if module.split(".")[0] == name.split(".")[0]
            for other in local_imports(module)
        }
        - {name.split(".")[0]}
        for name in MODULES
    }
    while free := [name for name, others in below.items() if not others & below.keys()]:
        for name in free:
            del below[name]
    assert below == {}


@pytest.mark.parametrize("stage", STAGES)
def test_code_deps_are_the_imports(stage: str) -> None:
    """Every module that is imported is declared, as a file or in its package, and nothing is
    declared of which no module is imported. An __init__.py that is a docstring alone changes
    nothing, so it need not be declared.
    """
    declared = {
        path: code_files(path) for path in paths(stage, "deps") if path.startswith("stages")
    }
    used = {
        str(MODULES[name].relative_to(TOP)) for name in closure(script_of(stage)) if has_code(name)
    }
    assert used - set().union(*declared.values()) == set()
    assert [path for path, files in declared.items() if not files & used] == []


@pytest.mark.parametrize("script", NAMES_OF_SCRIPTS)
def test_scripts_import_no_script(script: str) -> None:
    assert [module for module in closure(script) - {script} if has_main(module)] == []


@pytest.mark.parametrize("tool", sorted({*TOOLS} - {"als_alone", "serve", "submit"}))
def test_tools_import_little(tool: str) -> None:
    """Scripts for people start fast: they import core first, and no pandas or model library, except
    serve.py, which ranks, and submit.py, which writes CSV.
    """
    code = f"import sys, {tool}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True, check=True
    ).stdout.split()
    assert (
        set(loaded) & {"sklearn", "lightgbm", "implicit", "pandas", "scipy", "matplotlib"} == set()
    )
    assert loaded.index("core.process") < [*loaded, "numpy"].index("numpy")


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_depends_on_the_code_of_tools(stage: str) -> None:
    """Otherwise a change of a tool would re-run the stage."""
    assert not {name.split(".")[0] for name in closure(script_of(stage))} & {"experiments"}


# --- parameters


@pytest.mark.parametrize("stage", STAGES)
def test_params_are_what_the_script_reads(stage: str) -> None:
    """Sections, and seed and folds of shared_params(). `threads` is read, too, but changes no
    byte.
    """
    modules = {name for name in closure(script_of(stage)) if not name.startswith("core")}
    read = sections_read(modules) | (attributes(modules, "shared") & {"seed", "folds"})
    declared = set(STAGES[stage].get("params", []))
    partly = {key for key in declared if any(key.startswith(f"{name}.") for name in read)}
    assert declared - read - partly == set()
    assert read - declared - {key.rpartition(".")[0] for key in partly} == set()


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

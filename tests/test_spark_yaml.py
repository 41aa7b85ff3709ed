"""stages/spark/dvc.yaml declares what its scripts use, and the local pipeline nothing of Spark."""

import ast
import re

import pytest
from ruamel.yaml import YAML

from clone import TOP
from test_dvc_yaml import (
    MODULES,
    NAMES_OF_SCRIPTS,
    closure,
    code_files,
    has_code,
    sections_read,
    tree_of,
)

STAGES = YAML(typ="safe").load(TOP / "stages/spark/dvc.yaml")["stages"]
RECEIPT = "metrics/spark/receipts/{}.json"


def outs_of(stage: str) -> list[str]:
    return [next(iter(entry)) for entry in STAGES[stage]["outs"]]


@pytest.mark.parametrize("stage", STAGES)
def test_code_deps_are_the_imports(stage: str) -> None:
    """No more and no less, folders expanded."""
    assert STAGES[stage]["cmd"] == f"python stages/spark/{stage}.py"
    declared = {
        file
        for path in STAGES[stage]["deps"]
        if path.startswith("stages")
        for file in code_files(path)
    }
    files = {name: str(MODULES[name].relative_to(TOP)) for name in MODULES}
    idle = {files[name] for name in MODULES if not has_code(name)}
    used = {files[name] for name in closure(f"spark.{stage}")}
    assert sorted(declared - idle) == sorted(used - idle)


@pytest.mark.parametrize("stage", STAGES)
def test_receipts_are_those_that_are_read(stage: str) -> None:
    """Of each data set that the code asks for, the receipt of the stage that makes it; and each
    stage writes its own.
    """
    texts = {
        node.value
        for module in closure(f"spark.{stage}")
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    declared = {path for path in STAGES[stage]["deps"] if path.startswith("metrics/")}
    assert declared <= {RECEIPT.format(name) for name in STAGES if name in texts}
    assert RECEIPT.format(stage) in outs_of(stage)
    assert all(
        entry[path] == {"cache": False, "persist": True}
        for entry in STAGES[stage]["outs"]
        for path in entry
    )


@pytest.mark.parametrize("stage", STAGES)
def test_sections_of_the_script_are_declared(stage: str) -> None:
    """At least by one key; `threads` and most of `spark` change no result."""
    read = sections_read({f"spark.{stage}"})
    declared = {re.match(r"\w+", name).group() for name in STAGES[stage]["params"]}
    assert {name.split(".")[0] for name in read} <= declared


def test_its_metrics_are_none_of_the_local_pipeline() -> None:
    """So that `dvc metrics` and `dvc exp show` stay as they are."""
    for entry in STAGES.values():
        assert entry["wdir"] == "../.."
        assert not {"metrics", "plots"} & set(entry)


@pytest.mark.parametrize("script", NAMES_OF_SCRIPTS)
def test_the_local_pipeline_imports_nothing_of_it(script: str) -> None:
    used = closure(script)
    assert not {name for name in used if name.split(".")[0] == "spark"}
    assert not any("pyspark" in ast.dump(tree_of(name)) for name in used)

"""stages/spark/dvc.yaml declares what its scripts use, and the local pipeline nothing of Spark."""

import ast

from core.candidate_lists import CandidateListParams
from core.script import InputError

import pytest
from ruamel.yaml import YAML

from clone import TOP
from spark.params import refuse_new_items
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


@pytest.mark.parametrize("stage", STAGES)
def test_what_the_script_uses_is_declared(stage: str) -> None:
    """Every module that it imports, and every declared path has one; every section that it reads,
    by at least one key: `threads` and most of `spark` change no result.
    """
    assert STAGES[stage]["cmd"] == f"python stages/spark/{stage}.py"
    declared = [code_files(path) for path in STAGES[stage]["deps"] if path.startswith("stages")]
    used = {str(MODULES[name].relative_to(TOP)) for name in closure(f"spark.{stage}")}
    with_code = {str(MODULES[name].relative_to(TOP)) for name in MODULES if has_code(name)}
    assert used & with_code <= set().union(*declared)
    assert all(files & used for files in declared)
    keys = {name.partition(".")[0] for name in STAGES[stage]["params"]}
    assert {name.partition(".")[0] for name in sections_read({f"spark.{stage}"})} <= keys


@pytest.mark.parametrize("stage", STAGES)
def test_receipts_are_those_that_are_read(stage: str) -> None:
    """Of each data set that the code asks for, the receipt of the stage that makes it; and each
    stage writes its own. None is a metric, so that `dvc metrics` and `dvc exp show` stay.
    """
    nodes = [node for module in closure(f"spark.{stage}") for node in ast.walk(tree_of(module))]
    texts = {node.value for node in nodes if isinstance(node, ast.Constant)}
    entry = STAGES[stage]
    declared = {path for path in entry["deps"] if path.startswith("metrics/")}
    assert declared <= {RECEIPT.format(name) for name in STAGES if name in texts}
    outs = {path: of for out in entry["outs"] for path, of in out.items()}
    assert RECEIPT.format(stage) in outs
    assert all(of == {"cache": False, "persist": True} for of in outs.values())
    assert entry["wdir"] == "../.."
    assert not {"metrics", "plots"} & {*entry}


def test_new_items_are_refused() -> None:
    params = {"sources": ["als"], "per_source": 10, "label_users": 0, "alive_windows": 0}
    with pytest.raises(InputError, match="candidates.new_items is all: must be none: only the loc"):
        refuse_new_items(CandidateListParams(**params, new_items="all"))


@pytest.mark.parametrize("script", NAMES_OF_SCRIPTS)
def test_the_local_pipeline_imports_nothing_of_it(script: str) -> None:
    assert not any("pyspark" in ast.dump(tree_of(name)) for name in closure(script))

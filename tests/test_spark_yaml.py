"""stages/spark/dvc.yaml declares what its scripts use, and the local pipeline nothing of Spark."""

import ast

from core.candidate_lists import CandidateListParams
from core.script import InputError

import pytest
from ruamel.yaml import YAML

from clone import TOP
from spark.params import refuse_what_only_local_has
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
    """Imported modules and declared paths are the same, and every section that the script reads has
    at least one declared key. `threads` and most keys of `spark` change no result.
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
    """A stage declares the receipts of the data sets that it reads, and writes its own. Receipts
    are not metrics, so `dvc metrics` and `dvc exp show` do not list them.
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


@pytest.mark.parametrize(
    ("key", "value", "allowed"), [("new_items", "all", "none"), ("judged_users", 5, 0)]
)
def test_what_only_the_local_pipeline_has_is_refused(key: str, value: object, allowed: str) -> None:
    params = {"sources": ["als"], "per_source": 10, "label_users": 0, "alive_windows": 0}
    params |= {"judged_users": 0, "new_items": "none", key: value}
    with pytest.raises(InputError, match=f"candidates.{key} is {value}: must be {allowed}: only"):
        refuse_what_only_local_has(CandidateListParams(**params))


@pytest.mark.parametrize("script", NAMES_OF_SCRIPTS)
def test_the_local_pipeline_imports_nothing_of_it(script: str) -> None:
    assert not any("pyspark" in ast.dump(tree_of(name)) for name in closure(script))

"""params.yaml is read strictly: one line per finding, with key, value and what is allowed."""

import copy
import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from core import params, script
from core.folds import SplitParams
from core.params import SharedParams, leaves
from core.script import InputError
from core.top_lists import EvaluateParams

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from everyone import EveryoneParams
from families import FeaturesParams
from models.als import AlsParams
from models.item_knn import ItemKnnParams
from models.registry import BaselinesParams, CandidatesParams, ScoresParams, SourcesParams
from rankers.training import RankerParams
from readers import DataParams
from spark.params import SparkParams

SHIPPED = Path(__file__).parent.parent / "params.yaml"
VALUES = YAML(typ="safe").load(SHIPPED)
FACTORS = VALUES["als"]["factors"]
MODELS: dict[str, type[BaseModel]] = {
    "data": DataParams,
    "split": SplitParams,
    "als": AlsParams,
    "sources": SourcesParams,
    "candidates": CandidatesParams,
    "features": FeaturesParams,
    "features.scores": ScoresParams,
    "ranker": RankerParams,
    "baselines": BaselinesParams,
    "evaluate": EvaluateParams,
    "everyone": EveryoneParams,
    "spark": SparkParams,
}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(**changes: str | None) -> None:
    """The shipped file with these values by dotted key, as YAML has them; None takes a key out."""
    tree, texts = copy.deepcopy(VALUES), {}
    for key, text in changes.items():
        *parents, name = key.split(".")
        section = tree
        for parent in parents:
            section = section[parent]
        section[name] = f"@{key}@"
        texts[f'"@{key}@"'] = text
        if text is None:
            del section[name]
    written = json.dumps(tree)
    for place, text in texts.items():
        written = written.replace(place, text or "")
    params.FILE.write_text(written, encoding="utf-8")


def read(key: str) -> object:
    """The section that the key belongs to, or what stands outside of the sections."""
    sections = [name for name in MODELS if f"{key}.".startswith(f"{name}.")]
    if not sections:
        return params.shared_params()
    section = max(sections, key=len)  # features.scores has a model of its own
    return params.section(section, MODELS[section])


def lines_of(key: str) -> list[str]:
    """Return the error for the section of the key."""
    with pytest.raises(InputError) as error:
        read(key)
    return str(error.value).splitlines()


def test_what_is_written_is_read() -> None:
    write(**{"als.factors": "7", "als.alpha": "1e-3", "sources.ease.l2": "3", "threads": "2"})
    assert (read("als").factors, read("als").alpha) == (7, 0.001)  # a string in YAML 1.1
    assert read("sources").ease.l2 == 3.0
    assert read("seed").model_dump() == {key: VALUES[key] for key in ("seed", "folds")} | {
        "threads": 2
    }
    assert params.section("sources.item_knn", ItemKnnParams) == read("sources").item_knn
    write(**{"data.positive": "true"})
    assert read("data").positive == "true"


def test_the_shipped_file_is_valid_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(params, "FILE", SHIPPED)
    for name in (*MODELS, "seed"):
        read(name)
    assert {name.partition(".")[0] for name in MODELS} == {*params.SECTIONS}
    assert {*VALUES} == {*params.SECTIONS, *SharedParams.model_fields}


def parts_of(schema: object) -> Iterator[dict]:
    """All objects in a JSON schema, at any depth."""
    if isinstance(schema, dict):
        yield schema
        schema = list(schema.values())
    for part in schema if isinstance(schema, list) else ():
        yield from parts_of(part)


@pytest.mark.parametrize("model", [*MODELS.values(), SharedParams])
def test_every_parameter_is_required_and_every_number_has_a_range(model: type[BaseModel]) -> None:
    """A default in the code is a parameter DVC cannot see. Beyond a range, libraries end in a
    traceback, or stall, or take all memory.
    """
    for part in parts_of(model.model_json_schema()):
        if part.get("type") in ("integer", "number"):
            assert {"minimum", "exclusiveMinimum"} & part.keys(), part
            assert "maximum" in part, part
        if part.get("type") == "object" and part.get("title") != "BaselinesParams":  # the choice
            assert part.get("required", []) == [*part.get("properties", [])]


FOLD_ORDER = (
    "must be test, test_2, …, validation, validation_2, …, label_1, label_2, … in this order"
)
NEW_ITEMS = str(VALUES["candidates"] | {"sources": ["als"], "new_items": "all"})
SHOWN = "features.scores.ease_exposures"
WRONG = [  # key, text in the file, what is said of it
    # kinds
    ("als.factors", "32.0", "is 32.0: must be a valid integer"),
    ("als.alpha", "'1'", "is '1': must be a valid number"),
    ("als.alpha", "-.inf", "is -inf: must be a finite number"),
    ("data.download", "1", "is 1: must be a valid boolean"),
    ("data.path", "3", "is 3: must be a valid string"),
    ("data.subsample", "../x", "is '../x': String should match pattern"),
    ("data.table.tags", "genres", "is 'genres': must be a valid list"),
    ("data.table.users", "../u", "is '../u': must be a file, a folder or a pattern below data.p"),
    # ranges
    ("seed", str(2**31), f"is {2**31}: must be less than or equal to {2**31 - 1}"),
    ("als.factors", "0", "is 0: must be greater than or equal to 1"),
    ("als.alpha", "1e30", "is 1e+30: must be less than or equal to 1000000"),
    # names
    ("ranker.objective", "svm", "is 'svm': must be 'lambdarank', 'rank_xendcg' or 'binary'"),
    ("candidates.sources", "[als, svd]", ".1 is 'svd': must be 'als', 'popular', "),
    ("candidates.sources", "[ease, als]", "is ['ease', 'als']: must start with als and have each"),
    ("features.groups", "[user, user]", "must have at least one family, and each once"),
    (f"{SHOWN}.model", "svd", "Input tag 'svd' found using 'model' does not match any"),
    # baselines, of which a list is values to try
    ("baselines.ease.l2", "[300, -1]", "is -1: must be greater than or equal to 0.001"),
    ("baselines.ease.l2", "[]", "l2 is []: must be a value, or a list of at least one"),
    ("baselines.ease.l2", str([*range(1, 1002)]), "have 1001 combinations: must be at most 1000"),
    ("baselines", "{}", "is empty: must have at least one model"),
    # several keys, sections, unknown keys
    ("candidates", NEW_ITEMS, "candidates.sources must have one of content"),
    ("ranker.label", "graded", "params.yaml: ranker.label graded needs the objective"),
    ("als", None, "the section als is missing"),
    ("als.factors", None, "als.factors is missing"),
    ("alsx", "1", "is not a parameter; did you mean als?"),
    (f"{SHOWN}.zzz", "5", "is not a parameter; known: of, l2, max_items, half_life, model"),
    ("baselines.als", "{}", "is not a parameter; known: popular, recent_popular, item_knn, ease"),
    # folds
    ("folds", "[validation, test, label_1]", FOLD_ORDER),
    ("folds", "[test, validation, validation_3, label_1]", FOLD_ORDER),
    ("folds", "[test, validation]", FOLD_ORDER),
    ("folds", "[test, validation, label_1, train]", FOLD_ORDER),
]


@pytest.mark.parametrize(("key", "text", "expected"), WRONG)
def test_one_line_with_key_value_and_what_is_allowed(
    key: str, text: str | None, expected: str
) -> None:
    write(**{key: text})
    (line,) = lines_of(key)
    assert line.startswith("params.yaml: ")
    parent = key.rpartition(".")[0]  # which is named where several keys are wrong together
    assert f" {key}" in line or f" {parent} is {{" in line
    assert expected in line


def test_every_key_of_an_earlier_version_is_refused_whatever_is_read() -> None:
    write(**dict.fromkeys(params.GONE, "0"))
    for read_key in ("als", "seed", "spark"):
        assert lines_of(read_key) == [f"params.yaml: {key} {of}" for key, of in params.GONE.items()]
    for key, what in params.GONE.items():
        now = what.removeprefix("is now ")
        assert key not in leaves(VALUES)
        assert now in leaves(VALUES) or now.startswith("was removed")


def test_every_finding_has_a_line_of_its_own_and_other_sections_do_not_matter() -> None:
    write(**{"als.factors": "0", "als.alpha": "nan", "candidates.per_source": "many"})
    assert lines_of("als") == [
        "params.yaml: als.factors is 0: must be greater than or equal to 1",
        "params.yaml: als.alpha is 'nan': must be a valid number",
    ]
    assert read("ranker").n_seeds == VALUES["ranker"]["n_seeds"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"seed: [1\nals: 2", "not YAML: "),
        (b"seed: !!python/object/apply:os.system [touch harmed]", "not YAML: "),
        (b"- seed", "must be a mapping of sections"),
        (b"3: 1", "3 is not a parameter; known: seed"),
        (None, "not found; run from the top folder of the repository"),
    ],
)
def test_a_file_that_is_not_params_yaml(content: bytes | None, expected: str) -> None:
    if content is not None:
        params.FILE.write_bytes(content)
    for key in ("als", "seed"):
        (line,) = lines_of(key)
        assert line.startswith(f"params.yaml: {expected}")
    assert [path.name for path in Path().iterdir()] == ["params.yaml"] * (content is not None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"als.factors": "9"}, f"als.factors was {FACTORS} when it was read, and is 9 now"),
        ({"seed": "1"}, f"seed was {VALUES['seed']} when it was read, and is 1 now"),
        ({"folds": "[test, validation, label_1]"}, "folds was ['test', "),
        ({"threads": "7"}, None),
        ({"sources.ease.l2": "1.0"}, None),  # not read
        ({}, None),
    ],
)
def test_what_was_read_may_not_change_while_a_script_runs(
    changes: dict[str, str | None], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC records what the file says in the end."""
    monkeypatch.setattr("sys.argv", ["stages/als.py"])

    def main() -> None:
        write()
        params.shared_params()
        params.section("als", AlsParams)
        params.section("sources.item_knn", ItemKnnParams)
        script.check_outputs_may_stay()
        write(**changes)
        read("als")  # each value that was read counts
        if "seed" not in changes:  # it is compared at the end, too
            with script.whole(Path("out")) as path:
                path.touch()

    with pytest.raises(SystemExit) if expected else nullcontext() as stop:
        script.run_script(main)
    assert not expected or stop.value.code.startswith(f"als: params.yaml: {expected}")
    assert Path("out").exists() == (expected is None)
    script.check_outputs_may_stay()  # after the run, at a prompt or in a test, nothing is compared


def test_every_combination_of_a_baseline_is_a_setting() -> None:
    write(
        baselines="{recent_popular: {windows: 1}, popular: {}, ease: "
        "{of: positives, l2: [300, 1000], max_items: [10, 20], half_life: 0}}"
    )
    settings = read("baselines").settings
    assert list(settings) == ["popular", "recent_popular", "ease"]
    found = [(number, of.l2, of.max_items) for number, of in settings["ease"].items()]
    assert found == [(0, 300, 10), (1, 300, 20), (2, 1000, 10), (3, 1000, 20)]
    assert settings["popular"].keys() == {0}

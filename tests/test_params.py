"""params.yaml is read strictly: one line per finding, with key, value and what is allowed."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin

from harness import params, process, script
from harness.params import SharedParams, Strict
from harness.script import InputError

import pytest
from annotated_types import Ge, Gt, Le, Lt
from ruamel.yaml import YAML

from boosting.training import RankerParams
from evaluation.top_lists import EvaluateParams
from factorization.als import AlsParams
from families import FeaturesParams
from folds.similarity import ItemKnnParams
from readers import DataParams
from retrieval import BaselinesParams, CandidatesParams, SourcesParams
from spark.engine.settings import SparkParams
from split import SplitParams

SHIPPED = Path(__file__).parent.parent / "params.yaml"
MODELS: dict[str, type[Strict]] = {
    "data": DataParams,
    "split": SplitParams,
    "als": AlsParams,
    "sources": SourcesParams,
    "candidates": CandidatesParams,
    "features": FeaturesParams,
    "ranker": RankerParams,
    "baselines": BaselinesParams,
    "evaluate": EvaluateParams,
    "spark": SparkParams,
}
GOOD = """\
seed: 42
threads: 2
folds: [test, validation, label_1, label_2]
als:
  factors: 32
  alpha: 1.0
  confidence: plain
  regularization: 50.0
  iterations: 15
  half_life: 0
sources:
  item_knn:
    neighbours: 200
    weighting: cosine
    last_items: 500
    half_life: 0
  recent_popular:
    windows: 2
  ease:
    l2: 1000.0
    max_items: 5000
    half_life: 4
  next_item:
    last_items: 10
    reach: 3
  author_top:
    favourites: 3
    windows: 2
features:
  recent_windows: 3
  smoothing: 20.0
  last_items: 10
  scores:
    shown:
      model: ease
      of: exposures
      l2: 500.0
      max_items: 500
      half_life: 0
  groups: [als, scores]
  cold_groups: [popularity]
candidates:
  sources: [als, ease]
  per_source: 100
  label_users: 3000
ranker:
  objective: binary
  label: positive
  n_estimators: 200
  cold_n_estimators: 30
  cold_min_lists: 400
  learning_rate: 0.05
  num_leaves: 31
  min_data_in_leaf: 200
  feature_fraction: 0.5
  bagging_fraction: 0.5
  lambda_l2: 1.0
  max_bin: 255
  truncation_level: 13
  negatives: 0
  list_weight: 0.3
  n_seeds: 3
  train_folds: 2
baselines:
  popular: {}
  ease:
    l2: [300, 1000]
    max_items: 5000
    half_life: 0
  recent_popular:
    windows: 1
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(old: str = "", new: str = "") -> None:
    """GOOD with one place changed."""
    assert GOOD.count(old) == 1 or not old
    params.FILE.write_text(GOOD.replace(old, new) if old else GOOD)


def line_of(section: str | None) -> str:
    """The message for a section, or for what stands outside of them."""
    with pytest.raises(InputError) as error:
        params.section(section, MODELS[section]) if section else params.shared_params()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_written_is_read() -> None:
    write()
    assert params.section("als", AlsParams) == AlsParams(
        factors=32,
        alpha=1.0,
        confidence="plain",
        regularization=50.0,
        iterations=15,
        half_life=0,
    )
    assert params.section("sources", SourcesParams).ease.max_items == 5000
    shared = params.shared_params()
    assert (shared.seed, shared.n_threads, shared.folds[-1]) == (42, 2, "label_2")


def test_zero_threads_are_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(params.os, "sched_getaffinity", lambda _: {0, 1, 5})
    write("threads: 2", "threads: 0")
    assert params.shared_params().n_threads == 3


def test_the_shipped_file_is_valid_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(params, "FILE", SHIPPED)
    assert set(MODELS) == set(params.SECTIONS)
    for name, model in MODELS.items():
        params.section(name, model)
    params.shared_params()
    assert set(YAML(typ="safe").load(SHIPPED)) == {
        *params.SECTIONS,
        *params.SharedParams.model_fields,
    }


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_no_parameter_has_a_default(model: type[Strict]) -> None:
    """A default in the code is a parameter DVC cannot see."""
    models = [model]
    while models:
        for field in models.pop().model_fields.values():
            assert field.is_required() or model is BaselinesParams  # whose keys are the choice
            if isinstance(field.annotation, type) and issubclass(field.annotation, Strict):
                models.append(field.annotation)


def numbers_of(kind: object, bounds: list[object] = ()) -> Iterator[tuple[type, list[object]]]:
    """The numbers in a type, with what bounds them, of pydantic's models at any depth."""
    if isinstance(kind, type) and issubclass(kind, Strict):
        for field in kind.model_fields.values():
            yield from numbers_of(field.annotation, field.metadata)
    elif get_origin(kind) is Annotated:
        inner, *metadata = get_args(kind)
        of_fields = [one for of in metadata for one in getattr(of, "metadata", [of])]
        yield from numbers_of(inner, [*bounds, *of_fields])
    elif kind in (int, float):
        yield kind, bounds
    elif get_origin(kind) is not Literal:
        for part in get_args(kind):
            yield from numbers_of(part)


@pytest.mark.parametrize("model", [*MODELS.values(), SharedParams])
def test_every_number_has_a_least_and_a_largest_value(model: type[Strict]) -> None:
    """Beyond theirs, libraries end in a traceback, or stall, or take all memory."""
    found = list(numbers_of(model))
    assert found or model is DataParams
    for kind, bounds in found:
        assert any(isinstance(bound, Ge | Gt) for bound in bounds), (kind, bounds)
        assert any(isinstance(bound, Le | Lt) for bound in bounds), (kind, bounds)


@pytest.mark.parametrize(
    ("section", "old", "new", "expected"),
    [
        # a typo
        (
            "als",
            "factors: 32",
            "factors: 32\n  factor: 64",
            "als.factor is not a parameter; did you mean als.factors?",
        ),
        (
            "sources",
            "l2: 1000.0",
            "l2: 1000.0\n    max_item: 3",
            "sources.ease.max_item is not a parameter; did you mean sources.ease.max_items?",
        ),
        (
            "sources",
            "l2: 1000.0",
            "l2: 1000.0\n    zzz: 3",
            "sources.ease.zzz is not a parameter; known: l2, max_items, half_life",
        ),
        # a wrong type
        ("als", "32", "many", "als.factors is 'many': must be a valid integer"),
        ("als", "32", "32.0", "als.factors is 32.0: must be a valid integer"),
        ("als", "32", "'32'", "als.factors is '32': must be a valid integer"),
        ("als", "32", "true", "als.factors is True: must be a valid integer"),
        ("als", "32", "", "als.factors is None: must be a valid integer"),
        ("als", "alpha: 1.0", "alpha: [1]", "als.alpha is [1]: must be a valid number"),
        ("als", "alpha: 1.0", "alpha: '1'", "als.alpha is '1': must be a valid number"),
        ("als", "alpha: 1.0", "alpha: yes", "als.alpha is 'yes': must be a valid number"),
        (None, "42", "1e3", "seed is 1000.0: must be a valid integer"),
        (
            "candidates",
            "[als, ease]",
            "als",
            "candidates.sources is 'als': must be a valid list",
        ),
        # out of range
        ("als", "32", "0", "als.factors is 0: must be greater than or equal to 1"),
        ("als", "32", "4097", "als.factors is 4097: must be less than or equal to 4096"),
        ("als", "alpha: 1.0", "alpha: 0", "als.alpha is 0: must be greater than 0"),
        (
            "als",
            "50.0",
            "-1e-9",
            "als.regularization is -1e-09: must be greater than or equal to 0",
        ),
        (
            "ranker",
            "objective: binary",
            "objective: lambdamart",
            "ranker.objective is 'lambdamart': must be 'lambdarank', 'rank_xendcg' or 'binary'",
        ),
        (
            "candidates",
            "[als, ease]",
            "[als, svd]",
            "candidates.sources.1 is 'svd': must be 'als', 'popular', 'recent_popular', "
            "'item_knn', 'ease', 'content', 'next_item' or 'author_top'",
        ),
        (
            "candidates",
            "[als, ease]",
            "[ease, als]",
            "candidates.sources is ['ease', 'als']: must start with als and name each source once",
        ),
        (
            "features",
            "[als, scores]",
            "[als, nope]",
            "features.groups.1 is 'nope': must be 'als', ",
        ),
        (
            "evaluate",
            "seed: 42",
            "seed: 42\nevaluate: {k: 0, n_resamples: 500}",
            "evaluate.k is 0: must be greater than or equal to 1",
        ),
        (
            "evaluate",
            "seed: 42",
            "seed: 42\nevaluate: {k: 5, kk: 5, n_resamples: 500}",
            "evaluate.kk is not a parameter; did you mean evaluate.k?",
        ),
        (None, "42", "-1", "seed is -1: must be greater than or equal to 0"),
        (None, "42", "2147483648", "seed is 2147483648: must be less than or equal to 2147483647"),
        (
            "sources",
            "half_life: 4",
            "half_life: -1",
            "sources.ease.half_life is -1: must be greater",
        ),
        (
            "sources",
            "last_items: 500",
            f"last_items: {2**63}",
            f"sources.item_knn.last_items is {2**63}: must be less than or equal to 1000000",
        ),
        ("ranker", "leaves: 31", "leaves: 131072", "ranker.num_leaves is 131072: must be less"),
        ("ranker", "leaf: 200", f"leaf: {2**31}", "ranker.min_data_in_leaf is 2147483648: must be"),
        ("ranker", "level: 13", f"level: {2**31}", "ranker.truncation_level is 2147483648: must"),
        ("als", "alpha: 1.0", "alpha: 1e30", "als.alpha is 1e+30: must be less than or equal to"),
        ("als", "50.0", "1e30", "als.regularization is 1e+30: must be less than or equal to"),
        (None, "threads: 2", "threads: 1024", "threads is 1024: must be less than or equal to 256"),
        # not a number
        ("als", "alpha: 1.0", "alpha: .nan", "als.alpha is nan: must be a finite number"),
        ("als", "alpha: 1.0", "alpha: .inf", "als.alpha is inf: must be a finite number"),
        ("als", "alpha: 1.0", "alpha: nan", "als.alpha is 'nan': must be a valid number"),
        # missing
        ("als", "  alpha: 1.0\n", "", "als.alpha is missing"),
        ("sources", "    l2: 1000.0\n", "", "sources.ease.l2 is missing"),
        (None, "seed: 42\n", "", "seed is missing"),
        ("evaluate", "", "", "the section evaluate is missing"),
        # sections
        (
            "als",
            "seed: 42",
            "seed: 42\nalsx: 1",
            "alsx is not a parameter; did you mean als?",
        ),
        (
            None,
            "threads: 2",
            "thread: 2",
            "thread is not a parameter; did you mean threads?",
        ),
        ("split", "seed: 42", "seed: 42\nsplit: 20", "split is 20: must be a section"),
        ("split", "seed: 42", "seed: 42\nsplit:", "split is None: must be a section"),
        # folds
        *(
            (
                None,
                "[test, validation, label_1, label_2]",
                f"[{', '.join(names)}]",
                f"folds is {names}: must be test, test_2, …, validation, validation_2, …, label_1, "
                "label_2, … in this order, at least one of each",
            )
            for names in (
                ["validation", "test", "label_1"],
                ["test", "validation", "label_2", "label_1"],
                ["test", "validation", "label_2"],
                ["test", "validation", "label_1", "label_1"],
                ["test", "validation"],
                ["test", "label_1"],
                ["test", "test_3", "validation", "label_1"],
                ["test", "validation", "test_2", "label_1"],
                ["test", "validation_2", "label_1"],
            )
        ),
        (None, "[test, validation, label_1, label_2]", "test", "folds is 'test': must be a valid"),
    ],
)
def test_one_line_with_key_value_and_what_is_allowed(
    section: str | None, old: str, new: str, expected: str
) -> None:
    write(old, new)
    assert line_of(section).startswith(f"params.yaml: {expected}")


@pytest.mark.parametrize(
    "folds",
    [
        ["test", "validation", "label_1"],
        ["test", "test_2", "validation", "validation_2", "validation_3", "label_1", "label_2"],
        ["test", *(f"test_{i}" for i in range(2, 12)), "validation", "label_1"],
    ],
)
def test_folds_of_any_number(folds: list[str]) -> None:
    write("[test, validation, label_1, label_2]", f"[{', '.join(folds)}]")
    shared = params.shared_params()
    assert shared.folds == folds
    assert shared.judged == [fold for fold in folds if not fold.startswith("label")]
    assert shared.of_kind("label") == [fold for fold in folds if fold.startswith("label")]
    assert shared.before("test", 2) == folds[1:3]
    assert shared.before(folds[-1], 2) == []


@pytest.mark.parametrize(
    "name", ["label", "label_0", "label_01", "train", "label_1x", "test_1", "validation_0"]
)
def test_unknown_folds(name: str) -> None:
    write("[test, validation, label_1, label_2]", f"[test, validation, {name}]")
    assert line_of(None).startswith(f"params.yaml: folds.2 is '{name}': String should match")


@pytest.mark.parametrize(
    ("written", "expected"), [("1e-3", 0.001), ("1e3", 1000.0), ("3", 3.0), ("0.5", 0.5)]
)
def test_numbers_of_every_form_are_floats(written: str, expected: float) -> None:
    """YAML 1.1 reads 1e-3 as a string."""
    write("alpha: 1.0", f"alpha: {written}")
    assert params.section("als", AlsParams).alpha == expected


def test_every_finding_has_a_line_of_its_own() -> None:
    write("factors: 32\n  alpha: 1.0", "factors: 0\n  alpha: nan")
    with pytest.raises(InputError) as error:
        params.section("als", AlsParams)
    assert str(error.value).splitlines() == [
        "params.yaml: als.factors is 0: must be greater than or equal to 1",
        "params.yaml: als.alpha is 'nan': must be a valid number",
    ]


def test_a_key_renamed_by_mistake_is_two_findings() -> None:
    write("factors", "factor")
    with pytest.raises(InputError) as error:
        params.section("als", AlsParams)
    assert sorted(str(error.value).splitlines()) == [
        "params.yaml: als.factor is not a parameter; did you mean als.factors?",
        "params.yaml: als.factors is missing",
    ]


def test_a_section_is_read_though_another_is_wrong() -> None:
    """Every stage checks its own."""
    write("per_source: 100", "per_source: many")
    assert params.section("als", AlsParams).factors == 32


def test_graded_labels_need_a_ranking_objective() -> None:
    write("label: positive", "label: graded")
    expected = "ranker.label graded needs the objective lambdarank or rank_xendcg"
    assert expected in line_of("ranker")


def test_no_file() -> None:
    expected = "params.yaml: not found; run from the top folder of the repository"
    assert line_of(None) == line_of("als") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed: [1\nals: 2", "params.yaml: not YAML: "),
        ("seed: 1\nseed: 2", "params.yaml: not YAML: "),
        ("- seed", "params.yaml: must be a mapping of sections"),
        ("", "params.yaml: must be a mapping of sections"),
    ],
    ids=["broken", "twice", "list", "empty"],
)
def test_not_a_mapping(text: str, expected: str) -> None:
    params.FILE.write_text(text)
    assert line_of(None).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed: 4" + 5000 * "2", "not YAML: Exceeds the limit"),
        ("seed: !!bool x", "not YAML: 'x'"),
        ("seed: !!int ''", "not YAML: string index out of range"),
        ("seed: 2020-13-45", "not YAML: month must be in 1..12"),
        (f"seed: {20_000 * '['}", "lists or sections stand too deep within each other"),
        (f"seed: {20_000 * '- '}1", "lists or sections stand too deep within each other"),
    ],
    ids=["digits", "type", "empty", "date", "lists", "items"],
)
def test_what_the_parser_refuses_is_one_line(text: str, expected: str) -> None:
    params.FILE.write_text(text)
    assert line_of(None).startswith(f"params.yaml: {expected}")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3000 * "[" + 3000 * "]", "als.factors is [[[[[...]]]]]: must be a valid integer"),
        ("0x" + 9000 * "f", "als.factors is an integer of 36000 bits: must be less than or equal"),
        ("1" + 60 * "0", f"als.factors is {10**60}: must be less than or equal to 4096"),
        (500 * "a", f"als.factors is '{97 * 'a'}...{98 * 'a'}': must be a valid integer"),
        ("{b: 1, a: 2}", "als.factors is {'b': 1, 'a': 2}: must be a valid integer"),
    ],
    ids=["lists", "hexadecimal", "digits", "letters", "mapping"],
)
def test_a_long_or_deep_value_is_cut_in_its_line(value: str, expected: str) -> None:
    write("factors: 32", f"factors: {value}")
    assert line_of("als").startswith(f"params.yaml: {expected}")
    assert len(line_of("als")) < 300


@pytest.mark.parametrize("key", ['"a\\nb"', 300 * "a", "[a]", "0x" + 900 * "f"])
def test_a_key_of_any_kind_is_named_in_one_line(key: str) -> None:
    write("seed: 42", f"seed: 42\n{key}: 1")
    assert " is not a parameter; " in line_of("als")
    assert len(line_of("als")) < 400


@pytest.mark.parametrize("kind", ["folder", "loop", "closed"])
def test_a_file_that_cannot_be_read_is_one_line(kind: str) -> None:
    expected = "Is a directory"
    if kind == "folder":
        params.FILE.mkdir()
    elif kind == "loop":
        params.FILE.symlink_to(params.FILE)
        expected = "Too many levels of symbolic links"
    else:
        write()
        params.FILE.chmod(0)
        expected = "Permission denied"
        if os.access(params.FILE, os.R_OK):
            pytest.skip("nothing is closed to this user")
    assert line_of(None) == f"params.yaml: cannot be read: {expected}"


@pytest.fixture
def _running(monkeypatch: pytest.MonkeyPatch) -> None:
    """As within run_script()."""
    monkeypatch.setattr(script, "checks", [])


@pytest.mark.usefixtures("_running")
def test_what_was_read_may_not_change_while_a_script_runs() -> None:
    """DVC records what the file says in the end."""
    write()
    params.section("als", AlsParams)
    params.section("sources.item_knn", ItemKnnParams)
    params.check_unchanged()
    write("factors: 32", "factors: 9")
    with pytest.raises(InputError) as error:
        params.check_unchanged()
    assert str(error.value).startswith(
        "params.yaml: als.factors was 32 when it was read, and is 9 now"
    )
    write("neighbours: 200", "neighbours: 5")
    with pytest.raises(InputError, match=r"sources\.item_knn\.neighbours was 200 when"):
        params.check_unchanged()
    params.FILE.unlink()
    with pytest.raises(InputError, match="not found"):
        params.check_unchanged()


@pytest.mark.usefixtures("_running")
def test_each_value_that_was_read_counts() -> None:
    """Also where the file was changed and read again before the end."""
    write()
    params.section("als", AlsParams)
    write("factors: 32", "factors: 9")
    params.section("als", AlsParams)
    with pytest.raises(InputError, match=r"als\.factors was 32 when it was read, and is 9 now"):
        params.check_unchanged()


@pytest.mark.usefixtures("_running")
@pytest.mark.parametrize(
    ("old", "new"), [("threads: 2", "threads: 1"), ("l2: 1000.0", "l2: 1.0"), ("", "")]
)
def test_what_was_not_read_and_threads_may_change(old: str, new: str) -> None:
    write()
    params.shared_params()
    params.section("als", AlsParams)
    write(old, new)
    params.check_unchanged()


@pytest.mark.usefixtures("_running")
@pytest.mark.parametrize(("old", "new"), [("seed: 42", "seed: 1"), ("label_1, label_2", "label_1")])
def test_seed_and_folds_may_not_change(old: str, new: str) -> None:
    write()
    params.shared_params()
    write(old, new)
    with pytest.raises(InputError, match=" when it was read, and is "):
        params.check_unchanged()


def test_each_run_of_a_script_is_compared_with_its_own_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "KERNEL", process.PROMISED_KERNEL)
    monkeypatch.setattr("sys.argv", ["stages/als.py"])

    def main(number: int, number_in_the_end: int) -> None:
        write("factors: 32", f"factors: {number}")
        params.section("als", AlsParams)
        write("factors: 32", f"factors: {number_in_the_end}")

    for number in (8, 9, 8):
        script.run_script(partial(main, number, number))
    with pytest.raises(SystemExit) as stop:
        script.run_script(partial(main, 8, 9))
    assert "params.yaml: als.factors was 8 when it was read, and is 9 now" in stop.value.code
    main(8, 9)  # by a test, or at a prompt
    script.check_outputs_may_stay()


def test_more_combinations_than_can_be_tried_are_one_line() -> None:
    write(
        "[300, 1000]\n    max_items: 5000", f"{[*range(1, 102)]}\n    max_items: {[*range(1, 11)]}"
    )
    assert "its lists have 1010 combinations: must be at most 1000" in line_of("baselines")


def test_every_combination_of_a_baseline_is_a_setting() -> None:
    write(
        "max_items: 5000\n    half_life: 0\n  recent",
        "max_items: [10, 20]\n    half_life: 0\n  recent",
    )
    settings = params.section("baselines", BaselinesParams).settings
    assert list(settings) == ["popular", "recent_popular", "ease"]
    assert {number: one.model_dump() for number, one in settings["ease"].items()} == {
        0: {"l2": 300, "max_items": 10, "half_life": 0},
        1: {"l2": 300, "max_items": 20, "half_life": 0},
        2: {"l2": 1000, "max_items": 10, "half_life": 0},
        3: {"l2": 1000, "max_items": 20, "half_life": 0},
    }
    assert settings["popular"].keys() == {0}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[300, 1000]", "[300, -1]", "baselines.ease.l2 is -1: must be greater than or"),
        (
            "[300, 1000]",
            "[]",
            "baselines.ease is {'l2': [], 'max_items': 5000, 'half_life': 0}: l2 is []: must be",
        ),
        ("[300, 1000]", "many", "baselines.ease.l2 is 'many': must be a valid number"),
        (
            "max_items: 5000\n    half_life: 0\n  recent",
            "max_items: 5\n    half_life: 0\n    l3: 1\n  recent",
            "baselines.ease.l3 is not",
        ),
        ("  popular: {}\n", "  popular: 3\n", "baselines.popular is 3: must be a valid list"),
        ("  popular: {}\n", "  als: {}\n", "baselines.als is not a parameter"),
    ],
)
def test_a_wrong_value_of_a_baseline_is_one_line(old: str, new: str, expected: str) -> None:
    write(old, new)
    assert line_of("baselines").startswith(f"params.yaml: {expected}")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "max_items: 500\n",
            "max_items: 0\n",
            "max_items is 0: must be greater than",
        ),
        ("max_items: 500\n", "l3: 5\n", "max_items is missing"),
        (
            "max_items: 500\n",
            "max_items: 500\n      l3: 5\n",
            "l3 is not a parameter; known: model, of, l2, max_items, half_life",
        ),
        ("of: exposures", "of: likes", "of is 'likes': must be 'positives' or 'exposures'"),
        ("      model: ease\n", "", "model is missing"),
        ("model: ease", "model: svd", "model is 'svd': must be one of 'ease', 'item_knn'"),
        ("model: ease", "model: item_knn", "neighbours is missing"),
    ],
)
def test_a_wrong_model_of_scores_is_one_line(old: str, new: str, expected: str) -> None:
    write(old, new)
    with pytest.raises(InputError) as error:
        params.section("features", FeaturesParams)
    assert f"params.yaml: features.scores.shown.{expected}" in str(error.value)


def test_models_of_scores_have_plain_names() -> None:
    write("    shown:", "    Shown z:")
    assert line_of("features").startswith("params.yaml: features.scores.Shown z")


def test_no_baseline() -> None:
    params.FILE.write_text("baselines: {}\n")
    assert "baselines is empty: must name at least one source" in line_of("baselines")

"""Bad input that the tests of single modules leave out, as tables: every parameter with every kind
of wrong value, every file of MovieLens with every kind of fault, and scripts called wrongly. Each
ends in one line that names the place, and changes no file.
"""

import copy
import importlib
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

from harness import params, script
from harness.params import SharedParams
from harness.script import InputError

import pytest
from ruamel.yaml import YAML

import movielens_like
import split
from readers import READERS
from readers.movielens import EDITIONS
from test_movielens import params_of
from test_params import MODELS, SHIPPED

VALUES = YAML(typ="safe").load(SHIPPED)
MISSING, UNKNOWN = "missing", "unknown"
HERE = "@here@"  # where the text of a wrong value goes
WRONG = {  # the text in params.yaml -> what Python calls it
    "null": "None",
    "{a: 1}": "{'a': 1}",
    "[[1]]": "[[1]]",
    "many": "'many'",
    ".nan": "nan",
    "-.inf": "-inf",
    "-1": "-1",
}
LARGEST = {  # allowed values of every number
    "seed": 2**31 - 1,
    "threads": 256,
    "data.embedding_width": 100_000,
    "split.windows": 1000,
    "als.factors": 4096,
    "als.alpha": 1e6,
    "als.regularization": 1e9,
    "als.iterations": 1000,
    "als.half_life": 1e6,
    "sources.item_knn.neighbours": 10_000,
    "sources.item_knn.last_items": 1_000_000,
    "sources.item_knn.half_life": 1e6,
    "sources.recent_popular.windows": 1000,
    "sources.ease.l2": 1e12,
    "sources.ease.max_items": 1_000_000,
    "sources.ease.half_life": 1e6,
    "sources.next_item.last_items": 1000,
    "sources.next_item.reach": 100,
    "sources.author_top.favourites": 1000,
    "sources.author_top.windows": 1000,
    "candidates.per_source": 10_000,
    "candidates.label_users": 10**9,
    "features.recent_windows": 1000,
    "features.smoothing": 1e9,
    "features.last_items": 1000,
    "features.scores.ease_exposures.l2": 1e12,
    "features.scores.ease_exposures.max_items": 1_000_000,
    "features.scores.ease_exposures.half_life": 1e6,
    "features.scores.item_knn_exposures.neighbours": 10_000,
    "features.scores.item_knn_exposures.last_items": 1_000_000,
    "features.scores.item_knn_exposures.half_life": 1e6,
    "ranker.n_estimators": 100_000,
    "ranker.cold_n_estimators": 100_000,
    "ranker.cold_min_lists": 10_000_000,
    "ranker.learning_rate": 10.0,
    "ranker.num_leaves": 4096,
    "ranker.min_data_in_leaf": 10**9,
    "ranker.feature_fraction": 1.0,
    "ranker.bagging_fraction": 1.0,
    "ranker.lambda_l2": 1e12,
    "ranker.max_bin": 255,
    "ranker.truncation_level": 100_000,
    "ranker.negatives": 1_000_000,
    "ranker.list_weight": 2.0,
    "ranker.n_seeds": 100,
    "ranker.train_folds": 1000,
    "baselines.item_knn.neighbours": 10_000,
    "baselines.item_knn.last_items": 1_000_000,
    "baselines.item_knn.half_life": 1e6,
    "baselines.recent_popular.windows": 1000,
    "baselines.ease.l2": 1e12,
    "baselines.ease.max_items": 1_000_000,
    "baselines.ease.half_life": 1e6,
    "evaluate.k": 1000,
    "evaluate.n_resamples": 1_000_000,
    "spark.partitions": 100_000,
    "spark.users_at_once": 1_000_000,
    "spark.alive_windows": 1000,
    "spark.als.alpha": 1e6,
    "spark.als.regularization": 1e9,
}


def leaves(tree: dict, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Dotted key and value of every parameter; baselines without parameters are none."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


LEAVES = dict(leaves(VALUES))


TEXTS = ("data.path", "data.positive", "spark.master", "spark.folder", "spark.checkpoints")


def is_allowed(key: str, text: str) -> bool:
    """Whether this is no wrong value."""
    is_text = LEAVES[key] == "" or key in TEXTS
    return is_text and text == "many"


def write_with(key: str, text: str) -> None:
    """The shipped params.yaml with one value replaced, left out or given twice under two names."""
    tree = copy.deepcopy(VALUES)
    *parents, name = key.split(".")
    section = tree
    for parent in parents:
        section = section[parent]
    if text == MISSING:
        del section[name]
    elif text == UNKNOWN:
        section[f"{name}_"] = section[name]
    else:
        section[name] = HERE
    written = json.dumps(tree, ensure_ascii=False).replace(f'"{HERE}"', text)
    params.FILE.write_text(written, encoding="utf-8")


def read_section(key: str) -> None:
    """Reads what the key belongs to."""
    section = key.partition(".")[0]
    params.section(section, MODELS[section]) if section in MODELS else params.shared_params()


def line_of(key: str) -> str:
    """What reading the section of the key says."""
    with pytest.raises(InputError) as error:
        read_section(key)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("key", "text"),
    [(key, text) for key in LEAVES for text in WRONG if not is_allowed(key, text)],
)
def test_a_wrong_value_of_every_parameter(key: str, text: str) -> None:
    write_with(key, text)
    section, _, name = key.rpartition(".")
    shown = WRONG[text]
    if section.startswith("baselines.") and text == "[[1]]":
        shown = "[1]"  # a list of values to try, of which this is the first
    elif section.startswith("features.scores.") and name == "model" and text != "many":
        shown = repr(shown)
    line = line_of(key)
    # in a list of names the first entry is what is wrong
    assert line.startswith((f"params.yaml: {key} is {shown}: ", f"params.yaml: {key}.0 is "))
    assert " must be " in line or " should match " in line


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def test_the_largest_value_of_every_number_is_known() -> None:
    first = {key: of[0] if isinstance(of, list) and of else of for key, of in LEAVES.items()}
    assert {*LARGEST} == {key for key, value in first.items() if is_number(value)}


@pytest.mark.parametrize(("key", "largest"), LARGEST.items())
def test_a_value_that_is_too_large(key: str, largest: float) -> None:
    write_with(key, str(largest))
    read_section(key)
    beyond = largest + 1 if isinstance(largest, int) else math.nextafter(largest, math.inf)
    write_with(key, str(beyond))
    assert line_of(key).startswith(f"params.yaml: {key} is {beyond}: must be less than or equal to")


@pytest.mark.parametrize("key", LEAVES)
def test_every_parameter_missing_and_misspelt(key: str) -> None:
    write_with(key, MISSING)
    assert line_of(key) == f"params.yaml: {key} is missing"
    write_with(key, UNKNOWN)
    assert line_of(key).startswith(f"params.yaml: {key}_ is not a parameter; did you mean {key}?")


@pytest.mark.parametrize(
    "content",
    [
        b"\x00",
        b"\xff\xfes\x00e\x00e\x00d\x00:\x001\x00",
        b"seed: \xff",
        b"PK\x03\x04",
        b"a",
        b"3",
        b"[]",
        b"seed: *a",
        b"seed: &a [*a]\n? *a\n",
        b"<<: 1",
        b"seed: !!python/object/apply:os.system [touch harmed]",
        b"seed: !!python/name:os.system",
        b"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n",
        b"seed: 1\n\tthreads: 1",
        b"seed: 'open",
        b"--- 1\n--- 2\n",
        b"%YAML 9.9\n---\nseed: 1",
        b"@",
    ],
)
def test_a_file_that_is_not_params_yaml(content: bytes) -> None:
    params.FILE.write_bytes(content)
    with pytest.raises(InputError) as error:
        params.section("als", MODELS["als"])
    assert str(error.value).startswith("params.yaml: ")
    assert "\n" not in str(error.value)
    assert [path.name for path in Path().iterdir()] == ["params.yaml"]


COLUMNS = {
    "inter": ["user_id", "item_id", "rating", "timestamp"],
    "item": ["item_id", "movie_title", "release_year", "genre"],
    "user": ["user_id", "age", "gender", "occupation"],
}
FAULTS = [
    *((kind, f"without {name}") for kind, names in COLUMNS.items() for name in names),
    *((kind, how) for kind in COLUMNS for how in ("empty", "binary", "latin-1", "comma", "short")),
    *((kind, "folder") for kind in COLUMNS),
    ("inter", "rating"),
    ("inter", "timestamp"),
    ("user", "age"),
]


def spoil(path: Path, how: str) -> None:
    """Does this fault to a file of MovieLens."""
    text = path.read_text(encoding="utf-8")
    header, *rows = text.splitlines()
    names = [name.split(":")[0] for name in header.split("\t")]
    cells = [line.split("\t") for line in (header, *rows)]
    if how.startswith("without "):
        place = names.index(how.removeprefix("without "))
        cells = [[*row[:place], *row[place + 1 :]] for row in cells]
    elif how == "short":
        cells[-1] = cells[-1][:1]
    elif how in names:
        cells[-1][names.index(how)] = "many"
    content = "\n".join("\t".join(row) for row in cells).encode()
    if how == "empty":
        content = b""
    elif how == "binary":
        content = b"PK\x03\x04" + bytes(range(256))
    elif how == "latin-1":
        content += b"\n\xe9\t\xe9\t\xe9\t\xe9"
    elif how == "comma":
        content = content.replace(b"\t", b",")
    path.unlink()
    if how == "folder":
        path.mkdir()
    else:
        path.write_bytes(content)


@pytest.fixture(scope="module")
def movies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("movies")
    movielens_like.write(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(("kind", "how"), FAULTS)
def test_a_fault_of_every_file_of_movielens(
    movies: dict[str, bytes], kind: str, how: str, tmp_path: Path
) -> None:
    source = "movielens-1m"
    for name, content in movies.items():
        (tmp_path / name).write_bytes(content)
    path = tmp_path / f"{EDITIONS[source].stem}.{kind}"
    spoil(path, how)
    with pytest.raises(InputError) as error:
        READERS[source](params_of(tmp_path, source))
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


FOLDS = "test, validation, label_1"
OF_FOLDS = ["als", "candidates", "features"]
OF_ALL = ["download", "ingest", "split", "ranker", "recommend", "baselines", "evaluate", "report"]
LATER = ["candidates", "features", "ranker", "recommend", "evaluate", "report", "baselines"]
MISUSE = {  # script and its arguments -> a part of the line
    **{
        f"{name} {wrong}".strip(): f"FOLD, where FOLD is one of {FOLDS}"
        for name in OF_FOLDS
        for wrong in ("", "train", "label_2", "test validation", "../test", "--fold")
    },
    **{
        f"{name} {wrong}": f"{name}: usage: python stages/{name}.py, without the argument '{wrong}'"
        for name in (*OF_ALL, "als_alone", "ablation")
        for wrong in ("validation", "--help")
    },
    "compare": "the following arguments are required: REV",
    "compare HEAD --fold train": "invalid choice: 'train'",
    "compare HEAD --json --markdown": "not allowed with argument",
    "compare HEAD --k 5": "unrecognized arguments: --k 5",
    "search": "the following arguments are required: KEY=VALUES",
    "search als.alpha=1 --draws many": "invalid int value: 'many'",
    "search als.alpha=1 --name ../x": "--name ../x: must be letters, digits, _ and -",
    "search als.alpha=1 --name -x": "expected one argument",
    "submit test validation": "unrecognized arguments: validation",
    "submit train": "data/recommendations/train.parquet: not found; run dvc repro or dvc pull",
    "submit --out": "expected one argument",
    "serve": "serve.py INTERACTIONS.parquet OUT.parquet",
    "serve one.parquet": "serve.py INTERACTIONS.parquet OUT.parquet",
    "serve one.parquet two.parquet three.parquet": "serve.py INTERACTIONS.parquet OUT.parquet",
    "serve none.parquet out.parquet": "not found; the models are trained by dvc repro",
}


def files() -> dict[str, bytes]:
    """All that is in the current folder."""
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize("call", MISUSE)
def test_a_script_called_wrongly(
    call: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """One line, exit 1, and the results of earlier runs stay."""
    text = SHIPPED.read_text(encoding="utf-8")
    tree = YAML(typ="safe").load(text) | {"folds": FOLDS.split(", ")}
    params.FILE.write_text(json.dumps(tree), encoding="utf-8")
    Path("metrics").mkdir()
    Path("metrics/validation.json").write_text("{}")
    before = files()
    name, *arguments = call.split()
    monkeypatch.setattr(sys, "argv", [f"stages/{name}.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        script.run_script(importlib.import_module(name).main)
    line = str(ended.value.code)
    assert line.startswith(f"{name}: ")
    assert MISUSE[call] in line
    assert "\n" not in line
    assert files() == before


@pytest.mark.parametrize(
    ("folds", "n_windows", "needed"),
    [
        (["test", "validation", "label_1"], 3, 4),
        (["test", "validation", "label_1"], 1, 2),
        (["test", "test_2", "validation", "label_1"], 4, 5),
        (["test", "validation", "label_1", "label_2", "label_3"], 4, 5),
        (["test", "validation", *(f"label_{i}" for i in range(1, 30))], 20, 21),
    ],
)
def test_folds_that_do_not_fit_the_windows(folds: list[str], n_windows: int, needed: int) -> None:
    SharedParams(seed=1, threads=1, folds=folds)  # well formed
    with pytest.raises(InputError) as error:
        split.target_windows(folds, n_windows)
    assert str(error.value) == (
        f"params.yaml: folds has {folds[n_windows - 1]}, which needs {needed} windows or more; the"
        f" data has {n_windows}"
    )


@pytest.mark.parametrize("name", LATER)
def test_a_script_without_what_comes_before_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that is not there is named; nothing is written."""
    params.FILE.write_bytes(SHIPPED.read_bytes())
    fold = ["validation"] if name in OF_FOLDS else []
    monkeypatch.setattr(sys, "argv", [f"stages/{name}.py", *fold])
    with pytest.raises(SystemExit) as ended:
        script.run_script(importlib.import_module(name).main)
    line = str(ended.value.code)
    assert line.startswith(f"{name}: ")
    assert "data/" in line
    assert "\n" not in line
    assert files().keys() == {"params.yaml"}

"""Bad input, as tables: every file of MovieLens with every kind of fault, scripts that are called
wrongly or too early. Each ends in one line that names the place, and changes no file.
"""

import importlib
import sys
from pathlib import Path

from core import folds, params, script
from core.script import InputError

import pytest

import movielens_like
from readers import READERS
from readers.movielens_files import EDITIONS
from test_movielens import params_of
from test_params import SHIPPED, VALUES


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


COLUMNS = {
    "inter": ["user_id", "item_id", "rating", "timestamp"],
    "item": ["item_id", "movie_title", "release_year", "genre"],
    "user": ["user_id", "age", "gender", "occupation"],
}
CONTENTS = {  # what becomes of the content of a file
    "empty": lambda _: b"",
    "binary": lambda _: b"PK\x03\x04" + bytes(range(256)),
    "latin-1": lambda content: content + b"\xe9\t\xe9\t\xe9\t\xe9\n",
    "comma": lambda content: content.replace(b"\t", b","),
    "short": lambda content: content + b"1\n",
}
FAULTS = [
    *((kind, f"without {name}") for kind, names in COLUMNS.items() for name in names),
    *((kind, how) for kind in COLUMNS for how in CONTENTS),
    *(("inter", "rating"), ("inter", "timestamp"), ("user", "age")),  # no number there
]


def spoil(content: bytes, how: str) -> bytes:
    """The content of a file of MovieLens with this fault."""
    if how in CONTENTS:
        return CONTENTS[how](content)
    cells = [line.split(b"\t") for line in content.splitlines()]
    column = how.removeprefix("without ")
    place = [name.split(b":")[0] for name in cells[0]].index(column.encode())
    if column == how:
        cells[-1][place] = b"many"
    else:
        cells = [[*row[:place], *row[place + 1 :]] for row in cells]
    return b"\n".join(b"\t".join(row) for row in cells)


@pytest.mark.parametrize(("kind", "how"), FAULTS)
def test_a_fault_of_every_file_of_movielens(kind: str, how: str, tmp_path: Path) -> None:
    source = "movielens-1m"
    movielens_like.write(tmp_path)
    path = tmp_path / f"{EDITIONS[source].stem}.{kind}"
    path.write_bytes(spoil(path.read_bytes(), how))
    with pytest.raises(InputError) as error:
        READERS[source](params_of(tmp_path, source))
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


FOLDS = ", ".join(VALUES["folds"])
OF_FOLDS = ["als", "candidates", "features"]
OF_ALL = ["download", "ingest", "split", "ranker", "recommend", "baselines", "evaluate", "report"]
LATER = ["split", "ranker", "recommend", "evaluate", "report", "baselines"]
TOO_EARLY = {  # the first file that is not there yet
    **dict.fromkeys(OF_FOLDS, f"{folds.FILE}: No such file or directory"),
    **dict.fromkeys(LATER, "data/"),
}
OF_SERVE = "serve.py INTERACTIONS.parquet OUT.parquet"
MISUSE = {  # script and its arguments -> a part of the line
    **{
        f"{name} {wrong}": f"[FOLD], with FOLD one of {FOLDS}"
        for name in OF_FOLDS
        for wrong in ("train", "test validation", "../test", "--fold")
    },
    **{
        f"{name} validation": f"usage: python stages/{name}.py, without the argument 'validation'"
        for name in (*OF_ALL, "als_alone", "ablation")
    },
    "compare": "the following arguments are required: REV",
    "compare HEAD --fold train": "invalid choice: 'train'",
    "compare HEAD --json --markdown": "not allowed with argument",
    "compare HEAD --k 5": "unrecognized arguments: --k 5",
    "search": "the following arguments are required: KEY=VALUES",
    "search als.alpha=1 --draws many": "invalid int value: 'many'",
    "search als.alpha=1 --name ../x": "--name ../x: must be letters, digits, _ and -",
    "submit test validation": "unrecognized arguments: validation",
    "submit train": "data/recommendations/train.parquet: not found; run dvc repro or dvc pull",
    "submit --out": "expected one argument",
    "serve": OF_SERVE,
    "serve one.parquet two.parquet three.parquet": OF_SERVE,
    "serve none.parquet out.parquet": "not found; the models are trained by dvc repro",
}


def line_of(call: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The one line that a script ends with. The results of earlier runs stay."""
    params.FILE.write_bytes(SHIPPED.read_bytes())
    Path("metrics").mkdir()
    Path("metrics/validation.json").write_text("{}")
    before = files()
    name, *arguments = call.split()
    monkeypatch.setattr(sys, "argv", [f"stages/{name}.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        script.run_script(importlib.import_module(name).main)
    line = str(ended.value.code)
    assert line.startswith(f"{name}: ")
    assert "\n" not in line
    assert files() == before
    return line


def files() -> dict[Path, bytes]:
    """The content of every file below this folder."""
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize("call", MISUSE)
def test_a_script_called_wrongly(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folds.FILE.parent.mkdir(parents=True)
    folds.save(folds.folds_of(VALUES["folds"], 20), folds.FILE)
    assert MISUSE[call] in line_of(call, monkeypatch)


@pytest.mark.parametrize("name", TOO_EARLY)
def test_a_script_called_too_early(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert TOO_EARLY[name] in line_of(name, monkeypatch)

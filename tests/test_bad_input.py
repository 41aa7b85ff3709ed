"""Bad input, as tables: files of every source with every kind of fault, scripts that are called
wrongly or too early. Each ends in one line that names the place, and changes no file.
"""

import importlib
import sys
from pathlib import Path

from core import folds, params, script
from core.script import InputError

import pytest

import movielens_like
import test_vk_lsvd
import test_vk_notebook
from readers import READERS
from readers.parquet import LFS_POINTER
from test_movielens import params_of
from test_params import SHIPPED, VALUES


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


WRITERS = {  # the files of a source; those whose absence the source's own tests are about
    "movielens-1m": (movielens_like.write, "none"),
    "vk-notebook": (test_vk_notebook.write, "none"),
    "vk-lsvd": (test_vk_lsvd.write, "week_*|*.npz"),
}


@pytest.mark.parametrize("source", WRITERS)
def test_a_file_that_is_gone_or_broken(source: str, tmp_path: Path) -> None:
    """Cut short, empty, of another kind, or a pointer of Git LFS."""
    write, optional = WRITERS[source]
    write(tmp_path)
    params = params_of(tmp_path, source, "rating > 3" if "movie" in source else "timespent > 5")
    for path in sorted(path for path in tmp_path.rglob("*") if path.is_file()):
        whole = path.read_bytes()
        is_text = path.suffix not in (".parquet", ".npz")
        wrong = [b"", b"PK\x03\x04" + bytes(range(256)), b"user_id,item_id\n1,2\n"]
        wrong += [LFS_POINTER + b"v1\noid sha256:00\n", *[whole[:-30], whole[:99]] * (not is_text)]
        if not any(path.match(name) for name in optional.split("|")):
            wrong.append(None)
        for content in wrong:
            path.unlink() if content is None else path.write_bytes(content)
            with pytest.raises(InputError) as error:
                READERS[source](params)
            line, is_pointer = str(error.value), content == wrong[3]
            assert "\n" not in line
            assert line.startswith(f"{path}: {'is a Git LFS pointer' if is_pointer else ''}"), line
        path.write_bytes(whole)


FOLDS = ", ".join(VALUES["folds"])
OF_FOLDS = ["als", "candidates", "features"]
LATER = ["split", "ranker", "recommend", "baselines", "evaluate", "report"]
OF_SERVE = "[--models {test,everyone}] [--items ITEMS] INTERACTIONS.parquet OUT.parquet"
MISUSE = {  # script and its arguments -> a part of the line
    **{
        f"{name} {wrong}": f"[FOLD], with FOLD one of {FOLDS}"
        for name in OF_FOLDS
        for wrong in ("train", "test validation", "--fold")
    },
    **{
        f"{name} validation": f"usage: python stages/{name}.py, without the argument 'validation'"
        for name in ("download", "ingest", *LATER, "als_alone", "ablation")
    },
    "compare": "give either REV, or --lists FILE, which uses the workspace",
    "compare HEAD --fold train": "invalid choice: 'train'",
    "search": "the following arguments are required: KEY=VALUES",
    "search als.alpha=1 --name ../x": "--name ../x: must be letters, digits, _ and -",
    "submit train": "train: FOLD must be one of test, test_2, validation, validation_2, ",
    "submit": "data/recommendations/test.parquet: not found; run dvc repro or dvc pull",
    "serve one.parquet two.json": "two.json: must end in .parquet or .csv",
    "submit --models everyone": "data/everyone: not found; run dvc repro stages/everyone/dvc.yaml",
    "serve": OF_SERVE,
    "serve none.parquet out.parquet": "not found; the models are trained by dvc repro",
    "serve none.parquet out.parquet --models everyone": "trained by dvc repro stages/everyone/dv",
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
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize("call", MISUSE)
def test_a_script_called_wrongly(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folds.FILE.parent.mkdir(parents=True)
    folds.save(folds.folds_of(VALUES["folds"], 20), folds.FILE)
    assert MISUSE[call] in line_of(call, monkeypatch)


@pytest.mark.parametrize("name", [*OF_FOLDS, *LATER])
def test_a_script_called_too_early(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line names the first file that is not there yet."""
    assert str(folds.FILE if name in OF_FOLDS else "data/") in line_of(name, monkeypatch)

"""What `download` demands of data.path, for the sources it ships and for one of a user's own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from download_runs import EMPTY, STAGES, contents, one_line, run_stage, start, write_params
from fetchers import FETCHERS
from readers import READERS


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_fetchers_are_of_known_sources() -> None:
    assert FETCHERS.keys() <= READERS.keys()


@pytest.mark.parametrize(
    ("source", "path", "expected"),
    [
        ("movielens-1m", "absent", "data.path is 'absent': no such folder; data/raw is where"),
        ("movielens-100k", "absent", "data.path is 'absent': no such folder; data/raw is where"),
        ("vk-notebook", "absent", "data.path is 'absent': no such folder; name the folder with"),
        ("vk-lsvd", "absent", "data.path is 'absent': no such folder; data.download=true fetches"),
        ("vk-notebook", "params.yaml", "data.path is 'params.yaml': must be a folder, is a file"),
        ("vk-notebook", "./data/raw", "data.path is './data/raw', where only MovieLens goes"),
        ("vk-notebook", "", "data.path is '': String should have at least 1 character"),
        ("vk-notebook", None, "data.path is None: must be a valid string"),
    ],
)
def test_a_wrong_data_path_is_one_line(
    project: Path, capsys: pytest.CaptureFixture, source: str, path: str, expected: str
) -> None:
    write_params(source, path)
    code, stderr = run_stage(capsys)
    assert code == 1
    assert expected in one_line(stderr)


@pytest.mark.parametrize("name", ["x.tmp", "a/x.tmp/b", "./__pycache__", ".git/x", "ours"])
def test_a_folder_that_dvc_ignores_is_one_line(
    project: Path, capsys: pytest.CaptureFixture, name: str
) -> None:
    """By the rules of this repository, and one of the user's: its changes would go unseen."""
    rules = (STAGES.parent / ".dvcignore").read_text()
    Path(".dvcignore").write_text(f"{rules}/ours\n")
    for path in (name, str(project / name)):
        Path(path).mkdir(parents=True, exist_ok=True)
        write_params("vk-notebook", path)
        code, stderr = run_stage(capsys)
        assert code == 1
        assert f"data.path names {Path(path)}, which DVC ignores" in one_line(stderr)


def test_what_dvc_sees_is_not_refused(
    project: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture
) -> None:
    """Outside of the repository it ignores nothing."""
    Path(".dvcignore").write_text("*.tmp\n")
    outside = tmp_path_factory.mktemp("x") / "x.tmp"
    for path in ("x.tmpx", "tmp", str(outside)):
        Path(path).mkdir()
        write_params("vk-notebook", path)
        assert run_stage(capsys) == (0, "")


@pytest.mark.parametrize("name", ["../../x", "/x", "a/b", ".", "..", "-x", "a\n"])
def test_a_subsample_is_a_plain_name(
    project: Path, capsys: pytest.CaptureFixture, name: str
) -> None:
    write_params("vk-lsvd", "vk", subsample=name)
    code, stderr = run_stage(capsys)
    assert code == 1
    assert f"data.subsample is {name!r}: must be the plain name of a folder" in one_line(stderr)


def test_a_subsample_that_dvc_ignores_is_one_line(
    project: Path, capsys: pytest.CaptureFixture
) -> None:
    Path(".dvcignore").write_text("*.tmp\n")
    Path("vk").mkdir()
    write_params("vk-lsvd", "vk", subsample="a.tmp")
    code, stderr = run_stage(capsys)
    assert code == 1
    assert "data.subsample names vk/subsamples/a.tmp, which DVC ignores" in one_line(stderr)


def test_a_download_never_goes_into_data_raw(project: Path, capsys: pytest.CaptureFixture) -> None:
    write_params("vk-lsvd", "data/raw/vk", download=True)
    code, stderr = run_stage(capsys)
    assert code == 1
    assert "data.path is 'data/raw/vk', where only MovieLens goes" in one_line(stderr)


OWN_READER = """
import numpy as np
import pyarrow as pa
from scipy import sparse

from folds.tables import Tables


def read(data):
    pair = {"user": pa.array([0], pa.int32()), "item": pa.array([0], pa.int32())}
    judged = {"is_positive": [True], "strength": pa.array([1], pa.uint8())}
    return Tables(
        pa.table(pair | judged),
        pa.table({"user_id": [data.path]}),
        pa.table({"item_id": [8]}),
        sparse.csr_array((1, 2), dtype=np.float32),
        np.zeros((1, 3), dtype=np.float32),
    )
"""


def run_own(stages: Path, script: str) -> tuple[int, str]:
    """Exit code and stderr of a script."""
    command = [sys.executable, str(stages / script)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return result.returncode, result.stderr


@pytest.fixture
def own(project: Path) -> Path:
    """The scripts with one more source, `mine`: a module, and two lines of the registry."""
    stages = project / "stages"
    shutil.copytree(STAGES, stages, ignore=shutil.ignore_patterns("__pycache__"))
    (stages / "readers/own.py").write_text(OWN_READER)
    registry = stages / "readers/__init__.py"
    text = registry.read_text()
    text = text.replace("\nfrom readers import ", "\nfrom readers import own, ")
    text = text.replace(
        '    "vk-lsvd": vk_lsvd.read,\n', '    "vk-lsvd": vk_lsvd.read,\n    "mine": own.read,\n'
    )
    registry.write_text(text)
    write_params("mine", "mein Ordner")
    return stages


def test_an_own_source_needs_its_folder(own: Path) -> None:
    code, stderr = run_own(own, "download.py")
    assert code == 1
    assert one_line(stderr) == (
        "download: data.path is 'mein Ordner': no such folder; name the folder with the files of"
        " mine\n"
    )
    write_params("mine", "mein Ordner", download=True)  # which no fetcher answers
    assert run_own(own, "download.py") == (1, stderr)


def test_an_own_source_may_have_its_own_hint(own: Path) -> None:
    (own / "readers/own.py").write_text(f'{OWN_READER}\nFOLDER_HINT = "ask me for it"\n')
    code, stderr = run_own(own, "download.py")
    assert code == 1
    assert one_line(stderr).endswith(": no such folder; ask me for it\n")


def test_an_own_source_is_read_where_its_folder_is_there(own: Path) -> None:
    Path("mein Ordner").mkdir()
    assert run_own(own, "download.py") == (0, "")
    assert contents("data/raw") == EMPTY
    assert run_own(own, "ingest.py") == (0, "")
    assert pq.read_table("data/users.parquet")["user_id"].to_pylist() == ["mein Ordner"]


def test_a_source_that_is_not_registered_is_one_line(own: Path) -> None:
    write_params("yours", "mein Ordner")
    code, stderr = run_own(own, "download.py")
    assert code == 1
    assert "data.source is 'yours': must be 'movielens-1m'," in one_line(stderr)
    assert "'vk-lsvd' or 'mine'" in stderr


def test_download_does_not_load_what_only_some_sources_need(project: Path) -> None:
    needless = {"huggingface_hub", "sklearn", "pandas"}
    process = start("-c", f"import download, sys; assert not sys.modules.keys() & {needless}")
    assert process.wait() == 0

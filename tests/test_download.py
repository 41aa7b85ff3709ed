"""What `download` demands of data.path, for the sources it ships and for one of a user's own."""

from pathlib import Path

import pytest

from download_runs import STAGES, one_line, run_stage, start, write_params


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("source", "path", "expected"),
    [
        ("movielens-1m", "absent", "data.path is 'absent': no such folder; it must have the"),
        ("vk-notebook", "absent", "data.path is 'absent': no such folder; it must have the"),
        ("vk-notebook", "params.yaml", "data.path is 'params.yaml': no such folder; it must"),
        ("vk-notebook", "./data/raw", "data.path is './data/raw', where only MovieLens goes"),
        ("vk-notebook", "", "data.path is '': String should have at least 1 character"),
        ("vk-notebook", ".", "data.path is '.', which holds outputs of the pipeline: name"),
        ("vk-notebook", "..", "data.path is '..', which holds outputs of the pipeline: name a"),
        ("vk-notebook", "data", "data.path is 'data', which holds outputs of the pipeline: name a"),
        ("vk-notebook", "metrics", "data.path is 'metrics', which holds outputs of the pipeline:"),
        ("vk-notebook", "a\0b", "data.path is 'a\\x00b': String should match pattern"),
        ("vk-notebook", None, "data.path is None: must be a valid string"),
        ("yours", "absent", "data.source is 'yours': must be 'movielens-1m',"),
        ("movielens-1m", "~/ml", "data.path is '~/ml': DVC does not expand ~; write "),
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
        assert f"DVC ignores {Path(path)} (.dvcignore)" in one_line(stderr)


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


def test_a_download_never_goes_into_data_raw(project: Path, capsys: pytest.CaptureFixture) -> None:
    write_params("vk-lsvd", "data/raw/vk", download=True)
    code, stderr = run_stage(capsys)
    assert code == 1
    assert "data.path is 'data/raw/vk', where only MovieLens goes" in one_line(stderr)


def test_download_does_not_load_what_only_some_sources_need(project: Path) -> None:
    needless = {"huggingface_hub", "sklearn", "pandas"}
    process = start("-c", f"import download, sys; assert not sys.modules.keys() & {needless}")
    assert process.wait() == 0

"""What `download` demands of data.path, for the sources it ships and for one of a user's own."""

from pathlib import Path

import pytest

from download_runs import one_line, run_stage, write_params


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
        ("vk-notebook", "./data/raw", "data.path is './data/raw', which is only for MovieLens"),
        ("vk-notebook", "", "data.path is '': String should have at least 1 character"),
        ("vk-notebook", ".", "data.path is '.', which contains outputs of the pipeline: "),
        ("vk-notebook", "..", "data.path is '..', which contains outputs of the pipeline: "),
        ("vk-notebook", "data", "data.path is 'data', which contains outputs of the pipeline: "),
        (
            "vk-notebook",
            "metrics",
            "data.path is 'metrics', which contains outputs of the pipeline:",
        ),
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


def test_a_download_never_goes_into_data_raw(project: Path, capsys: pytest.CaptureFixture) -> None:
    write_params("vk-lsvd", "data/raw/vk", download=True)
    code, stderr = run_stage(capsys)
    assert code == 1
    assert "data.path is 'data/raw/vk', which is only for MovieLens" in one_line(stderr)

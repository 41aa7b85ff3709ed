"""VK-LSVD from a real HTTP server that answers as the Hugging Face hub; without a network."""

import errno
import hashlib
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from harness.script import InputError

import pytest

import fetchers.hub
from download_runs import EMPTY, STAGES, contents, one_line, start, write_params

METADATA = {
    "metadata/users_metadata.parquet": b"users",
    "metadata/items_metadata.parquet": b"items",
    "metadata/item_embeddings.npz": b"embeddings",
}


def weeks(folder: str, n_train: int) -> dict[str, bytes]:
    parts = ["train"] * n_train + ["validation", "test"]
    names = [f"{folder}/{part}/week_{week:02}.parquet" for week, part in enumerate(parts)]
    return {name: name.encode() for name in names}


WHOLE = weeks("interactions", 3)
SMALL = weeks("subsamples/ur0.01_ir0.01", 2)
OTHER = {"README.md": b"about", "metadata/other.parquet": b"x"} | weeks("subsamples/up0.1_ip0.1", 1)
BIG = "subsamples/ur0.01_ir0.01/train/week_01.parquet"
N_CHUNK = 10 * 1024 * 1024  # what huggingface_hub writes at once


class Hub(http.server.ThreadingHTTPServer):
    """The endpoints of the Hugging Face hub that its library calls; files are on a second host."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {**METADATA, **WHOLE, **SMALL, **OTHER}
        self.requests: list[tuple[str, str, str | None]] = []  # method, path, Range
        self.secrets: list[str] = []  # paths that were sent the token
        self.status = 200  # anything else answers every request
        self.cut: dict[str, int] = {}  # bytes sent of a file before the line goes dead
        self.hangs = False  # instead of closing, when cut
        self.ranges = True
        self.etags = True
        self.lists = True
        self.released = threading.Event()

    def fetched(self) -> list[str]:
        return [path.removeprefix("/cdn/") for method, path, _ in self.requests if "/cdn/" in path]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        hub, path = self.server, self.path.split("?")[0]
        hub.requests.append((self.command, path, self.headers["Range"]))
        if self.headers["Authorization"]:
            hub.secrets.append(path)
        resolve = "/datasets/deepvk/VK-LSVD/resolve/main/"
        if hub.status != 200:
            self.send(hub.status)
        elif path == "/api/datasets/deepvk/VK-LSVD/tree/main":
            self.send(200, json.dumps(self.tree()).encode() if hub.lists else b"<html>")
        elif path.startswith(resolve) and path.removeprefix(resolve) in hub.files:
            name = path.removeprefix(resolve)
            self.send(302, location=f"http://localhost:{hub.server_port}/cdn/{name}", linked=name)
        elif path.removeprefix("/cdn/") in hub.files:
            self.file(path.removeprefix("/cdn/"))
        else:
            self.send(404)

    def tree(self) -> list[dict]:
        files = self.server.files.items()
        return [{"type": "directory", "oid": "0", "path": "metadata"}] + [
            {"type": "file", "oid": "0", "size": len(content), "path": name}
            for name, content in files
        ]

    def file(self, name: str) -> None:
        hub, content = self.server, self.server.files[name]
        begin = int(re.findall(r"\d+", self.headers["Range"] or "0")[0]) if hub.ranges else 0
        n_sent = hub.cut.pop(name, len(content))
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content[begin:n_sent])
        if n_sent < len(content):
            if hub.hangs:
                hub.released.wait(20)
            hub.status = 503 if not hub.hangs else 200

    def send(self, status: int, body: bytes = b"", location: str = "", linked: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", "0" * 40)
        if linked:
            content = self.server.files[linked]
            self.send_header("Location", location)
            self.send_header("X-Linked-Size", str(len(content)))
            if self.server.etags:
                self.send_header("X-Linked-Etag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if re.match(r"HF_|.*_proxy$", name, re.IGNORECASE)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    server = Hub()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    write_params("vk-lsvd", "Daten für vk", subsample="ur0.01_ir0.01", download=True)
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


def run_script() -> tuple[int, str]:
    """Exit code and stderr of the stage as DVC runs it; HF_ENDPOINT is read at its import."""
    command = [sys.executable, str(STAGES / "download.py")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return result.returncode, result.stderr


def test_only_the_files_of_the_subsample_are_fetched_and_once(hub: Hub) -> None:
    assert run_script() == (0, "")
    assert contents("Daten für vk") == METADATA | SMALL
    assert sorted(hub.fetched()) == sorted(METADATA | SMALL)
    assert contents("data") == {f"raw/{name}": text for name, text in EMPTY.items()}
    assert not [path for path in hub.secrets if "/cdn/" in path]  # another host gets no token
    assert hub.secrets
    hub.requests.clear()
    assert run_script() == (0, "")
    assert hub.requests == []


def test_the_whole_dataset_shares_the_metadata_of_a_subsample(hub: Hub) -> None:
    for name, content in METADATA.items():
        path = Path("Daten für vk") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    write_params("vk-lsvd", "Daten für vk", download=True)
    assert run_script() == (0, "")
    assert contents("Daten für vk") == METADATA | WHOLE
    train, validation, test = (
        [name for name in WHOLE if f"/{part}/" in name] for part in ("train", "validation", "test")
    )
    assert hub.fetched() == [*train, *validation, *test]  # see is_whole


def test_a_lost_connection_is_one_line_and_the_next_run_goes_on(hub: Hub) -> None:
    hub.files[BIG] = os.urandom(N_CHUNK + 2_000_000)
    hub.cut[BIG] = N_CHUNK + 1_000_000
    code, stderr = run_script()
    assert code == 1
    assert "deepvk/VK-LSVD cannot be fetched from http://127.0.0.1" in one_line(stderr)
    assert "HTTP 503" in stderr
    assert not (Path("Daten für vk") / BIG).exists()

    hub.status = 200
    hub.requests.clear()
    assert run_script() == (0, "")
    assert ("GET", f"/cdn/{BIG}", f"bytes={N_CHUNK}-") in hub.requests
    assert contents("Daten für vk") == METADATA | SMALL | {BIG: hub.files[BIG]}


def test_an_interrupt_keeps_what_was_fetched(hub: Hub) -> None:
    hub.files[BIG] = os.urandom(N_CHUNK + 2_000_000)
    hub.cut[BIG] = N_CHUNK + 1_000_000
    hub.hangs = True
    process = start(str(STAGES / "download.py"))
    partial = partial_of(BIG, hashlib.sha256(hub.files[BIG]).hexdigest())
    while not partial.exists() or partial.stat().st_size < N_CHUNK:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in one_line(stderr)

    hub.ranges = False  # a server that starts anew, whatever is asked for
    assert run_script() == (0, "")
    assert contents("Daten für vk") == METADATA | SMALL | {BIG: hub.files[BIG]}


def partial_of(name: str, etag: str) -> Path:
    target = Path("Daten für vk") / name
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{target.name}.{etag}.tmp")


def test_damaged_bytes_are_never_taken_for_the_file(hub: Hub) -> None:
    etag = hashlib.sha256(hub.files[BIG]).hexdigest()
    partial_of(BIG, etag).write_bytes(b"damaged")
    code, stderr = run_script()
    assert code == 1
    assert f"sha256 is not the published {etag}" in one_line(stderr)
    assert not (Path("Daten für vk") / BIG).exists()
    assert run_script() == (0, "")
    assert contents("Daten für vk") == METADATA | SMALL


def test_halves_of_another_version_or_too_long_are_dropped(hub: Hub) -> None:
    validation = next(name for name in SMALL if "/validation/" in name)
    etag = hashlib.sha256(hub.files[validation]).hexdigest()
    partial_of(BIG, "0" * 64).write_bytes(b"sub")
    partial_of(validation, etag).write_bytes(hub.files[validation] + b"more")
    assert run_script() == (0, "")
    assert contents("Daten für vk") == METADATA | SMALL


@pytest.mark.parametrize(
    ("status", "expected"), [(404, "HTTP 404 for "), (401, "HF_TOKEN may help"), (500, "HTTP 500")]
)
def test_a_refusing_hub_is_one_line(hub: Hub, status: int, expected: str) -> None:
    hub.status = status
    code, stderr = run_script()
    assert code == 1
    assert expected in one_line(stderr)
    assert len(hub.requests) == 1  # no half a minute of retries
    assert not Path("Daten für vk").exists()
    assert contents("data") == {}


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("etags", "no ETag in the answer"), ("lists", "not that of a Hugging")],
)
def test_a_server_that_is_no_hub_is_one_line(hub: Hub, missing: str, expected: str) -> None:
    setattr(hub, missing, False)
    code, stderr = run_script()
    assert code == 1
    assert expected in one_line(stderr)


def test_a_full_disk_is_not_blamed_on_the_hub(hub: Hub) -> None:
    code = f"""
import download, huggingface_hub.file_download
from harness import script

def http_get(url, file, **_):
    file.write(b"half")
    raise OSError({errno.ENOSPC}, "No space left on device")

huggingface_hub.file_download.http_get = http_get
script.run_script(download.main)
"""
    process = start("-c", code)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "cannot write: No space left on device" in one_line(stderr)
    assert not any((Path("Daten für vk") / name).exists() for name in METADATA)


def test_an_unreachable_hub_is_one_line(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    code, stderr = run_script()
    assert code == 1
    assert "Connection refused" in one_line(stderr)


def test_the_offline_mode_of_the_library_is_one_line(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    code, stderr = run_script()
    assert code == 1
    assert "offline mode is enabled" in one_line(stderr)


def test_an_unknown_subsample_lists_the_known_ones(hub: Hub) -> None:
    write_params("vk-lsvd", "Daten für vk", subsample="ur0.01", download=True)
    code, stderr = run_script()
    assert code == 1
    assert "data.subsample is 'ur0.01': deepvk/VK-LSVD has up0.1_ip0.1, ur0.01_ir0.01" in (
        one_line(stderr)
    )
    assert not Path("Daten für vk").exists()


def test_a_disk_too_small_is_known_before_the_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=9_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    folder = tmp_path / "new" / "folder"
    fetchers.hub.check_space(folder, {"a/b": 4_000_000, "a/c": 5_000_000})
    with pytest.raises(InputError, match="10 MB to fetch, 9 MB free"):
        fetchers.hub.check_space(folder, {"a/b": 4_000_000, "a/c": 6_000_000})
    (folder / "a").mkdir(parents=True)
    (folder / "a/.c.etag.tmp").write_bytes(bytes(1_000_000))  # there already
    fetchers.hub.check_space(folder, {"a/b": 4_000_000, "a/c": 6_000_000})

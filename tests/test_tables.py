"""Files of arrays."""

import hashlib
import struct
from pathlib import Path

from core.tables import write_npz

import numpy as np


def test_arrays_come_back(tmp_path: Path) -> None:
    arrays = {
        "vectors": np.arange(12, dtype=np.float32).reshape(3, 4),
        "turned": np.arange(12, dtype=np.int64).reshape(3, 4).T,
        "none": np.zeros((0, 4), dtype=np.float32),
        "word": np.array(b"csr"),
    }
    write_npz(tmp_path / "a.npz", arrays)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as found:
        assert list(found) == list(arrays)
        for name, values in arrays.items():
            assert found[name].dtype == values.dtype
            np.testing.assert_array_equal(found[name], values)


def test_bytes_depend_on_no_version_of_python(tmp_path: Path) -> None:
    """Bytes depend neither on time nor on zipfile's extensions, which differ before and after
    Python 3.11.4. The digest was the same in 3.11.2, 3.11.7, 3.12.1 and 3.13.0.
    """
    write_npz(tmp_path / "a.npz", {"a": np.arange(10, dtype=np.float32), "b": np.array(b"csr")})
    content = (tmp_path / "a.npz").read_bytes()
    needed, flags, method = struct.unpack("<HHH", content[4:10])
    assert (needed, flags, method) == (20, 0, 0)  # no extension, and not compressed
    assert hashlib.md5(content).hexdigest() == "f404d5a097683f693840c362f6ffdbf3"

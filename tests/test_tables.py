"""Files of arrays."""

import hashlib
from pathlib import Path

from core.tables import write_npz

import numpy as np


def test_bytes_depend_on_no_version_of_python(tmp_path: Path) -> None:
    """Bytes depend neither on time nor on zipfile's extensions, which differ before and after
    Python 3.11.4. The digest was the same in 3.11.2, 3.11.7, 3.12.1 and 3.13.0.
    """
    arrays = {"a": np.arange(10, dtype=np.float32), "b": np.array(b"csr")}
    write_npz(tmp_path / "a.npz", arrays)
    digest = hashlib.md5((tmp_path / "a.npz").read_bytes()).hexdigest()
    assert digest == "f404d5a097683f693840c362f6ffdbf3"

"""Tables of Spark as parquet data sets below spark.folder, each with a receipt.

A receipt has the number of rows and the sum of their hashes. DVC tracks the receipts, which are
small files below metrics/spark/receipts, instead of the tables, which may be out of DVC's reach.
The data set itself contains the same receipt as _receipt.json, which is written last. A data set
without it is incomplete, and one with another receipt is not the output of the earlier stage.
"""

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from core.folds import Folds, folds_of
from core.params import SharedParams, section
from core.script import InputError, check_outputs_may_stay, whole

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from spark.engine.session import session
from spark.params import SparkParams

RECEIPTS = "metrics/spark/receipts/{stage}.json"
RECEIPT = "_receipt.json"  # Spark's readers ignore names that start with an underscore

Receipt = dict[str, int | str]  # rows and digest of a data set


class Files:
    """Files and folders that Hadoop can access: local, s3a://, hdfs://."""

    def __init__(self, spark: SparkSession) -> None:
        self._context = spark.sparkContext
        self._jvm = self._context._jvm

    def _at(self, path: str) -> tuple[object, object]:
        hadoop = self._jvm.org.apache.hadoop.fs.Path(path)
        return hadoop, hadoop.getFileSystem(self._context._jsc.hadoopConfiguration())

    def exists(self, path: str) -> bool:
        hadoop, system = self._at(path)
        return system.exists(hadoop)

    def names(self, folder: str) -> list[str]:
        """Return the sorted names in a folder, or none if there is no such folder."""
        hadoop, system = self._at(folder)
        if not system.exists(hadoop):
            return []
        return sorted(status.getPath().getName() for status in system.listStatus(hadoop))

    def delete(self, path: str) -> None:
        hadoop, system = self._at(path)
        system.delete(hadoop, True)

    def move(self, source: str, target: str) -> None:
        """Rename a folder. An existing target is deleted."""
        self.delete(target)
        hadoop, system = self._at(source)
        target, _ = self._at(target)
        system.mkdirs(target.getParent())
        if not system.rename(hadoop, target):
            raise InputError(f"{source}: cannot be renamed to {target.toString()}")

    def read_utf8(self, path: str) -> str:
        hadoop, system = self._at(path)
        stream = system.open(hadoop)
        return self._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8")

    def write_utf8(self, path: str, text: str) -> None:
        hadoop, system = self._at(path)
        stream = system.create(hadoop, True)
        stream.write(bytearray(text.encode()))
        stream.close()

    def fetch(self, source: str, target: Path) -> Path:
        """Copy a file or a folder to this machine."""
        hadoop, system = self._at(source)
        local = self._jvm.org.apache.hadoop.fs.Path(target.resolve().as_uri())
        system.copyToLocalFile(False, hadoop, local, True)
        return target

    def put(self, source: Path, target: str) -> None:
        """Copy a folder from this machine."""
        hadoop, system = self._at(target)
        system.mkdirs(hadoop.getParent())
        local = self._jvm.org.apache.hadoop.fs.Path(source.resolve().as_uri())
        system.copyFromLocalFile(False, True, local, hadoop)


class DataSets:
    """Reads and writes the data sets of a stage.

    made  receipts of the data sets that this stage wrote, for save()
    """

    def __init__(self, spark: SparkSession, params: SparkParams) -> None:
        self.spark, self.params, self.files = spark, params, Files(spark)
        self.made: dict[str, Receipt] = {}

    def path(self, name: str) -> str:
        return f"{self.params.folder.rstrip('/')}/{name}"

    def write(self, name: str, rows: DataFrame) -> Receipt:
        """Write a table completely or not at all."""
        parent, _, own = name.rpartition("/")
        temporary = self.path(f"{parent}/.{own}.tmp" if parent else f".{own}.tmp")
        rows.write.mode("overwrite").parquet(temporary)
        written = self.spark.read.parquet(temporary)
        return self._finish(name, temporary, digest_of(written))

    def write_folder(self, name: str, fill: Callable[[Path], None]) -> Receipt:
        """Write a folder of files that `fill` makes on this machine."""
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent) / "folder"
            folder.mkdir()
            fill(folder)
            paths = sorted(path for path in folder.rglob("*") if path.is_file())
            digest = hashlib.md5(usedforsecurity=False)
            for path in paths:
                digest.update(str(path.relative_to(folder)).encode())
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "md5").digest())
            temporary = self.path(f"{name}.tmp")
            self.files.delete(temporary)
            self.files.put(folder, temporary)
        return self._finish(name, temporary, {"rows": len(paths), "digest": digest.hexdigest()})

    def _finish(self, name: str, temporary: str, receipt: Receipt) -> Receipt:
        check_outputs_may_stay()
        self.files.move(temporary, self.path(name))
        self.files.write_utf8(f"{self.path(name)}/{RECEIPT}", json.dumps(receipt))
        self.made[name] = receipt
        return receipt

    def save(self, stage: str) -> None:
        """Write the receipts of all data sets of this stage, for DVC."""
        with whole(Path(RECEIPTS.format(stage=stage))) as path:
            path.write_text(
                json.dumps(self.made, indent=1, sort_keys=True) + "\n", encoding="utf-8"
            )

    def check(self, stage: str, name: str) -> Receipt:
        """Return the receipt of a data set.

        Raises InputError if the data set is not the output of the stage's last run.
        """
        path = Path(RECEIPTS.format(stage=stage))
        hint = f"run dvc repro -f -s {stage} of stages/spark/dvc.yaml and the stages after it"
        if not path.exists():
            raise InputError(f"{path}: not found; {hint}")
        known = json.loads(path.read_text(encoding="utf-8")).get(name)
        there = f"{self.path(name)}/{RECEIPT}"
        if not self.files.exists(there):
            raise InputError(f"{self.path(name)}: not found or incomplete; {hint}")
        if json.loads(self.files.read_utf8(there)) != known:
            raise InputError(f"{self.path(name)}: does not match {path}; {hint}")
        return known

    def read(self, stage: str, name: str) -> DataFrame:
        """Read a table that an earlier stage wrote."""
        self.check(stage, name)
        return self.read_made(name)

    def read_made(self, name: str) -> DataFrame:
        """Read a table that this stage wrote."""
        return self.spark.read.parquet(self.path(name))


@contextlib.contextmanager
def data_sets(stage: str) -> Iterator[DataSets]:
    """Start Spark for a stage. Its receipts are written when the `with` block ends."""
    params = section("spark", SparkParams)
    with session(params, stage) as spark:
        sets = DataSets(spark, params)
        yield sets
        sets.save(stage)


def folds_in(sets: DataSets, shared: SharedParams) -> Folds:
    """Return the folds of params.yaml with their target windows."""
    return folds_of(shared.folds, sets.check("windows", "windows")["rows"])


def digest_of(rows: DataFrame) -> Receipt:
    """Return the number of rows and the sum of their hashes, which does not depend on order."""
    total = F.sum(F.xxhash64(*rows.columns).cast("decimal(38,0)"))
    n_rows, digest = rows.agg(F.count("*"), total).first()
    return {"rows": n_rows, "digest": f"{int(digest or 0) % 2**64:016x}"}

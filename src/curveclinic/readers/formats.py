"""What can be read, a row a format: a file's is known by its content, never by its name, a folder's by its layout.

One module a format holds its functions; a new format is a module and a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from curveclinic.intake.assemble import ReadOptions
from curveclinic.readers import (
    columnar,
    console,
    curve_files,
    delimited,
    dvclive,
    fairseq,
    json_lines,
    keras_history,
    ludwig,
    mlflow_db,
    mlflow_files,
    neptune,
    nnunet,
    sided_tables,
    sqlite_file,
    tensorboard,
    tensorboard_csv,
    trackio,
    trainer_state,
    wandb_export,
    wandb_offline,
)
from curveclinic.readers.folders import Folder
from curveclinic.readers.source import Source
from curveclinic.run import Run


@dataclass(frozen=True)
class Layout:
    """How the folders of a format lie.

    Attributes:
        is_run_folder: says whether a folder, here or in an object store, is a run.
        remote_files: returns the URIs of the files of a remote run that are read.
        curves: sub-folder that holds its curves, beside which other logs may lie; "" where nothing else in the folder
            is a log.
        unread: sub-folders that hold its products, not its curves.
    """

    is_run_folder: Callable[[Folder], bool]
    remote_files: Callable[[str], list[str]]
    curves: str = ""
    unread: frozenset[str] = frozenset({"artifacts", "models"})


@dataclass(frozen=True)
class Format:
    """A log format.

    Attributes:
        name: what it is called in results.
        contents: what such a log is and who writes it, for the tables of formats in the documentation.
        sniff: says whether bytes are the head of such a file.
        read: gives the runs of a source, one after the other where it may hold very many.
        holds: looks further into a file whose head does not tell (which database, which table); None: no need.
        is_text: its files are text, in which a NUL byte is damage.
        layout: how a folder that is a run is known; None where files are.
    """

    name: str
    contents: str
    sniff: Callable[[bytes], bool]
    read: Callable[[Source, ReadOptions], Iterable[Run]]
    holds: Callable[[Source], bool] | None = None
    is_text: bool = True
    layout: Layout | None = None


def _never(head: bytes) -> bool:
    """The sniff of a format whose runs are folders."""
    return False


FORMATS: Final = (
    Format(
        "neptune",
        "Parquet of the Neptune exporter, its parts together (by its documented layout)",
        columnar.sniff,
        neptune.read,
        holds=neptune.holds,
        is_text=False,
    ),
    Format(
        "parquet",
        "wide or long tables, or a run a row with lists; pandas, polars and pyarrow write them; what `curveclinic "
        "index` writes",
        columnar.sniff,
        columnar.read,
        is_text=False,
    ),
    Format(
        "mlflow_db",
        "`mlflow.db` of MLflow, opened read-only; deleted runs are passed over",
        sqlite_file.sniff,
        mlflow_db.read,
        holds=mlflow_db.holds,
        is_text=False,
    ),
    Format(
        "trackio",
        "the SQLite database of Trackio",
        sqlite_file.sniff,
        trackio.read,
        holds=trackio.holds,
        is_text=False,
    ),
    Format(
        "mlflow",
        "run folders of MLflow's file store (`mlruns/`)",
        _never,
        mlflow_files.read,
        layout=Layout(mlflow_files.is_run_folder, mlflow_files.remote_files),
    ),
    Format(
        "dvclive",
        "folders of DVCLive",
        _never,
        dvclive.read,
        layout=Layout(dvclive.is_run_folder, dvclive.remote_files, curves=dvclive.PLOTS),
    ),
    Format(
        "wandb",
        "`run-*.wandb`, the offline log of Weights & Biases",
        wandb_offline.sniff,
        wandb_offline.read,
        is_text=False,
    ),
    Format(
        "tensorboard",
        "event files of torch, tensorboardX, Keras and Lightning, simple and tensor scalars; a folder is a run",
        tensorboard.sniff,
        tensorboard.read,
        is_text=False,
    ),
    Format(
        "jsonl",
        "one JSON object a line, flat or nested: mmengine, mmcv, detectron2, DeiT and MAE, own ones; or a run a line",
        json_lines.sniff,
        json_lines.read,
    ),
    Format(
        "trainer_state",
        "`trainer_state.json` of Hugging Face's Trainer; of several checkpoints the newest whole one",
        trainer_state.sniff,
        trainer_state.read,
    ),
    Format("fairseq", "`--log-format json` of fairseq", fairseq.sniff, fairseq.read),
    Format("nnunet", "`training_log_*.txt` of nnU-Net v1 and v2", nnunet.sniff, nnunet.read),
    Format(
        "text",
        "console output: Keras, PyTorch scripts, the Hugging Face Trainer, nanoGPT, llm.c, timm, Megatron, fastai, "
        "YOLO, Darknet, xgboost, CatBoost, MATLAB, Flax, tqdm bars, the text logs of mmcv, mmengine and fairseq; any "
        "text with `--pattern`",
        console.sniff,
        console.read,
    ),
    Format(
        "curve_files",
        "files of numbers and nothing else, named after what they are: `train_loss.txt` and, beside it, `val_loss.txt`",
        curve_files.sniff,
        curve_files.read,
        holds=curve_files.holds,
    ),
    Format("ludwig", "`training_statistics.json` of Ludwig", ludwig.sniff, ludwig.read),
    Format(
        "keras_history",
        "`History.history` as JSON; also any JSON object or list of curves, runs by name, a list of epochs",
        keras_history.sniff,
        keras_history.read,
    ),
    Format(
        "wandb_export",
        "charts of Weights & Biases as CSV, a column a run (by its documented layout)",
        wandb_export.sniff,
        wandb_export.read,
    ),
    Format(
        "tensorboard_csv",
        "the CSV that TensorBoard's page downloads, a tag a file (by its documented layout)",
        tensorboard_csv.sniff,
        tensorboard_csv.read,
    ),
    Format(
        "sided_tables",
        "tables, JSON and consoles of the training and of the validation, a file each: `train_log.csv` and, beside it, "
        "`val_log.csv`",
        _never,
        sided_tables.read,
    ),
    Format(
        "csv",
        "Keras' CSVLogger, Lightning's `metrics.csv`, Ultralytics' `results.csv`, fastai, timm, any delimited text",
        delimited.sniff,
        delimited.read,
    ),
)
"""All formats, in the order they are tried: the stricter signature first."""

BY_NAME: Final = {f.name: f for f in FORMATS}

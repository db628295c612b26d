"""Writes a `History` the way real loggers do, quirks included: column order, padding, empty cells, step counting.

Every writer returns the values a reader should find, by channel. Event files come from the real writers of torch,
tensorboardX and tensorboard; only their clocks and file names are fixed, for the same bytes on every machine.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorboardX
from fitting import History, Row
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util import tensor_util
from torch.utils.tensorboard import SummaryWriter

Written = dict[str, list[float]]
START = 1_700_000_000
"""Wall time of the first record of every event file, in seconds."""


def keras_csv(folder: Path, history: History, *, separator: str = ",") -> Written:
    """Keras CSVLogger: epoch, then the logs sorted by name, one row an epoch."""
    logs = _keras_logs(history)
    with (folder / "training_log.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["epoch", *sorted(logs)], delimiter=separator)
        table.writeheader()
        for epoch in range(len(history.epochs)):
            table.writerow({"epoch": epoch, **{name: values[epoch] for name, values in logs.items()}})
    return _keras_channels(logs)


def keras_history(folder: Path, history: History) -> Written:
    """`json.dump(model.fit(...).history, file)`: a dict of lists; NaN is written bare."""
    logs = _keras_logs(history)
    (folder / "history.json").write_text(json.dumps(logs))
    return _keras_channels(logs)


def keras_tensorboard(folder: Path, history: History) -> Written:
    """Keras TensorBoard callback: folders train and validation, tensor-valued scalars, the same tags in both."""
    logs = _keras_logs(history)
    for name in ("train", "validation"):
        (folder / name).mkdir()
        with _frozen_clock(), _OneFile(folder / name, suffix=".v2") as writer:
            for epoch in range(len(history.epochs)):
                for tag, step, value in _keras_events(name, logs, history, epoch):
                    writer.add_tensor(tag, value, step)
    return _keras_channels(logs)


def torch_tensorboard(folder: Path, history: History) -> Written:
    """`torch.utils.tensorboard` once an epoch, tags as in PyTorch's own examples."""
    with _frozen_clock():
        writer = SummaryWriter(str(folder))
        for epoch, (mean, held_out) in enumerate(zip(history.epochs, history.evals, strict=True)):
            writer.add_scalar("Loss/train", mean.values["loss"], epoch, walltime=START + epoch)
            writer.add_scalar("Loss/val", held_out.values["loss"], epoch, walltime=START + epoch)
            writer.add_scalar("Accuracy/train", mean.values["accuracy"], epoch, walltime=START + epoch)
            writer.add_scalar("Accuracy/val", held_out.values["accuracy"], epoch, walltime=START + epoch)
            writer.add_scalar("lr", mean.values["lr"], epoch, walltime=START + epoch)
        writer.close()
    _rename_events(folder)
    channels = _means_and_evals(history, metric="accuracy")
    return {**channels, "lr": [row.values["lr"] for row in history.epochs]}


def tensorboardx(folder: Path, history: History, *, every: int, extras: Sequence[str] = ("lr",)) -> Written:
    """tensorboardX on optimiser steps: batch values every few steps, validation whenever it ran."""
    logged = history.steps[::every]
    with _frozen_clock():
        writer = tensorboardX.SummaryWriter(str(folder))
        for row in logged:
            writer.add_scalar("train/loss", row.values["loss"], row.step, walltime=START + row.step)
            for name in extras:
                writer.add_scalar(f"train/{name}", row.values[name], row.step, walltime=START + row.step)
        for row in history.evals:
            writer.add_scalar("val/loss", row.values["loss"], row.step, walltime=START + row.step)
        writer.close()
    _rename_events(folder)
    found = {"train_loss": "loss", "lr": "lr", "grad_norm": "grad_norm"}
    channels = {
        channel: [row.values[name] for row in logged] for channel, name in found.items() if name in ("loss", *extras)
    }
    return {**channels, "val_loss": [row.values["loss"] for row in history.evals]}


def lightning(folder: Path, history: History, *, every: int) -> Written:
    """Lightning CSVLogger with `on_step=True, on_epoch=True` and a LearningRateMonitor.

    One row a call: batch loss, learning rate, validation and epoch mean stand in rows of their own; steps count
    from 0; validation is logged before the epoch mean, at the step of the last batch.
    """
    rows: list[dict[str, Any]] = []
    for mean, held_out in zip(history.epochs, history.evals, strict=True):
        for row in history.steps[mean.step - history.steps_per_epoch : mean.step]:
            if row.step % every == 0:
                rows.append({"lr-AdamW": row.values["lr"], "step": row.step - 1})
                rows.append({"epoch": row.epoch, "step": row.step - 1, "train_loss_step": row.values["loss"]})
        at = {"epoch": mean.epoch, "step": mean.step - 1}
        rows.append({**at, "val_acc": held_out.values["accuracy"], "val_loss": held_out.values["loss"]})
        rows.append({**at, "train_loss_epoch": mean.values["loss"]})
    version = folder / "lightning_logs" / "version_0"
    version.mkdir(parents=True)
    (version / "hparams.yaml").write_text("{}\n")
    with (version / "metrics.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, sorted({name for row in rows for name in row}))
        table.writeheader()
        table.writerows(rows)
    lrs = [row["lr-AdamW"] for row in rows if "lr-AdamW" in row]
    return {**_means_and_evals(history, metric="accuracy", train_metric=False), "lr": lrs}


def trainer_state(folder: Path, history: History, *, every: int) -> Written:
    """Hugging Face trainer_state.json: mean loss since the last log, rounded; evaluation in entries of its own."""
    per_epoch = history.steps_per_epoch
    log: list[dict[str, Any]] = []
    evals = {row.step: row for row in history.evals}
    for row in history.steps:
        at = {"epoch": row.step / per_epoch, "step": row.step}
        if row.step % every == 0:
            log.append(_trainer_entry(history.steps[row.step - every : row.step], at))
        if row.step in evals:
            log.append(_evaluation_entry(evals[row.step], at))
    checkpoint = folder / f"checkpoint-{len(history.steps)}"
    checkpoint.mkdir()
    (checkpoint / "trainer_state.json").write_text(
        json.dumps(_state(history, log, every), indent=2, sort_keys=True) + "\n"
    )
    keys = {"train_loss": "loss", "lr": "learning_rate", "grad_norm": "grad_norm", "val_loss": "eval_loss"}
    channels = {channel: [entry[key] for entry in log if key in entry] for channel, key in keys.items()}
    return {**channels, "val_metric": [entry["eval_accuracy"] for entry in log if "eval_accuracy" in entry]}


def ultralytics(folder: Path, history: History) -> Written:
    """Ultralytics results.csv of the space-padded kind: three loss parts, four box metrics, three learning rates."""
    parts, scores = ("box_loss", "cls_loss", "dfl_loss"), ("precision", "recall", "mAP50", "mAP50-95")
    header = ["epoch", *(f"train/{part}" for part in parts), *(f"metrics/{score}(B)" for score in scores)]
    header += [*(f"val/{part}" for part in parts), *(f"lr/pg{group}" for group in range(3))]
    lines = [",".join(f"{name:>23s}" for name in header)]
    for mean, held_out in zip(history.epochs, history.evals, strict=True):
        values = [mean.epoch + 1, *(mean.values[part] for part in parts), *(held_out.values[s] for s in scores)]
        values += [*(held_out.values[part] for part in parts), *[mean.values["lr"]] * 3]
        lines.append(",".join(f"{value:23.5g}" for value in values))
    (folder / "results.csv").write_text("\n".join(lines) + "\n")
    table = [[float(cell) for cell in line.split(",")] for line in lines[1:]]
    return {
        "train_loss": [sum(row[1:4]) for row in table],
        "val_loss": [sum(row[8:11]) for row in table],
        "lr": [row[-1] for row in table],
    }


def jsonl_steps(folder: Path, history: History, *, every: int, extras: Sequence[str] = ("lr",)) -> Written:
    """A hand-written logger: one JSON object a logged step, one an evaluation, in the order things happened."""
    logged = [row for row in history.steps if row.step % every == 0]
    entries = [
        (row.step, {"step": row.step, "train/loss": row.values["loss"], **{k: row.values[k] for k in extras}})
        for row in logged
    ]
    entries += [(row.step, {"step": row.step, "val/loss": row.values["loss"]}) for row in history.evals]
    _write_lines(folder / "metrics.jsonl", [entry for _, entry in sorted(entries, key=lambda pair: pair[0])])
    channels = {"train_loss": "loss", **{name: name for name in extras}}
    found = {channel: [row.values[key] for row in logged] for channel, key in channels.items()}
    return {**found, "val_loss": [row.values["loss"] for row in history.evals]}


def jsonl_epochs(folder: Path, history: History) -> Written:
    """A log.txt as in many research repositories: one JSON object an epoch."""
    entries = [
        {
            "epoch": mean.epoch,
            "train_lr": mean.values["lr"],
            "train_loss": mean.values["loss"],
            "val_loss": held_out.values["loss"],
            "val_acc": held_out.values["accuracy"],
        }
        for mean, held_out in zip(history.epochs, history.evals, strict=True)
    ]
    _write_lines(folder / "log.jsonl", entries)
    lrs = [row.values["lr"] for row in history.epochs]
    return {**_means_and_evals(history, metric="accuracy", train_metric=False), "lr": lrs}


def long_parquet(folder: Path, histories: Mapping[str, History]) -> dict[str, Written]:
    """One Parquet file for a whole sweep: a row a value, with run, step and name."""
    columns: dict[str, list[Any]] = {"run_id": [], "step": [], "metric": [], "value": []}
    for run_id, history in histories.items():
        for mean, held_out in zip(history.epochs, history.evals, strict=True):
            measured = {"train_loss": mean, "val_loss": held_out}
            for name, row in measured.items():
                for column, cell in zip(columns, (run_id, row.step, name, row.values["loss"]), strict=True):
                    columns[column].append(cell)
    pq.write_table(pa.table(columns), folder / "sweep.parquet", compression="zstd")
    return {run_id: _means_and_evals(history) for run_id, history in histories.items()}


def _keras_logs(history: History) -> dict[str, list[float]]:
    """Keras' names: bare for train, `val_` for validation, learning rate as `learning_rate`."""
    names = [name for name in history.evals[0].values]
    logs = {name: [row.values[name] for row in history.epochs] for name in names}
    logs |= {f"val_{name}": [row.values[name] for row in history.evals] for name in names}
    return {**logs, "learning_rate": [row.values["lr"] for row in history.epochs]}


def _keras_channels(logs: Mapping[str, list[float]]) -> Written:
    names = {"train_loss": "loss", "val_loss": "val_loss", "lr": "learning_rate"}
    names |= {"train_metric": "accuracy", "val_metric": "val_accuracy"}
    return {channel: logs[name] for channel, name in names.items() if name in logs}


def _keras_events(
    folder: str, logs: Mapping[str, list[float]], history: History, epoch: int
) -> list[tuple[str, int, float]]:
    """(tag, step, value) of one epoch in one of the two folders; steps are epochs from 0, or iterations."""
    if folder == "train":
        tags = {"epoch_accuracy": "accuracy", "epoch_learning_rate": "learning_rate", "epoch_loss": "loss"}
        return [(tag, epoch, logs[name][epoch]) for tag, name in tags.items()]
    scores = {"accuracy": logs["val_accuracy"][epoch], "loss": logs["val_loss"][epoch]}
    step = history.evals[epoch].step
    by_iteration = [(f"evaluation_{name}_vs_iterations", step, value) for name, value in scores.items()]
    return [*by_iteration, *((f"epoch_{name}", epoch, value) for name, value in scores.items())]


class _OneFile:
    """Event file of tensor-valued scalars; a tag's metadata comes with its first value only, as from TensorFlow."""

    def __init__(self, folder: Path, *, suffix: str) -> None:
        self._folder, self._suffix = folder, suffix
        self._writer = EventFileWriter(str(folder))
        self._seen: set[str] = set()
        self._clock = START

    def __enter__(self) -> _OneFile:
        return self

    def add_tensor(self, tag: str, value: float, step: int) -> None:
        """Writes one scalar."""
        summary = scalar_pb(tag, value)
        summary.value[0].tensor.CopyFrom(tensor_util.make_tensor_proto(np.float32(value)))
        if tag in self._seen:
            summary.value[0].ClearField("metadata")
        self._seen.add(tag)
        self._clock += 1
        self._writer.add_event(Event(wall_time=self._clock, step=step, summary=summary))

    def __exit__(self, *exc: object) -> None:
        self._writer.close()
        _rename_events(self._folder, suffix=self._suffix)


def _frozen_clock() -> Any:
    return mock.patch("time.time", return_value=float(START))


def _rename_events(folder: Path, *, suffix: str = "") -> None:
    """Replaces host name and process id in the name of the one event file of a folder."""
    (path,) = folder.glob("events.out.tfevents.*")
    path.rename(folder / f"events.out.tfevents.{START}.workstation.4711.0{suffix}")


def _means_and_evals(history: History, *, metric: str = "", train_metric: bool = True) -> Written:
    """Epoch means for train, every evaluation for val."""
    channels = {
        "train_loss": [row.values["loss"] for row in history.epochs],
        "val_loss": [row.values["loss"] for row in history.evals],
    }
    if metric:
        channels["val_metric"] = [row.values[metric] for row in history.evals]
    if metric and train_metric:
        channels["train_metric"] = [row.values[metric] for row in history.epochs]
    return channels


def _trainer_entry(window: Sequence[Row], at: Mapping[str, float]) -> dict[str, float]:
    loss = sum(row.values["loss"] for row in window) / len(window)
    last = window[-1].values
    entry = {"grad_norm": last["grad_norm"], "learning_rate": last["lr"], "loss": round(loss, 4)}
    return {"epoch": at["epoch"], **entry, "step": at["step"]}


def _evaluation_entry(row: Row, at: Mapping[str, float]) -> dict[str, float]:
    scores = {f"eval_{name}": row.values[name] for name in ("accuracy", "loss")}
    timing = {"eval_runtime": 0.0421, "eval_samples_per_second": 11876.485, "eval_steps_per_second": 380.048}
    return {"epoch": at["epoch"], **scores, **timing, "step": at["step"]}


def _state(history: History, log: list[dict[str, Any]], every: int) -> dict[str, Any]:
    epochs = history.epochs[-1].epoch + 1
    return {
        "best_global_step": None,
        "best_metric": None,
        "best_model_checkpoint": None,
        "epoch": float(epochs),
        "eval_steps": history.evals[0].step,
        "global_step": len(history.steps),
        "is_hyper_param_search": False,
        "is_local_process_zero": True,
        "is_world_process_zero": True,
        "log_history": log,
        "logging_steps": every,
        "max_steps": len(history.steps),
        "num_input_tokens_seen": 0,
        "num_train_epochs": epochs,
        "save_steps": 500,
        "stateful_callbacks": {},
        "total_flos": 0.0,
        "train_batch_size": 16,
        "trial_name": None,
        "trial_params": None,
    }


def _write_lines(path: Path, entries: Sequence[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))

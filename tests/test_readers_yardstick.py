"""Real logs against the records made from them by hand; needs CURVECLINIC_YARDSTICKS, a folder with `real_runs/`."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from curveclinic.readers import read_file

ROOT = Path(os.environ.get("CURVECLINIC_YARDSTICKS", "no yardsticks")) / "real_runs"
pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="CURVECLINIC_YARDSTICKS names no folder with real_runs/")

RECORDS = {
    "hf_trainer_state.json": (
        "paulohenriquecrs/RoBERTa_SEQ_CLS_LoRA_Portuguese:results/checkpoint-8610/trainer_state.json"
    ),
    "lightning_metrics_lm.csv": "0Xero7/slm_training:lightning_logs/version_8/metrics.csv",
    "lightning_metrics_rnn.csv": "coxipi/deep-linear-rnn:lightning_logs/version_26/metrics.csv",
    "lightning_metrics_stock.csv": "christina00000004/stock_predict:lightning_logs/version_10/metrics.csv",
    "ultralytics_v8_results.csv": "ERU-AI-Turing-Stroke-Classification/Agah_Stroke:ROI/runs/detect/train4/results.csv",
    "ultralytics_v8_padded_results.csv": "oyjuffer/mt2024-YOLOv8-ensemble:YOLOv9c/5/results.csv",
    "tensorboard/events.out.tfevents.1716964837.host-b.23248.0": (
        "oyjuffer/mt2024-YOLOv8-ensemble:YOLOv9c/5/results.csv"
    ),
    "keras_history.json": "alexs-44/solar-forecasting:results/cnn1d_history.json",
    "keras_like_list_history.json": "ulissesbcorrea/atae-lstm-theano-modified:results/fold_0/history.json",
    "keras_csvlogger.csv": "ClaudineiAlves/skin-analyser:results/resnet50_history.csv",
    "custom_optimizer_log.csv": "AI-Physicist/Optimizer_exp:logs/real_text/lr_sweep_300/sgd_lr0p01.csv",
    "mae_style_log_excerpt.txt": "KhanhTungTran/UnderwaterSong:output_dir/log.txt#seg24",
    "mmdet_nan.log.json": ("zhaoyang97/mmdetection:work_dirs/faster_rcnn_r50_fpn_1x_voc_moco/20201028_215907.log.json"),
    "nequip_metrics_epoch_excerpt.csv": (
        "Emmanuel-Favour/MLIP-Neural-Equivariant-Inter-atomic-Potential---NequIP-:metrics_epoch.csv"
    ),
}
"""Raw file -> source of its record; `#segK` is run K of the file, from 0."""

OTHER_METRIC = {"keras_like_list_history.json"}
"""The record holds the three-way accuracy, the reader takes the first one, the binary."""

LOOSE = {"tensorboard/events.out.tfevents.1716964837.host-b.23248.0": 1e-4}
"""Rounded differently by the two loggers of one run."""


@pytest.fixture(scope="module")
def records():
    with open(ROOT / "dev.jsonl") as file:
        return {record["source"]: record["curves"] for record in map(json.loads, file)}


def read(name):
    return read_file(ROOT / "raw" / name)


@pytest.mark.parametrize("name", RECORDS)
def test_a_raw_log_is_read_as_its_record_says(name, records):
    source = RECORDS[name]
    run = read(name)[int(source.partition("#seg")[2] or 0)]
    for channel, curve in records[source].items():
        if channel.endswith("_metric") and name in OTHER_METRIC:
            continue
        mine = run.channels[channel]
        n = len(mine) if "excerpt.csv" in name else len(curve["step"])
        expected = np.array([float(v) for v in curve["value"]])[:n]
        tail = slice(0, n - 1) if name.startswith("tensorboard") and channel == "val_metric" else slice(0, n)
        assert mine.steps.tolist() == curve["step"][:n], channel
        assert np.allclose(mine.values[tail], expected[tail], rtol=LOOSE.get(name, 6e-6), atol=1e-12, equal_nan=True), (
            channel
        )


@pytest.mark.parametrize(
    ("name", "n_runs", "points"),
    [
        ("lightning_metrics_eeg.csv", 1, {"train_loss": 200, "val_loss": 201, "train_metric": 200, "val_metric": 201}),
        ("mae_style_log_excerpt.txt", 30, {"train_loss": 10, "val_loss": 10, "val_metric": 10, "lr": 10}),
        ("mmdet.log.json", 1, {"train_loss": 161, "lr": 161}),
        (
            "ludwig_training_statistics.json",
            1,
            {"train_loss": 16, "val_loss": 16, "train_metric": 16, "val_metric": 16},
        ),
        (
            "tensorboard/events.out.tfevents.1604090836.host-a",
            1,
            {"train_loss": 16, "val_loss": 16, "train_metric": 16, "val_metric": 16},
        ),
    ],
)
def test_logs_without_a_record_have_the_right_points(name, n_runs, points):
    runs = read(name)
    assert len(runs) == n_runs
    assert {channel: len(runs[0].channels[channel]) for channel in points} == points


def test_lightnings_steps_stay_where_the_last_two_rows_share_one():
    (run,) = read("lightning_metrics_eeg.csv")
    assert [run.channels[c].steps[[0, -1]].tolist() for c in ("train_loss", "val_loss")] == [[50, 10199], [50, 10200]]


def test_event_files_equal_tensorboards_own_reader():
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    from curveclinic.readers.event_file import decode

    for path in sorted((ROOT / "raw" / "tensorboard").iterdir()):
        reference = accumulator.EventAccumulator(str(path), size_guidance={"scalars": 0})
        reference.Reload()
        tags = decode(path.read_bytes()).tags
        assert set(tags) == set(reference.Tags()["scalars"])
        for tag, (_, steps, values) in tags.items():
            assert steps.tolist() == [e.step for e in reference.Scalars(tag)]
            assert values.tolist() == [e.value for e in reference.Scalars(tag)]


def test_every_record_is_taken_in_as_it_is(records):
    from curveclinic.intake.door import runs_from

    runs, single = runs_from([{"curves": curves} for curves in records.values()])
    assert not single
    for run, curves in zip(runs, records.values(), strict=True):
        for channel, curve in curves.items():
            expected = np.array([float(v) for v in curve["value"]])
            assert np.array_equal(run.channels[channel].values, expected, equal_nan=True)

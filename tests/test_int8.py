"""The int8 network: how weights are rounded, what its graph is made of, and how scans ask for it."""

import hashlib
import json
import shutil

import numpy as np
import pyarrow as pa
import pytest
from archive_cases import rows, scan, write_archive

import curveclinic.archive.scan as scanning
import curveclinic.deciding.classifier as classifiers
from curveclinic import score_table
from curveclinic.archive import units
from curveclinic.deciding.classifier import load_classifier, weights_folder
from curveclinic.deciding.sidecar import INT8_NAME, ONNX_NAME, SIDECAR_NAME, read_sidecar
from curveclinic.errors import WeightsError
from curveclinic.model.rounding import LARGEST, rounded
from curveclinic.run import Run
from curveclinic.scoring import score_runs
from curveclinic.synth.generate import generate

pytest.importorskip("onnx")

import onnx

import quantize

needs_weights = pytest.mark.skipif(
    not (weights_folder() / ONNX_NAME).exists(), reason="no weights: `python train.py` writes them"
)


def probabilities(table: pa.Table) -> np.ndarray:
    names = [name for name in table.column_names if name.startswith("probability_")]
    return np.array([table[name].to_numpy(zero_copy_only=False) for name in names], dtype=float)


# ---- weights as integers ----------------------------------------------------------------------------------------


def correlated(n: int = 400, inputs: int = 12) -> np.ndarray:
    """Inputs that go together, as neighbouring taps do."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 1)) + 0.3 * rng.normal(size=(n, inputs))


def test_weights_that_are_integers_stay_what_they_are():
    integers = np.random.default_rng(1).integers(-LARGEST, LARGEST + 1, (5, 12))
    integers[:, 3] = LARGEST
    found, scale = rounded(integers * 0.25, correlated())
    assert (found == integers).all()
    assert scale == pytest.approx(0.25)


def test_outputs_change_less_than_with_weights_rounded_one_by_one():
    inputs, weights = correlated(), np.random.default_rng(2).normal(size=(30, 12))
    found, scale = rounded(weights, inputs)
    assert np.abs(found).max() <= LARGEST
    alone = np.rint(weights / scale[:, None]) * scale[:, None]
    error, usual = (np.square(inputs @ (w - weights).T).mean() for w in (found * scale[:, None], alone))
    assert error < 0.5 * usual


def test_two_products_fit_into_16_bits():
    """What x86 processors without VNNI add up in: a larger sum would be cut off there, and there only."""
    assert 2 * 255 * LARGEST < 2**15


# ---- the graph --------------------------------------------------------------------------------------------------


@needs_weights
def test_only_the_large_convolutions_are_integers():
    model = onnx.load(weights_folder() / INT8_NAME)
    arrays = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    weights = [array for array in arrays.values() if array.dtype == np.int8]
    members = read_sidecar(weights_folder() / SIDECAR_NAME).recipe.get("members", [None])
    assert len(weights) == 3 * len(members)
    assert max(int(np.abs(array.astype(int)).max()) for array in weights) <= LARGEST
    whole = onnx.load(weights_folder() / ONNX_NAME)
    for kept in ("probability", "severe", "span"):
        assert kept in {output.name for output in model.graph.output}
    assert [i.name for i in model.graph.input] == [i.name for i in whole.graph.input]


@needs_weights
def test_making_it_again_gives_the_same_file_and_leaves_the_float_one(tmp_path, capsys):
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
        for name in (ONNX_NAME, SIDECAR_NAME):
            shutil.copy(weights_folder() / name, folder)
        quantize.add_int8(folder, 3, calibration=128, fresh=64)
    one, other = ((folder / INT8_NAME).read_bytes() for folder in folders)
    assert one == other
    assert (folders[0] / ONNX_NAME).read_bytes() == (weights_folder() / ONNX_NAME).read_bytes()
    before, after = (json.loads((folder / SIDECAR_NAME).read_text()) for folder in (weights_folder(), folders[0]))
    assert before | {"int8": None} == after | {"int8": None}
    found = read_sidecar(folders[0] / SIDECAR_NAME).int8
    assert found is not None
    assert (found.sha256, found.runs) == (hashlib.sha256(one).hexdigest(), 64)
    assert 0 < found.mean_difference < 0.01
    assert f"on {found.equal_label_sets:.2%} of 64 runs" in capsys.readouterr().out
    assert load_classifier(folders[0], fast=True) is not None


def test_without_weights_there_is_nothing_to_quantise(tmp_path):
    from curveclinic.model.encoder import encode
    from curveclinic.model.int8 import write_int8

    encoded = encode(generate(0, 8, max_points=50).batch)
    with pytest.raises(WeightsError, match="no weights in"):
        write_int8(tmp_path, encoded, encoded)


# ---- asking for it ----------------------------------------------------------------------------------------------


def curves(count: int) -> pa.Table:
    """Decays of which more and more end in overfitting, so that some probabilities are neither 0 nor 1."""
    rng, step = np.random.default_rng(0), np.arange(60)
    train = [np.exp(-step / 12) + 0.1 + rng.normal(0, 0.01, 60) for _ in range(count)]
    val = [t + 0.0002 * k * np.maximum(step - 20, 0) for k, t in enumerate(train)]
    return pa.table({"train_loss": [t.tolist() for t in train], "val_loss": [v.tolist() for v in val]})


def probabilities_of(row: dict) -> list:
    return [value for name, value in row.items() if name.startswith("probability_")]


@needs_weights
def test_every_door_of_scoring_takes_the_option():
    table = curves(40)
    slow, fast = score_table(table), score_table(table, fast=True)
    gap = np.abs(probabilities(slow) - probabilities(fast))
    assert slow.schema == fast.schema
    assert 0 < np.nanmax(gap) < 0.3
    runs = [Run.from_arrays(row) for row in table.to_pylist()]
    assert probabilities(score_runs(runs, fast=True)) == pytest.approx(probabilities(fast), abs=1e-6, nan_ok=True)
    long = pa.table({"run_id": ["a"] * 60, "train_loss": table["train_loss"][0].as_py()})
    assert (probabilities(score_table(long)) != probabilities(score_table(long, fast=True))).any()


@needs_weights
@pytest.mark.parametrize("workers", [1, 2])
def test_a_fast_scan_never_mixes_its_rows_with_others(tmp_path, monkeypatch, workers):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(units, "UNIT_SOURCES", 5)  # else this process does such a small archive by itself
    monkeypatch.setattr(scanning, "_SMALL_BYTES", 0)
    write_archive(tmp_path / "logs", 12)
    arguments = ("logs", "-o", "out.parquet", "--workers", workers)
    assert scan(*arguments) == 0
    slow = rows(tmp_path / "out.parquet")
    assert scan(*arguments, "--fast") == 0
    fast = rows(tmp_path / "out.parquet")
    assert [row["run_id"] for row in fast] == [row["run_id"] for row in slow]
    assert all(probabilities_of(one) != probabilities_of(other) for one, other in zip(slow, fast, strict=True))
    assert scan(*arguments) == 0
    assert rows(tmp_path / "out.parquet") == slow


@pytest.mark.parametrize("engine", [(), ("--engine", "ray")])
def test_a_fast_scan_without_an_int8_network_is_an_error_at_once(tmp_path, monkeypatch, capsys, engine):
    monkeypatch.chdir(tmp_path)
    write_archive(tmp_path / "logs", 2)
    folder = tmp_path / "weights"
    shutil.copytree(weights_folder(), folder, ignore=shutil.ignore_patterns(INT8_NAME))
    monkeypatch.setattr(classifiers, "weights_folder", lambda: folder)
    assert scan("logs", "-o", "out.parquet", "--fast", *engine) == 2
    assert capsys.readouterr().err == (
        "curveclinic: curvenet.int8.onnx is missing; make it with quantize.py, or do without --fast (fast=True)\n"
    )
    assert not list(tmp_path.glob("out*"))

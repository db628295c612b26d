"""Simulated trainings: their faults, the cache, and the labelled logs drawn from it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("scipy")
pytest.importorskip("onnxscript")
pytest.importorskip("sklearn")

import torch
from plain_recipes import CLASSES, plain

import train
import train_causes
from curveclinic.causes import OF_SIMULATED
from curveclinic.deciding.definitions import swing_degree
from curveclinic.errors import InputError
from curveclinic.labels import CHANNELS, LABELS
from curveclinic.synth.generate import Sample
from curveclinic.synth.sheet import simulated_panels
from curveclinic.synth.simulate.__main__ import main
from curveclinic.synth.simulate.bookkeeping import misrecorded
from curveclinic.synth.simulate.faults import CAUSES, FAULTS
from curveclinic.synth.simulate.groups import Group, draw_group
from curveclinic.synth.simulate.nets import NETS
from curveclinic.synth.simulate.recipe import BOOKS, Recipe
from curveclinic.synth.simulate.record import load, table_of, write_tables
from curveclinic.synth.simulate.stream import Simulations, held_out
from curveclinic.synth.simulate.tasks import TASKS
from curveclinic.synth.simulate.trainer import Records, Setting, simulate
from curveclinic.synth.simulate.views import views_of
from curveclinic.synth.simulate.writing import _means
from curveclinic.synth.truth import ARGUABLE_TARGET

pytestmark = pytest.mark.usefixtures("one_thread")


# ---- faults -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_overrides_fields_of_the_recipe(name: str) -> None:
    fault = FAULTS[name]
    names = {field.name for field in fields(Recipe)}
    changed = fault.draw(np.random.default_rng(0), 5) | fault.factor(np.random.default_rng(0), 5)
    assert set(changed) <= names
    assert all(len(values) == 5 for values in changed.values())
    assert changed or name in ("deep_sigmoid", "too_small")  # the net itself
    assert fault.cause in CAUSES
    assert any(fault.fits(net, task, regression=TASKS[task].classes == 0) for net in NETS for task in TASKS)


def test_groups_hold_few_families_and_sound_replicas() -> None:
    groups = [draw_group(np.random.default_rng(seed), 12) for seed in range(60)]
    faults = [fault for group in groups for fault in group.faults]
    assert 0.15 < np.mean([fault == "none" for fault in faults]) < 0.4
    assert len(set(faults)) > 20
    assert {group.setting.net for group in groups} > {"mlp", "rnn"}
    assert all(group.setting.steps % group.setting.stride == 0 for group in groups)


@pytest.mark.parametrize("book", BOOKS[1:])
def test_mistakes_of_the_log_leave_other_replicas_alone(book: str) -> None:
    recipe = plain(book_a=0.9)
    records = simulate(CLASSES, recipe, seed=1)
    recipe.book[2] = BOOKS.index(book)
    wrong = misrecorded(np.random.default_rng(0), records, recipe)
    series = ("loss", "metric", "val_loss", "val_metric")
    assert any((getattr(wrong, name)[2] != getattr(records, name)[2]).any() for name in series)
    for name in series:
        np.testing.assert_array_equal(np.delete(getattr(wrong, name), 2, 0), np.delete(getattr(records, name), 2, 0))


def test_swapped_losses_and_a_stale_one() -> None:
    recipe = plain()
    records = simulate(CLASSES, recipe, seed=1)
    recipe.book[:2] = BOOKS.index("swapped"), BOOKS.index("train_stale")
    wrong = misrecorded(np.random.default_rng(0), records, recipe)
    np.testing.assert_array_equal(wrong.val_loss[0], records.full_loss[0])
    np.testing.assert_array_equal(wrong.full_loss[1], records.full_loss[1, 0])
    assert abs(wrong.loss[1].mean() / records.full_loss[1, 0] - 1) < 0.1


# ---- cache ------------------------------------------------------------------------------------------------------

FAULTY = ("none", "ascent", "frozen", "far_too_hot", "train_stale", "unshuffled", "val_subsets", "small_train")


EACH = 3


@cache
def faulty_group(setting: Setting, each: int) -> tuple[Group, Records]:
    names = [name for name in FAULTY for _ in range(each)]
    recipe, rng = plain(len(names)), np.random.default_rng(0)
    for name in FAULTY[1:]:
        rows = np.flatnonzero([n == name for n in names])
        recipe.override(rows, FAULTS[name].draw(rng, each))
        for field, factor in FAULTS[name].factor(rng, each).items():
            getattr(recipe, field)[rows] *= factor
    return Group(setting, recipe, names), misrecorded(rng, simulate(setting, recipe, seed=7), recipe)


@pytest.fixture(scope="module")
def cache_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import pyarrow.parquet as pq

    torch.set_num_threads(1)
    folder, paths = tmp_path_factory.mktemp("cache"), []
    for number, (net, task) in enumerate((("mlp", "teacher_classes"), ("mlp_tanh", "polynomial"))):
        setting = Setting(net, task, 16, 300, 6)
        paths.append(folder / f"{number}.parquet")
        pq.write_table(table_of(*faulty_group(setting, EACH), number), paths[-1])
    assert write_tables(paths, folder / "cache.parquet") == 2 * EACH * len(FAULTY)
    return folder / "cache.parquet"


@pytest.fixture(scope="module")
def simulations(cache_file: Path) -> Simulations:
    return Simulations.read(cache_file)


def test_a_cache_brings_back_what_was_recorded(cache_file: Path) -> None:
    group, records = faulty_group(Setting("mlp", "teacher_classes", 16, 300, 6), EACH)
    stored = load(cache_file)
    assert stored.family[: EACH * len(FAULTY)].tolist() == group.families
    assert stored.cause[EACH] == "gradient_sign_error"
    width = records.loss.shape[1]
    for row in (0, 13):
        piece = slice(stored.dense_offsets[row], stored.dense_offsets[row + 1])
        np.testing.assert_array_equal(stored.dense["loss"][piece], records.loss[row].astype(np.float32))
        np.testing.assert_array_equal(stored.dense["step"][piece], np.arange(width))
        piece = slice(stored.eval_offsets[row], stored.eval_offsets[row + 1])
        np.testing.assert_array_equal(stored.evaluated["val_loss"][piece], records.val_loss[row].astype(np.float32))
    assert stored.numbers["cost"][0] == pytest.approx(np.log(6))
    assert np.flatnonzero(stored.numbers["fixed_order"][: EACH * len(FAULTY)]).tolist() == [15, 16, 17]


def test_the_caches_of_a_folder_are_read_as_one(cache_file: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.parquet").write_bytes(cache_file.read_bytes())
    one, both = load(cache_file), load(tmp_path)
    assert both.size == 2 * one.size
    np.testing.assert_array_equal(both.dense["loss"], np.tile(one.dense["loss"], 2))
    np.testing.assert_array_equal(np.diff(both.dense_offsets), np.tile(np.diff(one.dense_offsets), 2))


def test_means_of_slices_in_any_order() -> None:
    values = np.random.default_rng(0).normal(size=200)
    starts, ends = np.array([150, 3, 3, 40, 199, 0]), np.array([160, 10, 4, 190, 200, 200])
    means = np.array([values[a:b].mean() for a, b in zip(starts, ends, strict=True)])
    np.testing.assert_allclose(_means(values, starts, ends), means)


def test_what_is_no_cache_is_an_error(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pytest.raises(InputError, match=r"gone\.parquet.*curveclinic\.synth\.simulate"):
        load(tmp_path / "gone.parquet")
    pq.write_table(pa.table({"family": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(InputError, match=r"no column.*val_loss.*simulate anew"):
        load(tmp_path / "other.parquet")
    with pytest.raises(InputError, match="nothing was simulated"):
        write_tables([], tmp_path / "empty.parquet")


def test_the_command_writes_a_cache_and_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    from curveclinic.synth.simulate import shards

    def small(rng: np.random.Generator, replicas: int) -> Group:
        return Group(Setting("mlp", "blobs", 8, 60, 6), plain(replicas), ["none"] * replicas)

    monkeypatch.setattr(shards, "draw_group", small)
    arguments = ["--runs", "6", "--replicas", "3", "--out", str(tmp_path / "c.parquet"), "--device", "cpu"]
    assert main(arguments) == 0
    assert "6 runs" in capsys.readouterr().out
    first = (tmp_path / "c.parquet").read_bytes()
    monkeypatch.setattr(shards, "draw_group", None)  # nothing is simulated again
    assert main(arguments) == 0
    assert (tmp_path / "c.parquet").read_bytes() == first


# ---- logs -------------------------------------------------------------------------------------------------------


def logs_of(simulations: Simulations, fault: str, count: int = 120) -> Sample:
    families = [str(name) for name in simulations.families if name.endswith(f" {fault}")]
    return simulations.draw(5, count, families=families)


def share(sample: Sample, label: str) -> float:
    """Share of the checked logs that clearly show it."""
    j = LABELS.index(label)
    return float((sample.target[:, j] == 1.0)[sample.truth.checked[:, j]].mean())


def test_a_sample_is_what_drawn_ones_are(simulations: Simulations) -> None:
    sample = simulations.draw(1, 200)
    assert sample.target.shape == sample.weight.shape == (200, len(LABELS))
    for values in (sample.truth.onset, sample.truth.end, sample.truth.severe, sample.truth.degree):
        assert values.shape == (200, len(LABELS))
    assert set(np.unique(sample.target)) <= {0.0, ARGUABLE_TARGET, 1.0}
    assert (sample.weight[~sample.truth.checked] == 0).all()
    assert sample.family.max() < len(simulations.families)
    assert set(sample.batch.channels) == set(CHANNELS)
    for channel in sample.batch.channels.values():
        inside = np.diff(np.repeat(np.arange(200), channel.lengths)) == 0
        assert (np.diff(channel.steps)[inside] > 0).all()
    assert (sample.batch.channels["train_loss"].lengths > 0).mean() > 0.98
    assert 0.2 < (sample.batch.channels["lr"].lengths > 0).mean() < 0.55
    assert not np.isinf(sample.weight).any()


def test_the_same_seed_draws_the_same_logs(simulations: Simulations) -> None:
    first, again, other = (simulations.draw(seed, 80) for seed in ((1, 2), (1, 2), (1, 3)))
    for name in CHANNELS:
        np.testing.assert_array_equal(first.batch.channels[name].values, again.batch.channels[name].values)
    np.testing.assert_array_equal(first.target, again.target)
    assert first.batch.channels["train_loss"].values.shape != other.batch.channels["train_loss"].values.shape


@pytest.mark.parametrize(
    ("fault", "label", "least"),
    [("ascent", "divergence", 0.7), ("frozen", "not_learning", 0.4), ("unshuffled", "periodic_loss", 0.2),
     ("val_subsets", "noisy_validation", 0.2), ("small_train", "no_generalization", 0.1)],
)  # fmt: skip
def test_faults_are_labelled_by_what_they_do(simulations: Simulations, fault: str, label: str, least: float) -> None:
    assert share(logs_of(simulations, fault), label) >= least
    assert share(logs_of(simulations, "none"), label) <= 0.1


def test_noise_of_batches_alone_is_no_oscillation(simulations: Simulations) -> None:
    """Where the loss on all of the train set does not swing, a log that does is clearly none; and none is found."""
    j, sample = LABELS.index("oscillation"), simulations.draw(11, 600)
    restless = (swing_degree(sample.seen.quantities) >= 1.0) & sample.truth.checked[:, j]
    level = sample.logged.parts["swinging"] / np.maximum(sample.seen.quantities["t_swing_level"], 1e-12)
    still = restless & (level < 0.1)
    assert still.sum() >= 5
    assert (sample.target[still, j] < 1.0).all()
    assert (sample.weight[still, j] > 0.0).mean() > 0.5
    assert (level[(sample.target[:, j] == 1.0) & (sample.weight[:, j] > 0.0)] > 0.3).all()


def test_the_view_runs_through_the_middle_of_the_batches(simulations: Simulations) -> None:
    stored, views = simulations.cache, views_of(simulations.cache)
    for row in np.flatnonzero(np.char.endswith(stored.family.astype(str), "none")):
        piece = slice(stored.dense_offsets[row], stored.dense_offsets[row + 1])
        loss, level, noise = stored.dense["loss"][piece], views.train[piece], views.noise[piece]
        assert abs(np.mean((loss - level) / noise)) < 0.3
        assert 0.7 < np.std((loss - level) / noise) < 1.4


def test_contact_sheets_show_them(cache_file: Path) -> None:
    panels = simulated_panels(cache_file, 0, 5, family="gradient_sign_error", label="divergence")
    assert len(panels) == 5
    assert all(panel.family.endswith(" x ascent") and "divergence" in panel.present for panel in panels)
    with pytest.raises(InputError, match="unknown family or cause 'bad luck'"):
        simulated_panels(cache_file, 0, 5, family="bad luck")


def test_training_takes_them(simulations: Simulations) -> None:
    blocks = train.draw_simulated((1, 2), 32, simulations)
    assert blocks.target.shape == (48, len(LABELS))
    assert (blocks.partner[:32] == 0).all()
    assert (blocks.partner[32:40] < 0).all()
    assert (blocks.partner[40:] == 0).all()
    assert np.isfinite(blocks.tensor.astype(np.float32)).all()


def test_held_out_families_are_disjoint(simulations: Simulations) -> None:
    assert set(simulations.seen).isdisjoint(simulations.unseen)
    assert {*simulations.seen, *simulations.unseen} == set(simulations.families)
    names = [f"{net} x {task} x {fault}" for net in NETS for task in TASKS for fault in FAULTS]
    assert 0.1 < np.mean([held_out(name) for name in names]) < 0.15
    sample = simulations.draw(3, 100, families=simulations.seen)
    assert {str(simulations.families[k]) for k in sample.family} <= set(simulations.seen)
    with pytest.raises(InputError, match="none of the families"):
        simulations.draw(3, 10, families=["mlp x nothing x none"])


def test_nothing_of_it_is_imported_at_run_time() -> None:
    code = (
        "import sys; from curveclinic import predict_pathology;"
        "predict_pathology({'train_loss': [3 / (i + 1) for i in range(40)]});"
        "print([name for name in sys.modules if name.startswith('curveclinic.synth') or name == 'torch'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---- causes -----------------------------------------------------------------------------------------------------


def test_the_cause_of_a_log_is_its_fault_or_what_a_sound_training_suffers_from(simulations: Simulations) -> None:
    sample = simulations.draw(3, 400)
    found = train_causes.causes_of(sample, simulations)
    faults = np.array([name.split(" x ")[2] for name in simulations.families])[sample.family]
    for fault in set(FAULTY) - {"none"}:
        assert set(found[faults == fault]) == {OF_SIMULATED[FAULTS[fault].cause]}
    overfits = (faults == "none") & (sample.target[:, LABELS.index("overfitting")] == 1.0)
    assert overfits.any()
    assert set(found[overfits]) == {"model_too_large"}
    assert "none" in found[faults == "none"]

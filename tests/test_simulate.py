"""Real dynamics: what the trainer does to known recipes, the cache, and the labelled logs drawn from it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("scipy")
pytest.importorskip("onnxscript")
pytest.importorskip("sklearn")

import torch

import train
import train_causes
from curveclinic.causes import OF_SIMULATED
from curveclinic.deciding.definitions import swing_degree
from curveclinic.errors import InputError
from curveclinic.labels import CHANNELS, LABELS
from curveclinic.synth.draws import Draw
from curveclinic.synth.generate import Sample
from curveclinic.synth.sheet import simulated_panels
from curveclinic.synth.simulate.__main__ import main
from curveclinic.synth.simulate.bookkeeping import misrecorded
from curveclinic.synth.simulate.faults import CAUSES, FAULTS
from curveclinic.synth.simulate.groups import Group, draw_group
from curveclinic.synth.simulate.nets import NETS
from curveclinic.synth.simulate.recipe import BOOKS, OPTIMISERS, ORDERS, SCHEDULES, Recipe, draw_healthy, rates
from curveclinic.synth.simulate.record import load, table_of, write_tables
from curveclinic.synth.simulate.stream import Simulations, held_out
from curveclinic.synth.simulate.tasks import TASKS
from curveclinic.synth.simulate.trainer import LOSSES, Records, Setting, eval_steps, simulate
from curveclinic.synth.simulate.views import views_of
from curveclinic.synth.truth import ARGUABLE_TARGET

REPLICAS = 6
VALUES = Setting("mlp", "linear_values", 16, 120, 10)
CLASSES = Setting("mlp", "blobs", 16, 120, 10)


pytestmark = pytest.mark.usefixtures("one_thread")


def plain(n: int = REPLICAS, **values: object) -> Recipe:
    """Small steps of plain SGD without any extra."""
    recipe = draw_healthy(np.random.default_rng(0), n, n_train=96, n_val=64, slow=False)
    still: Draw = {name: np.zeros(n) for name in ("momentum", "weight_decay", "warmup", "dropout", "augment")}
    still |= {"optimiser": np.zeros(n, np.int64), "schedule": np.zeros(n, np.int64), "lr": np.full(n, 0.05)}
    still |= {"label_noise": np.zeros(n), "val_label_noise": np.zeros(n), "clip": np.full(n, np.inf)}
    still |= {"n_train": np.full(n, 96)}
    recipe.override(np.arange(n), still | {name: np.full(n, value) for name, value in values.items()})
    return recipe


# ---- training ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", [VALUES, CLASSES], ids=["values", "classes"])
def test_ordinary_steps_learn(setting: Setting) -> None:
    records = simulate(setting, plain(), seed=1)
    assert (records.full_loss[:, -1] < 0.75 * records.full_loss[:, 0]).all()
    assert (records.pool_loss[:, -1] < records.pool_loss[:, 0]).all()
    assert records.full_metric[:, -1].mean() > records.full_metric[:, 0].mean() + 0.1


def test_a_thousandfold_rate_diverges() -> None:
    loss = simulate(VALUES, plain(lr=50.0), seed=1).loss
    assert (~np.isfinite(loss[:, -1]) | (loss[:, -1] > 1e3 * loss[:, 0])).all()


def test_ascent_climbs() -> None:
    records = simulate(CLASSES, plain(sign=-1.0), seed=1)
    assert (records.full_loss[:, -1] > 2 * records.full_loss[:, 0]).all()


def test_dead_units_have_no_gradient_below_the_last_layer() -> None:
    alive, dead = (simulate(CLASSES, plain(bias=b, input_scale=0.1), seed=1) for b in (0.0, -30.0))
    assert (dead.full_loss[:, -1] > 0.9 * np.log(4)).all()
    assert dead.grad_norm[:, -1].max() < alive.grad_norm[:, 0].min()


def test_same_seed_same_bytes() -> None:
    first, again, other = (simulate(CLASSES, plain(dropout=0.2), seed=seed) for seed in (3, 3, 4))
    for name, values in vars(first).items():
        np.testing.assert_array_equal(values, getattr(again, name), err_msg=name)
    assert (first.loss != other.loss).any()


def test_replicas_do_not_touch_each_other() -> None:
    """One replica that overflows leaves the others as they are."""
    recipe = plain()
    recipe.lr[0] = 1e4
    hot, cool = simulate(VALUES, recipe, seed=5), simulate(VALUES, plain(), seed=5)
    assert not np.isfinite(hot.loss[0, -1])
    np.testing.assert_allclose(hot.loss[1:], cool.loss[1:], rtol=1e-4)


def test_batch_noise_is_what_batches_scatter_by() -> None:
    records = simulate(Setting("mlp", "blobs", 8, 600, 60), plain(lr=1e-9, n_train=96), seed=2)
    seen = records.loss.std(axis=1)
    np.testing.assert_allclose(seen, records.batch_noise[:, 0], rtol=0.15)
    np.testing.assert_allclose(records.loss.mean(axis=1), records.full_loss[:, 0], rtol=0.02)


def test_a_fixed_order_repeats_itself() -> None:
    recipe = plain(lr=1e-9, order=ORDERS.index("fixed"))
    loss = simulate(CLASSES, recipe, seed=2).loss
    np.testing.assert_allclose(loss[:, 6:12], loss[:, 12:18], rtol=1e-4)  # 96 samples in batches of 16
    assert (np.ptp(loss[:, 6:12], axis=1) > 0.01).all()


def test_small_training_sets_are_used_whole() -> None:
    """90 samples in batches of 64: what is left over in one epoch comes in another."""
    setting = Setting("mlp_wide", "blobs", 64, 400, 40)
    records = simulate(setting, plain(n_train=90, lr=0.2), seed=2)
    assert (records.full_loss[:, -1] < 0.6).all()
    assert (records.full_loss[:, -1] <= records.full_loss[:, 5]).all()


def test_two_speeds_give_a_second_descent() -> None:
    """Val falls, rises by a tenth and more, and falls below its first minimum in many replicas; train only falls."""
    recipe = plain(16, n_train=80, n_val=400)
    recipe.override(np.arange(16), FAULTS["double_descent"].draw(np.random.default_rng(0), 16))
    records = simulate(Setting("linear", "two_speeds", 64, 2400, 20), recipe, seed=0)
    val, train = records.pool_loss, records.full_loss
    top = [1 + int(v[1:-1].argmax()) for v in val[:, 5:]]
    low = np.array([v[: 5 + at].min() for v, at in zip(val, top, strict=True)])
    high = np.array([v[5 + at] for v, at in zip(val, top, strict=True)])
    twice = (high > 1.1 * low) & (val[:, -1] < 0.9 * high)
    assert twice.mean() > 0.25
    assert (train[:, -1] < 0.5 * train[:, 5]).mean() > 0.9


@pytest.mark.parametrize("net", NETS)
def test_every_net_takes_a_step(net: str) -> None:
    task = next(name for name, task in TASKS.items() if task.kind in NETS[net].takes)
    records = simulate(Setting(net, task, 8, 4, 2), plain(2, dropout=0.1), seed=0)
    assert np.isfinite(records.loss).all()
    assert (records.grad_norm > 0).all()
    assert records.loss.shape == (2, 4)


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_drawn_anew_for_every_replica(task: str) -> None:
    entry = TASKS[task]
    x, y = entry.draw(torch.Generator().manual_seed(0), 3, 40)
    again = entry.draw(torch.Generator().manual_seed(0), 3, 40)
    assert torch.equal(x, again[0])
    assert torch.equal(y, again[1])
    assert (x[0] != x[1]).any()
    if entry.classes:
        assert y.dtype == torch.long
        assert 0 <= int(y.min()) <= int(y.max()) < entry.classes
    else:
        assert y[0, 0].numel() == entry.values
        torch.testing.assert_close(y.flatten(1).std(1), torch.ones(3), rtol=0.0, atol=0.35)


def test_lost_weights_are_lost_at_their_step_and_no_sooner() -> None:
    kept, lost = (simulate(CLASSES, plain(set_back_at=at, set_back=0.9), seed=1).loss for at in (2.0, 0.5))
    np.testing.assert_array_equal(lost[:, :60], kept[:, :60])
    assert (lost[:, 60:70].mean(axis=1) > 1.2 * kept[:, 60:70].mean(axis=1)).all()


def test_an_output_layer_that_starts_anew_is_the_first_one() -> None:
    records = simulate(CLASSES, plain(set_back_at=0.5, set_back=1.0, lr=0.2), seed=1)
    before, after = records.full_loss[:, records.eval_step == 60], records.loss[:, 60]
    assert (after > 1.3 * before[:, 0]).all()


@pytest.mark.parametrize("setting", [VALUES, CLASSES], ids=["values", "classes"])
def test_other_targets_have_to_be_learnt_anew(setting: Setting) -> None:
    same, other = (simulate(setting, plain(drift_at=at, drift=1.0, lr=0.1), seed=1) for at in (2.0, 0.5))
    np.testing.assert_array_equal(other.loss[:, :60], same.loss[:, :60])
    assert (other.loss[:, 60:65].mean(axis=1) > 1.5 * same.loss[:, 60:65].mean(axis=1)).all()
    assert (other.full_loss[:, -1] < other.loss[:, 60:65].mean(axis=1)).all()


@pytest.mark.parametrize(("net", "task"), [("mlp", "linear_values"), ("bottleneck", "low_rank")])
def test_other_targets_cost_what_the_first_ones_did(net: str, task: str) -> None:
    setting = Setting(net, task, 16, 60, 10)
    still = {"drift": 0.5, "lr": 1e-9, "init": 1e-9, "bias": 0.0, "out_bias": 0.0}  # always predicts 0
    same, other = (simulate(setting, plain(drift_at=at, **still), seed=1) for at in (2.0, 0.5))
    np.testing.assert_array_equal(other.cost, same.cost)
    np.testing.assert_allclose(other.full_loss[:, -1], same.full_loss[:, -1], rtol=0.01)
    assert (other.loss[:, 30:] != same.loss[:, 30:]).all()


def test_an_average_of_the_weights_lags_behind_in_validation_alone() -> None:
    plainly, lagging = (simulate(CLASSES, plain(averaged=decay), seed=1) for decay in (0.0, 0.99))
    np.testing.assert_array_equal(lagging.loss, plainly.loss)
    assert (lagging.pool_loss[:, 3:].mean(axis=1) > plainly.pool_loss[:, 3:].mean(axis=1)).all()


def test_what_was_rehearsed_is_known_from_the_first_step_unless_the_task_is_another() -> None:
    rehearsed = replace(CLASSES, rehearsed=200)
    fresh, same, other = (
        simulate(setting, plain(retask=retask), seed=1).loss[:, :5].mean(axis=1)
        for setting, retask in ((CLASSES, 0.0), (rehearsed, 0.0), (rehearsed, 1.0))
    )
    assert (same < 0.5 * fresh).all()
    assert (other > 2.0 * same).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_a_constant_costs_what_it_costs_under_the_loss(loss: str) -> None:
    records = simulate(replace(VALUES, loss=loss), plain(lr=1e-9, init=1e-9), seed=1)
    np.testing.assert_allclose(records.cost, records.full_loss[:, 0], rtol=0.1)


def test_reconstructions_are_scored_over_all_their_values() -> None:
    setting = Setting("bottleneck", "low_rank", 16, 400, 40)
    records = simulate(setting, plain(lr=3e-3, optimiser=OPTIMISERS.index("adam"), momentum=0.9, beta2=0.999), seed=1)
    assert (records.full_loss[:, -1] < 0.8 * records.cost).all()
    np.testing.assert_allclose(records.full_metric, 1 - records.full_loss / records.cost[:, None], atol=0.05)


def test_schedules() -> None:
    n = len(SCHEDULES)
    recipe = plain(n, lr=2.0, shape_a=0.5, shape_b=0.5)
    recipe.schedule[:] = np.arange(n)
    curve = dict(zip(SCHEDULES, rates(recipe, 200), strict=True))
    np.testing.assert_array_equal(curve["constant"], 2.0)
    assert max(c.max() for c in curve.values()) <= 2.0 + 1e-9
    assert curve["cosine"][-1] < 0.05
    assert 0.01 < curve["growing"][0] < 0.03
    assert (np.diff(curve["growing"]) > 0).all()
    assert curve["warm_up"][0] < 0.2 < curve["warm_up"].max()
    assert (np.diff(np.sign(np.diff(curve["cyclic"]))) != 0).sum() >= 5
    assert len(np.unique(curve["step"])) >= 2


def test_evaluations_are_even_and_denser_at_the_start() -> None:
    assert eval_steps(Setting("mlp", "blobs", 4, 40, 10)).tolist() == [0, 1, 2, 3, 5, 8, 10, 20, 30, 40]


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

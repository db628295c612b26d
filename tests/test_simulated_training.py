"""Real dynamics: what the trainer does to known recipes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from plain_recipes import CLASSES, VALUES, plain

from curveclinic.synth.simulate.faults import FAULTS
from curveclinic.synth.simulate.nets import NETS
from curveclinic.synth.simulate.recipe import OPTIMISERS, ORDERS, SCHEDULES, rates
from curveclinic.synth.simulate.tasks import TASKS
from curveclinic.synth.simulate.trainer import LOSSES, Setting, eval_steps, simulate

pytestmark = pytest.mark.usefixtures("one_thread")


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

"""Channels that count something else than the train loss: which do, and where their points come to lie."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from door_cases import one, steps
from doors import verdicts

from curveclinic import predict_pathology, score_table
from curveclinic.intake.other_units import beside_train, share_axis
from curveclinic.readers import read_file

RNG = np.random.default_rng(0)
TRAIN = np.arange(1.0, 1001.0)
TRAIN_LOSS = 2 * np.exp(-TRAIN / 150) + 0.1 + RNG.normal(0, 0.01, 1000)
EARLY = np.arange(20.0, 301.0, 20)
EPOCHS = np.arange(1.0, 21.0)
SPREAD = "{} is counted in other units than train_loss and is spread over its steps"


def rows(name, at, values):
    return [{"step": float(step), name: float(value)} for step, value in zip(at, values, strict=True)]


def in_blocks(*blocks):
    """Columns of a log whose channels, each (name, steps, values), were written one after another."""
    table = [row for block in blocks for row in rows(*block)]
    return {name: [row.get(name) for row in table] for name in ("step", *(block[0] for block in blocks))}


def falling(at):
    return 2 * np.exp(-at / 150) + 0.15


def axis_of(own, train=TRAIN, losses=TRAIN_LOSS, name="val_loss"):
    """Steps of a channel beside a train loss."""
    channels, _ = share_axis({"train_loss": (train, losses), name: (own, np.ones(len(own)))})
    return channels[name][0]


def test_epochs_of_few_steps_are_spread_though_their_numbers_are_steps():
    train = np.arange(1.0, 801.0)
    every_tenth = np.arange(10.0, 101.0, 10)
    spread = axis_of(every_tenth, train, 2 * np.exp(-train / 150))
    assert spread.tolist() == [80.0 * k for k in range(1, 11)]


BLOCKS = {
    "ended early": (EARLY, falling(EARLY), EARLY, ""),
    "epochs": (EPOCHS, falling(50 * EPOCHS), 50 * EPOCHS, SPREAD.format("val_loss")),
    "every fifth epoch": (5 * EPOCHS[:5], falling(200 * EPOCHS[:5]), 200 * EPOCHS[:5], SPREAD.format("val_loss")),
    "never counted": (np.zeros(20), falling(50 * EPOCHS), 50 * EPOCHS, SPREAD.format("val_loss")),
}


@pytest.mark.parametrize("is_first", [False, True], ids=["below", "above"])
@pytest.mark.parametrize("case", BLOCKS)
def test_validation_written_below_or_above_the_training_is_on_its_axis_by_every_door(case, is_first, tmp_path):
    at, losses, expected, note = BLOCKS[case]
    blocks = [("train_loss", TRAIN, TRAIN_LOSS), ("val_loss", at, losses)]
    columns = in_blocks(*(blocks[::-1] if is_first else blocks))
    assert set(verdicts(columns, tmp_path).values()) == {("healthy", ("healthy",), note)}
    whole = [row for block in (blocks[::-1] if is_first else blocks) for row in rows(*block)]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, whole)))
    for data in (whole, pd.DataFrame(whole), columns, *read_file(tmp_path / "log.jsonl")):
        np.testing.assert_allclose(steps(one(data), "val_loss"), expected)


def test_tables_put_under_one_another_in_pandas_are_on_one_axis():
    parts = [pd.DataFrame(rows(*block)) for block in [("loss", TRAIN, TRAIN_LOSS), ("val_loss", EARLY, falling(EARLY))]]
    for table in (pd.concat(parts), pd.concat(parts[::-1]), pd.concat(parts, ignore_index=True)):
        run = one(table)
        assert (steps(run), steps(run, "val_loss")) == (TRAIN.tolist(), EARLY.tolist())


def test_two_evaluations_below_the_training_stay_where_they_are():
    run = one(rows("train_loss", TRAIN, TRAIN_LOSS) + rows("val_loss", [100, 200], [1.0, 0.8]))
    assert steps(run, "val_loss") == [100, 200]


def test_evaluations_of_several_epochs_behind_one_train_row_are_spread():
    table = []
    for epoch in range(1, 21):
        table += rows("val_loss", [epoch], [1.0]) + (rows("train_loss", [100 * epoch], [1.0]) if epoch % 4 == 0 else [])
    assert steps(one(table), "val_loss") == [100 * epoch for epoch in range(1, 21)]


def test_a_column_that_goes_on_where_the_training_ended_stays_there():
    table = rows("train_loss", range(1, 101), np.ones(100)) + rows("val_loss", range(101, 501), np.ones(400))
    assert steps(one(table), "val_loss") == list(range(101, 501))


def test_columns_of_one_row_are_on_one_axis():
    own, at = np.arange(1.0, 1001.0), np.arange(1000)
    assert beside_train(own, at, (own[:100], np.ones(100)), at[:100]) is None


@pytest.mark.parametrize("gap", [5, 20, 100])
@pytest.mark.parametrize("first", [0, 1])
def test_a_channel_that_ended_early_stays_on_the_steps_of_train(gap, first):
    own = np.arange(first * gap, 301.0, gap)
    assert axis_of(own).tolist() == own.tolist()
    assert axis_of(TRAIN, own, np.ones(len(own))).tolist() == TRAIN.tolist()


@pytest.mark.parametrize("gap", [1, 2, 5, 10])
@pytest.mark.parametrize("train", [np.arange(1.0, 10001.0), np.arange(10.0, 10001.0, 10)])
def test_epochs_are_spread_over_the_steps_though_some_of_these_have_their_numbers(train, gap):
    own = gap * np.arange(1.0, 11.0)
    np.testing.assert_allclose(axis_of(own, train, np.ones(len(train))), 1000 * np.arange(1, 11))


def test_steps_that_are_none_of_train_are_spread_however_wide_their_gaps_are():
    np.testing.assert_allclose(axis_of(EARLY + 0.5), np.arange(1, 16) / 15 * 1000)


def test_a_norm_that_ends_where_the_loss_is_no_number_any_more_is_not_spread():
    train, own = np.arange(48.0), np.arange(5.0)
    for last in (3, 4, 5):
        losses = np.where(train > last, np.inf, 1.0)
        assert axis_of(own, train, losses, "grad_norm").tolist() == own.tolist()
    np.testing.assert_allclose(axis_of(own, train, np.where(train > 30, np.inf, 1.0)), np.arange(1, 6) / 5 * 47)


def test_points_all_on_one_step_are_counted_and_spread():
    np.testing.assert_allclose(axis_of(np.full(20, 7.0)), 50 * EPOCHS)
    assert axis_of(np.full(2, 7.0)).tolist() == [7, 7]
    assert axis_of(EPOCHS, np.full(1000, 7.0)).tolist() == EPOCHS.tolist()


def test_the_step_to_stop_at_is_one_of_a_validation_that_ended_early():
    losses = 1 + np.exp(-EARLY / 40) + 0.003 * np.clip(EARLY - 100, 0, None) + RNG.normal(0, 0.005, len(EARLY))
    block = rows("train_loss", TRAIN, TRAIN_LOSS) + rows("val_loss", EARLY, losses)
    for data in ({"train_loss": (TRAIN, TRAIN_LOSS), "val_loss": (EARLY, losses)}, block, pd.DataFrame(block)):
        diagnosis = predict_pathology(data)
        assert (diagnosis.labels, diagnosis.stop_at) == (("overfitting",), 100)
    table = pa.table({"train_loss": [TRAIN_LOSS], "val_loss": [losses], "val_loss_steps": [EARLY]})
    table = table.append_column("train_loss_steps", pa.array([TRAIN]))
    (row,) = score_table(table).to_pylist()
    assert (row["labels"], row["onset"], row["message"]) == (["overfitting"], 100, "")


N_STEPS, N_EPOCHS = 4000, 40
STEPS = 10 * np.arange(1.0, N_STEPS + 1)
NORMS = {n: np.exp(RNG.normal(0, 0.2, n)) for n in (N_STEPS, N_EPOCHS)}
NORMS[N_EPOCHS][25] = NORMS[N_STEPS][2600] = 5000
LOSSES = {n: 2 * np.exp(-np.arange(n) / n * 4) + 0.2 + RNG.normal(0, 0.01, n) for n in (N_STEPS, N_EPOCHS)}
AXES = {N_STEPS: STEPS, N_EPOCHS: np.arange(1.0, N_EPOCHS + 1)}


@pytest.mark.parametrize(("n_losses", "n_norms", "onset"), [(N_STEPS, N_EPOCHS, 26_000.0), (N_EPOCHS, N_STEPS, 26.01)])
def test_norms_counted_in_other_units_explode_within_the_run_by_every_door(n_losses, n_norms, onset, tmp_path):
    curves = {"train_loss": (AXES[n_losses], LOSSES[n_losses]), "grad_norm": (AXES[n_norms], NORMS[n_norms])}
    lists = {name: [values] for name, (_, values) in curves.items()}
    table = pa.table(lists | {f"{name}_steps": [at] for name, (at, _) in curves.items()})
    (finding,) = predict_pathology(curves).findings
    assert (finding.label, finding.onset) == ("exploding_gradients", pytest.approx(onset))
    (row,) = score_table(table).to_pylist()
    assert (row["labels"], row["onset"]) == (["exploding_gradients"], pytest.approx(onset))
    blocks = [(name, at, values) for name, (at, values) in curves.items()]
    for columns in (in_blocks(*blocks), in_blocks(*blocks[::-1])):
        said = verdicts(columns, tmp_path)
        assert set(said.values()) == {("findings", ("exploding_gradients",), SPREAD.format("grad_norm"))}


def test_norms_of_layers_are_brought_onto_the_axis_too():
    layers = {f"grad_norm/{name}": (AXES[N_EPOCHS], NORMS[N_EPOCHS]) for name in "ab"}
    run = one({"train_loss": (STEPS, LOSSES[N_STEPS]), **layers})
    for name in layers:
        np.testing.assert_allclose(steps(run, name), 1000 * AXES[N_EPOCHS])
    assert run.notes[1:] == tuple(map(SPREAD.format, layers))


def test_an_epoch_without_a_norm_hides_no_nan_at_the_step_of_its_number():
    losses, norms = LOSSES[N_STEPS].copy(), NORMS[N_EPOCHS].copy()
    losses[1], norms[19] = 0.0, np.nan
    run = one({"train_loss": (STEPS, losses), "grad_norm": (AXES[N_EPOCHS], norms)})
    assert np.isfinite(run.channels["train_loss"].values).all()


@pytest.mark.parametrize("first", [0, 1])
def test_epochs_beside_train_losses_that_only_count_are_spread_by_every_door(first):
    epochs = np.arange(first, first + 40.0)
    losses = {"train_loss": LOSSES[N_STEPS], "val_loss": LOSSES[N_EPOCHS]}
    run = one({"train_loss": losses["train_loss"], "val_loss": (epochs, losses["val_loss"])})
    np.testing.assert_allclose(steps(run, "val_loss"), 100 * np.arange(1, 41))
    assert run.notes == (SPREAD.format("val_loss"),)
    table = pa.table({name: [values] for name, values in losses.items()} | {"val_loss_steps": [epochs]})
    assert score_table(table)["message"].to_pylist() == list(run.notes)


def test_train_losses_that_only_count_lie_on_steps_that_reach_further():
    run = one({"train_loss": LOSSES[N_EPOCHS], "val_loss": (100 * np.arange(1, 41), LOSSES[N_EPOCHS])})
    assert steps(run) == steps(run, "val_loss") == list(range(100, 4001, 100))

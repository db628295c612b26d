import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curveclinic.errors import InputError
from curveclinic.intake import grid as intake_grid
from curveclinic.intake.cells import Column, column_from_cells, flatten, text_notes
from curveclinic.intake.grid import Grid, grid_from_rows, tables
from curveclinic.intake.restarts import goes_on


def grid(**columns):
    n = max(len(v) for v in columns.values())
    return Grid({k: Column(np.arange(len(v)), np.asarray(v, dtype=np.float64)) for k, v in columns.items()}, n)


def test_the_finest_step_column_is_the_axis():
    ((_, table, _),) = tables(grid(epoch=[0, 0, 1], step=[5, 6, 7], loss=[3, 2, 1]))
    assert table["loss"][0].tolist() == [5, 6, 7]


def test_a_constant_step_column_is_no_axis():
    ((_, table, _),) = tables(grid(step=[0, 0, 0], loss=[3, 2, 1]))
    assert table["loss"][0].tolist() == [1, 2, 3]


def test_a_counter_within_the_epoch_runs_on():
    ((_, table, _),) = tables(grid(epoch=[1, 1, 2, 2], iter=[50, 100, 50, 100], loss=[4, 3, 2, 1]))
    assert table["loss"][0].tolist() == [50, 100, 150, 200]


def test_validation_rows_counted_in_epochs_move_to_the_train_row_before_them():
    rows = [
        {"step": 100 * k, "loss": 1.0} if not val else {"step": k, "val/loss": 2.0} for k in (1, 2, 3) for val in (0, 1)
    ]
    ((_, table, _),) = tables(grid_from_rows(rows))
    assert table["val/loss"][0].tolist() == [100, 200, 300]


def test_the_first_validation_row_of_a_training_that_goes_on_moves_too():
    rows: list[dict[str, float]] = [{"step": 4 * k, "loss": 1 / k} for k in range(1, 9)]
    rows.insert(6, {"step": 2, "val/accuracy": 0.9})
    ((_, table, _),) = tables(grid_from_rows(rows))
    assert table["val/accuracy"][0].tolist() == [24]


def test_rows_out_of_order_are_one_run():
    for order in ([3, 1, 2], [2, 1, 0], [5, 3, 8, 1, 2, 9, 0, 4]):
        assert len(tables(grid(step=order, loss=np.ones(len(order))))) == 1


def test_shuffled_rows_of_distinct_steps_are_one_run():
    rng = np.random.default_rng(0)
    for n in range(3, 60):
        steps = rng.permutation(n).astype(float)
        ((_, table, notes),) = tables(grid(step=steps, loss=2 * np.exp(-steps / 10)))
        assert (table["loss"][0].tolist(), notes) == (steps.tolist(), ())


def test_several_restarts_are_several_runs_if_one_of_them_is_new():
    found = tables(grid(step=[0, 1, 2] * 3, loss=[4, 2, 1, 1, 0.9, 0.8, 4, 2, 1]))
    assert [t["loss"][1].tolist() for _, t, _ in found] == [[4, 2, 1], [1, 0.9, 0.8], [4, 2, 1]]


def test_a_resumed_run_may_still_be_followed_by_another():
    found = tables(grid(step=[0, 1, 2, 1, 2, 3, 0, 1], loss=[4, 3, 2, 3, 2, 1, 4, 3]))
    assert [len(t["loss"][1]) for _, t, _ in found] == [6, 2]


def falling(steps):
    return (2 * np.exp(-np.asarray(steps, dtype=float) / 300) + 0.1).tolist()


@pytest.mark.parametrize("gaps", [(10, 20, 50), (50, 20, 10), (0.0625, 0.3125, 0.125)])
def test_the_next_run_may_be_logged_more_coarsely(gaps):
    sweep = [[gap * k for k in range(1, 21)] for gap in gaps]
    steps = [step for run in sweep for step in run]
    found = tables(grid(step=steps, loss=falling(steps)))
    assert [t["loss"][0].tolist() for _, t, _ in found] == sweep


@pytest.mark.parametrize("again", [range(20, 200, 10), range(30, 200, 10), range(60, 200, 20), range(150, 400, 50)])
@pytest.mark.parametrize("first", [0, 1, 10])
def test_a_run_resumed_from_an_early_checkpoint_is_one_run(first, again):
    steps = [*range(first, first + 150, 10), *(step + first % 10 for step in again)]
    assert len(tables(grid(step=steps, loss=falling(steps)))) == 1


def test_the_summary_of_a_training_ends_a_run():
    trainings = [[0.01, 0.5, 1.0, 1.5], [0.02, 1.0, 2.0, 3.0]]
    rows = []
    for epochs in trainings:
        rows += [{"epoch": epoch, "loss": loss} for epoch, loss in zip(epochs, [4.0, 3, 2, 1], strict=True)]
        rows.append({"train_runtime": 9.0, "epoch": epochs[-1]})
    assert [t["loss"][0].tolist() for _, t, _ in tables(grid_from_rows(rows))] == trainings


@pytest.mark.parametrize("again", [range(26, 40), range(11, 40)])
def test_a_training_resumed_after_its_summary_is_one_run(again):
    rows = [{"step": step, "loss": 2 * 0.9**step} for step in range(1, 31)]
    rows += [{"step": 30, "train_runtime": 9.0}, *({"step": step, "loss": 2 * 0.9**step} for step in again)]
    ((_, table, notes),) = tables(grid_from_rows(rows))
    assert (table["loss"][0].tolist(), notes) == ([*range(1, 31), *again], ())


@pytest.mark.parametrize(("last", "gap"), [(12, 10), (105, 100)])
def test_a_run_resumed_and_logged_less_often_is_one_run(last, gap):
    steps = [*range(1, last + 1), *range(gap, 31 * gap, gap)]
    loss = (2 * np.exp(-np.array(steps) / last) + 0.1).tolist()
    ((_, table, notes),) = tables(grid(step=steps, loss=loss))
    assert (table["loss"][0].tolist(), notes) == (steps, ())


def test_going_on_needs_a_clear_change():
    assert goes_on(4.0, 1.0, 1.1)
    assert goes_on(4.0, 1.0, 1.7)
    assert not goes_on(4.0, 1.0, 1.8)
    assert not goes_on(4.0, 1.0, 3.9)
    assert not goes_on(1.1, 1.05, 1.05)
    assert not goes_on(4.0, float("nan"), 1.0)


def sizes(monkeypatch, owner, name, argument):
    """Lengths of one argument of a function, each time that it is called."""
    called, plain = [], getattr(owner, name)

    def noted(*given, **options):
        called.append(len(given[argument]))
        return plain(*given, **options)

    monkeypatch.setattr(owner, name, noted)
    return called


def test_zig_zag_steps_are_each_looked_at_a_few_times(monkeypatch):
    looked_at = sizes(monkeypatch, np, "diff", 0)
    steps = np.arange(40_000) % 2 + np.arange(40_000) // 100
    assert len(tables(grid(step=steps, loss=np.ones(len(steps))))) == 1
    assert sum(looked_at) <= 5 * len(steps)


@pytest.mark.parametrize(("times", "runs"), [(8, 8), (20, 20), (30, 1)])
def test_a_few_short_runs_are_runs_and_many_are_writers_that_take_turns(times, runs):
    assert len(tables(grid(step=[0, 1] * times, loss=[4, 1] * times))) == runs


@pytest.mark.parametrize(("factor", "last"), [(2.5, 30), (4.0, 120)])
def test_validation_far_behind_train_counts_in_other_units(factor, last):
    rows = [
        {"step": factor * k, "loss": 1.0} if not val else {"step": k, "val/loss": 2.0}
        for k in range(1, 31)
        for val in (0, 1)
    ]
    ((_, table, _),) = tables(grid_from_rows(rows))
    assert table["val/loss"][0][-1] == last


def test_many_runs_of_a_long_table_are_told_apart_in_one_pass(monkeypatch):
    n_runs, n_points = 3000, 20
    columns = {
        name: Column(np.arange(n_runs * n_points), np.tile(np.arange(n_points, dtype=float), n_runs))
        for name in ("step", "loss")
    }
    long = Grid(
        columns,
        n_runs * n_points,
        run_of=np.repeat(np.arange(n_runs), n_points),
        run_names=tuple(map(str, range(n_runs))),
    )
    looked_up = sizes(monkeypatch, intake_grid, "select", 1)
    found = tables(long)
    assert sum(looked_up) == len(columns) * long.n_rows
    assert (len(found), found[7][0], found[7][1]["loss"][1].tolist()) == (3000, "7", list(range(n_points)))


CELLS = st.one_of(st.floats(), st.integers(-(10**400), 10**400), st.sampled_from([None, "1.5", "nan", "x", True, [1]]))
ROWS = st.lists(
    st.dictionaries(
        st.sampled_from(["lr", "loss", "val_loss", "acc"]),
        st.one_of(st.floats(), CELLS, st.dictionaries(st.sampled_from("ab"), CELLS, max_size=2)),
        max_size=4,
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(ROWS)
def test_rows_in_columns_equal_rows_one_by_one(rows):
    pairs: dict = {}
    for index, row in enumerate(rows):
        for name, value in flatten(row):
            pairs.setdefault(name, []).append((index, value))
    expected = {name: column_from_cells(cells) for name, cells in pairs.items()}
    found = grid_from_rows(rows)
    assert found.n_rows == len(rows)
    assert found.columns.keys() == {name for name, (column, _) in expected.items() if len(column.rows)}
    for name, column in found.columns.items():
        assert column.rows.tolist() == expected[name][0].rows.tolist()
        assert np.array_equal(column.values, expected[name][0].values, equal_nan=True)
    assert sorted(found.notes) == sorted(note for name in expected for note in text_notes(name, *expected[name]))


def test_text_among_numbers_is_told_with_examples_that_steer_no_terminal():
    column, bad = column_from_cells(enumerate(["1", "n/a!", "x\x1b[31m", "n/a!", "2", "3", "4"]))
    assert column.values.tolist() == [1, 2, 3, 4]
    assert text_notes("val_loss", column, bad) == [
        r"val_loss: left out 3 cells that are not numbers ('n/a!', 'x\x1b[31m')"
    ]
    assert text_notes("comment", column, bad) == []


def test_a_column_of_mostly_text_is_told_and_one_of_text_alone_is_not():
    mostly, alone = column_from_cells(enumerate(["1", "x", "x"])), column_from_cells(enumerate(["mse", "mse"]))
    assert text_notes("val_loss", *mostly) == ["val_loss: most cells are not numbers ('x') and the column is left out"]
    assert text_notes("loss_fn", *alone) == []


def test_a_step_column_with_a_hole_is_no_axis_and_that_is_told():
    ((_, table, notes),) = tables(grid(step=[10.0, np.inf, 30.0], loss=[3.0, 2.0, 1.0]))
    assert table["loss"][0].tolist() == [1, 2, 3]
    assert notes == ("'step' holds NaN or Inf and is no step axis: rows are counted",)


@pytest.mark.parametrize(
    "name",
    ["tokens", "tokens_seen", "consumed_samples", "Global step", "train_step", "time/total_timesteps", "updates"],
)
def test_what_a_training_has_used_up_is_its_axis(name):
    ((_, table, notes),) = tables(grid(**{name: [500, 1500, 2500], "loss": [3, 2, 1]}))
    assert (table["loss"][0].tolist(), notes) == ([500, 1500, 2500], ())


def test_a_log_resumed_on_tokens_is_merged_as_on_steps():
    counts = [*range(0, 60, 2), *range(40, 100, 2)]
    loss = [float(np.exp(-count / 20)) for count in counts]
    for name in ("step", "tokens"):
        ((_, table, _),) = tables(grid(**{name: counts, "loss": loss}))
        assert table["loss"][0].tolist() == counts


def test_tokens_of_a_batch_are_no_axis():
    ((_, table, notes),) = tables(grid(tokens=[512, 498, 510, 490, 505, 511], loss=[6, 5, 4, 3, 2, 1]))
    assert (table["loss"][0].tolist(), notes) == ([1, 2, 3, 4, 5, 6], ())


def test_batches_within_the_epoch_run_on():
    ((_, table, _),) = tables(grid(epoch=[1, 1, 2, 2], batch=[50, 100, 50, 100], loss=[4, 3, 2, 1]))
    assert table["loss"][0].tolist() == [50, 100, 150, 200]


@pytest.mark.parametrize("name", ["num_steps", "timesteps", "train_steps"])
def test_how_many_steps_a_row_stands_for_is_no_axis(name):
    amounts, loss = [390, 390, 250, 390, 391, 120], [6, 5, 4, 3, 2, 1]
    ((_, table, _),) = tables(grid(**{name: amounts, "loss": loss}))
    assert table["loss"][0].tolist() == [1, 2, 3, 4, 5, 6]
    ((_, table, _),) = tables(grid(**{name: amounts, "epoch": range(6), "loss": loss}))
    assert table["loss"][0].tolist() == [0, 1, 2, 3, 4, 5]


def test_steps_of_each_epoch_are_no_axis_beside_the_epochs():
    ((_, table, _),) = tables(grid(steps=[390, 390, 390, 120], epoch=[0, 1, 2, 3], loss=[4, 3, 2, 1]))
    assert table["loss"][0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["timesteps", "n_iter", "iters"])
def test_what_starts_over_again_and_again_is_no_axis(name):
    ((_, table, _),) = tables(grid(**{name: [0, 10, 20, 30, 40, 50] * 6, "loss": range(36, 0, -1)}))
    assert table["loss"][0].tolist() == list(range(1, 37))


@pytest.mark.parametrize("name", ["tokens", "samples_seen", "batch"])
def test_what_was_used_up_is_no_axis_beside_an_epoch_for_each_row(name):
    ((_, table, _),) = tables(grid(**{name: [500, 1000, 1500], "epoch": [1, 2, 3], "loss": [3, 2, 1]}))
    assert table["loss"][0].tolist() == [1, 2, 3]
    ((_, table, _),) = tables(grid(**{name: [500, 1000, 1500], "epoch": [1, 1, 2], "loss": [3, 2, 1]}))
    assert table["loss"][0].tolist() == [500, 1000, 1500]


def test_the_last_row_repeats_its_step_and_the_steps_stay_the_axis():
    ((_, table, _),) = tables(grid(step=[50, 101, 152, 203, 203], epoch=[0, 1, 2, 3, 4], loss=[5, 4, 3, 2, 1]))
    assert table["loss"][0].tolist() == [50, 101, 152, 203, 203]


def test_a_counter_that_starts_over_while_epochs_go_on_is_moved_on():
    columns = grid(step=[50, 100, 150, 50, 100, 150], epoch=[0, 1, 2, 3, 4, 5], loss=[5, 4, 3, 9, 2, 1])
    ((_, table, _),) = tables(columns)
    assert table["loss"][0].tolist() == [50, 100, 150, 200, 250, 300]
    columns = grid(step=[0, 10, 20] * 4, epoch=range(12), loss=range(12, 0, -1))
    ((_, table, _),) = tables(columns)
    assert table["loss"][0].tolist() == list(range(12))


def test_the_user_names_the_step_column():
    columns = grid(step=[1, 2, 3, 4, 5], kimg=[10, 20, 30, 40, 50], loss=[5, 4, 3, 2, 1])
    for wanted in ("kimg", "^k"):
        ((_, table, _),) = tables(columns, step=wanted)
        assert table["loss"][0].tolist() == [10, 20, 30, 40, 50]
    with pytest.raises(InputError, match="no column matches step 'x'; found 'step', 'kimg', 'loss'"):
        tables(columns, step="x")


def test_a_column_that_may_hold_the_steps_is_noted():
    ((_, table, notes),) = tables(grid(kimg=[10, 20, 30, 40, 50], timestamp=[1, 2, 3, 4, 5], loss=[5, 4, 3, 2, 1]))
    assert table["loss"][0].tolist() == [1, 2, 3, 4, 5]
    assert notes == ("no column is named like a step: rows are counted, though 'kimg' counts, too",)
    assert tables(grid(id=[0, 1, 2, 3, 4], loss=[5, 4, 3, 2, 1]))[0][2] == ()


def test_a_column_with_inf_holds_no_steps():
    ((_, _, notes),) = tables(grid(odd=[1, np.inf, np.inf, 4, 5], loss=[5, 4, 3, 2, 1]))
    assert notes == ()

import copy
import pickle

import numpy as np
import pytest

from curveclinic.errors import InputError
from curveclinic.run import Run, is_sound_axis


def series(run, channel="train_loss"):
    return run.channels[channel].steps.tolist(), run.channels[channel].values.tolist()


def test_bare_values_are_counted_from_one():
    assert series(Run.from_arrays({"train_loss": [3, 2, 1]})) == ([1, 2, 3], [3, 2, 1])


def test_missing_is_left_out_and_keeps_its_place_while_nan_and_inf_stay():
    steps, values = series(Run.from_arrays({"train_loss": [3, None, "NaN", "inf", "-Infinity", "NA", "0.5"]}))
    assert steps == [1, 3, 4, 5, 7]
    assert np.array_equal(values, [3, np.nan, np.inf, -np.inf, 0.5], equal_nan=True)


def test_the_largest_float_is_a_stored_infinity():
    assert series(Run.from_arrays({"train_loss": [1.0, 1.7976931348623157e308]}))[1] == [1.0, np.inf]


def test_an_axis_is_sound_where_steps_ascend_and_each_can_be_one():
    assert [is_sound_axis(np.array(steps)) for steps in ([], [5.0], [-1.0, 0.0, 7.5])] == [True] * 3
    unsound = ([1.0, 1.0], [2.0, 1.0], [1.0, np.nan, 3.0], [np.nan], [1.0, np.inf], [-1e200, 1.0], [1.0, 1e150])
    assert [is_sound_axis(np.array(steps)) for steps in unsound] == [False] * 7


def test_steps_out_of_order_are_sorted_and_the_last_value_of_a_step_wins():
    run = Run.from_arrays({"train_loss": ([1, 2, 3, 2, 3], [5.0, 4.0, 3.0, 40.0, 30.0])})
    assert series(run) == ([1, 2, 3], [5, 40, 30])
    assert run.notes == ("train_loss: resumed at step 2, the last value of a step is kept: 2 of 5 points are left out",)


@pytest.mark.parametrize(
    ("steps", "note"),
    [
        ([3, 1, 2, 4], "out of order, sorted by step"),
        ([1, 2, 3, 1, 2, 1], "starts over 2 times at step 1, the last value of a step is kept: 3 of 6"),
        ([1, 2, 3, 2, 3, 4], "resumed at step 2, the last value of a step is kept: 2 of 6"),
        (
            [1, 12345677, 12345678, 12345677, 12345679],
            "resumed at step 12345677, the last value of a step is kept: 1 of 5",
        ),
        ([5, 1, 4, 2, 5, 3, 2, 1, 6], "out of order, sorted by step, the last value of a step is kept: 3 of 9"),
    ],
)
def test_points_out_of_order_are_told_from_a_resumed_run(steps, note):
    run = Run.from_arrays({"train_loss": (steps, np.arange(len(steps)))})
    assert run.channels["train_loss"].steps.tolist() == sorted(set(steps))
    advice = "; tell several runs apart by a column 'run_id'" * note.startswith("starts over")
    assert run.notes == (f"train_loss: {note}{' points are left out' * ('kept' in note)}{advice}",)


@pytest.mark.parametrize(("times", "told"), [(1, "resumed"), (5, "resumed"), (6, "out of order"), (15, "out of order")])
def test_forty_points_that_go_back_more_than_five_times_are_out_of_order(times, told):
    steps = np.arange(40)
    steps[np.arange(2, times + 2) * 2] -= 2
    (note,) = Run.from_arrays({"train_loss": (steps, np.arange(40))}).notes
    assert note.startswith(f"train_loss: {told}")


def test_an_overwritten_nan_is_said():
    run = Run.from_arrays({"train_loss": ([1, 2, 2], [1.0, np.nan, 1.0])})
    kept = "the last value of a step is kept: 1 of 3 points are left out (a NaN was overwritten)"
    assert run.notes == (f"train_loss: repeated steps, {kept}",)


def test_steps_that_never_move_are_replaced_by_the_order_written():
    run = Run.from_arrays({"train_loss": ([0, 0, 0], [3.0, 2.0, 1.0])})
    assert series(run) == ([1, 2, 3], [3, 2, 1])


def test_unequal_lengths_share_one_span_when_far_apart():
    run = Run.from_arrays({"train_loss": np.ones(100), "val_loss": np.ones(10)})
    assert run.channels["val_loss"].steps[-1] == 100
    for count, last in ((9, 9), (7, 7), (6, 10)):
        run = Run.from_arrays({"train_loss": np.ones(10), "val_loss": np.ones(count)})
        assert run.channels["val_loss"].steps[-1] == last


@pytest.mark.parametrize("far", [np.inf, -np.inf, np.nan, 1e308, -1e308])
def test_what_cannot_be_a_step_drops_its_point(far):
    run = Run.from_arrays({"train_loss": ([1, 2, far, 4], [4.0, 3.0, 2.0, 1.0])})
    assert series(run) == ([1, 2, 4], [4.0, 3.0, 1.0])
    assert run.notes == (f"train_loss: left out 1 point at no possible step ({far:g})",)


@pytest.mark.parametrize("values", [[], [1.0], [np.nan] * 5, [0.0] * 5])
def test_short_and_dull_runs_are_runs(values):
    assert Run.from_arrays({"train_loss": values}).n_points == len(values)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([1, "abc"], "train_loss: found 'abc' among the values, expected a number"),
        (3.0, "train_loss: found float, expected a sequence of numbers"),
        (None, "train_loss: found NoneType, expected a sequence of numbers"),
        ([[1, 2], [3, 4]], r"train_loss: found an array of shape \(2, 2\), expected one dimension"),
        (([1, 2], [1, 2, 3]), "train_loss: 2 steps but 3 values; give one step for every value"),
        (object(), "train_loss: found object, expected a sequence of numbers"),
        ([10**400], "expected a number"),
        ((v for v in [2.0, 1.0]), "train_loss: found generator, expected a sequence of numbers"),
        ({2.0, 1.0}, "train_loss: found set, expected a sequence of numbers"),
    ],
)
def test_what_is_no_series_is_refused(data, message):
    with pytest.raises(InputError, match=message):
        Run.from_arrays({"train_loss": data})


def test_unknown_channels_are_refused():
    with pytest.raises(InputError, match="unknown channel 'loss'"):
        Run.from_arrays({"loss": [1]})


@pytest.mark.filterwarnings("error")
def test_lists_of_tensors_are_read_whatever_their_type():
    torch = pytest.importorskip("torch")
    graph = torch.tensor([2.0, 1.0], requires_grad=True) * 1
    for losses in (list(graph), [torch.tensor([2.0]), torch.tensor([1.0])], [2.0, graph[1]], list(graph.bfloat16())):
        assert Run.from_arrays({"train_loss": losses}).channels["train_loss"].values.tolist() == [2, 1]
    half = Run.from_arrays({"train_loss": torch.tensor([2.0, 1.0]).bfloat16()})
    assert half.channels["train_loss"].values.tolist() == [2, 1]


def test_a_column_of_a_matrix_is_one_dimension_and_rows_of_pairs_get_advice():
    run = Run.from_arrays({"train_loss": np.array([[2.0], [1.0]])})
    assert run.channels["train_loss"].values.tolist() == [2, 1]
    with pytest.raises(InputError, match=r"shape \(3, 2\), expected one dimension; give steps and values as a tuple"):
        Run.from_arrays({"train_loss": [(1, 2.0), (2, 1.0), (3, 0.5)]})
    with pytest.raises(InputError, match=r"shape \(3, 4\), expected one dimension; of several runs give a"):
        Run.from_arrays({"train_loss": np.zeros((3, 4))})
    for ragged in ([[2.0, 1.0, 0.5], [2.0]], [np.ones(2), np.ones(3)], [2.0, np.ones(3)]):
        with pytest.raises(InputError, match=r"found a \w+ of [23] among the values, expected a number; of sev"):
            Run.from_arrays({"train_loss": ragged})


def test_torch_tensors_that_belong_to_a_graph_are_read():
    torch = pytest.importorskip("torch")
    run = Run.from_arrays({"train_loss": torch.tensor([2.0, 1.0], requires_grad=True)})
    assert series(run) == ([1, 2], [2, 1])


def test_masked_points_are_missing():
    run = Run.from_arrays({"train_loss": np.ma.masked_invalid([3.0, np.nan, 1.0])})
    assert series(run) == ([1, 3], [3, 1])


@pytest.mark.parametrize("found", [0, 1, -1, True, 2.5, "10"])
def test_what_is_no_number_of_classes_is_refused(found):
    with pytest.raises(InputError, match=r"num_classes: found .* expected a whole number of 2 or more"):
        Run.from_arrays({"train_loss": [1]}, num_classes=found)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda run: pickle.loads(pickle.dumps(run))])
def test_a_run_can_be_copied_and_pickled(copied):
    run = copied(Run.from_arrays({"train_loss": [2, 1]}, run_id="a", num_classes=np.int64(10), notes=["n"]))
    assert series(run) == ([1, 2], [2, 1])
    assert (run.run_id, run.num_classes, run.notes) == ("a", 10, ("n",))
    with pytest.raises(TypeError):
        run.channels["val_loss"] = None


@pytest.mark.parametrize("goal", ["up", "MAX", 1])
def test_a_goal_is_max_or_min(goal):
    with pytest.raises(InputError, match=f"metric_goal: found {goal!r}, expected 'max', 'min' or None"):
        Run.from_arrays({"train_loss": [2.0, 1.0]}, metric_goal=goal)


def test_what_is_no_mapping_is_refused():
    with pytest.raises(InputError, match="found list, expected a mapping such as"):
        Run.from_arrays([[2.0, 1.0]])


@pytest.mark.parametrize("every", [2, 3, 4, 6, 7])
def test_values_logged_every_so_many_steps_stand_at_these_steps(every):
    steps = np.arange(1.0, 101.0)
    run = Run.from_arrays({"train_loss": 1 / steps, "val_loss": 2 / steps[every - 1 :: every]})
    assert run.channels["val_loss"].steps.tolist() == steps[every - 1 :: every].tolist()
    assert run.notes == (
        f"val_loss: {100 // every} values without steps, taken as one every {every} of the 100 steps counted",
    )


@pytest.mark.parametrize(("count", "said"), [(30, "spread over the 100"), (80, "on the first of the 100")])
def test_values_without_steps_stand_at_whole_ones(count, said):
    run = Run.from_arrays({"train_loss": np.ones(100), "val_loss": np.ones(count)})
    steps = run.channels["val_loss"].steps
    assert (steps % 1 == 0).all()
    assert (np.diff(steps) > 0).all()
    assert steps[-1] == (100 if count == 30 else 80)
    assert run.notes == (f"val_loss: {count} values without steps, {said} steps counted",)

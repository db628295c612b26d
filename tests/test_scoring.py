"""The columnar core gives the rows that diagnoses give, whatever the curves and however the table holds them."""

import warnings
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hand_curves import BENIGN, HOSTILE, SHOWS, decay, healthy
from reference_rows import row

from curveclinic import InputError, Run, score_table
from curveclinic.intake.arrow_series import INDEX_MARK
from curveclinic.labels import ADVERSARIAL_NOTE
from curveclinic.points import Series
from curveclinic.predict import predict_pathology, predict_runs
from curveclinic.scoring import score_runs
from curveclinic.synth.generate import generate
from curveclinic.writers import schema

STEPS = np.arange(1.0, 61.0)
LOSS = decay(60).tolist()


def synthetic_runs(seed, count):
    batch = generate(seed, count, max_points=2000).batch
    runs = []
    for i in range(batch.size):
        cut = {name: slice(c.offsets[i], c.offsets[i + 1]) for name, c in batch.channels.items()}
        channels = {n: Series(batch.channels[n].steps[s], batch.channels[n].values[s]) for n, s in cut.items()}
        goal = "min" if batch.metric_sign[i] < 0 else "max"
        classes = None if np.isnan(batch.num_classes[i]) else int(batch.num_classes[i])
        channels = {name: series for name, series in channels.items() if len(series)}
        runs.append(
            Run(channels, run_id=f"run {i}", metric_goal=goal, num_classes=classes, path=f"a/{i}", format="csv")
        )
    return runs


def test_a_point_at_no_possible_step_is_left_out_and_said_as_in_single_runs():
    steps = [*range(59), 1e300]
    rows = score_table(pa.table({"train_loss": [LOSS], "train_loss_steps": [steps]}))
    assert differing(rows, slow_rows([{"train_loss": (steps, LOSS)}])) == {}
    assert rows["message"].to_pylist() == ["train_loss: left out 1 point at no possible step (1e+300)"]


def odd_runs():
    rng = np.random.default_rng(5)
    yield from (Run.from_arrays(c, run_id=name) for name, c in {**SHOWS, **BENIGN, **HOSTILE}.items())
    yield Run({})
    yield Run({}, run_id="\udcff", notes=("no loss column",))
    yield Run.from_arrays({"lr": [1, 2]})
    yield Run.from_arrays({"train_loss": [np.nan] * 5})
    yield Run.from_arrays({"train_loss": [np.nan, 1.0]})
    yield Run.from_arrays({"val_loss": [1, 2, np.inf, 3, np.inf, 2, 4, 1, 4, 1, 3]}, notes=("one", "two"))
    yield Run.from_arrays(SHOWS["overfitting"], notes=(ADVERSARIAL_NOTE, "said"), kind="opponents")
    yield Run.from_arrays(
        {**SHOWS["exploding_gradients"], "grad_norm/a": ([3.5, 100.5], [1, 2]), "grad_norm/b": [1, 2]}
    )
    for _ in range(9):
        yield Run.from_arrays({"train_loss": rng.normal(size=300).cumsum() + 50}, notes=("walks",))


def rows_of(runs):
    return pa.Table.from_pylist([row(d) for d in predict_runs(runs)], schema=schema())


def table_of(runs, kind=pa.list_):
    """A table as an index holds it."""
    columns = {name: [getattr(run, name) for run in runs] for name in ("run_id", "path", "format", "metric_goal")}
    columns |= {"num_classes": [run.num_classes for run in runs], "notes": [list(run.notes) for run in runs]}
    columns["kind"] = [run.kind for run in runs]
    for name in ("train_loss", "val_loss", "train_metric", "val_metric", "lr", "grad_norm"):
        found = [run.channels.get(name) for run in runs]
        for column, part in ((name, "values"), (f"{name}_steps", "steps")):
            cells = [None if one is None else getattr(one, part) for one in found]
            columns[column] = pa.array(cells, kind(pa.float64()))
    return pa.table(columns).replace_schema_metadata(dict([INDEX_MARK]))


def differing(a, b):
    return {name: (a[name].to_pylist(), b[name].to_pylist()) for name in a.column_names if not a[name].equals(b[name])}


@pytest.fixture(scope="module")
def synthetic():
    return synthetic_runs(11, 400)


@pytest.fixture(scope="module")
def expected(synthetic):
    return rows_of(synthetic)


def test_runs_give_the_rows_of_their_diagnoses(synthetic, expected):
    assert differing(score_runs(synthetic), expected) == {}
    assert expected["verdict"].to_pylist().count("findings") > 100


def test_odd_runs_give_the_rows_of_their_diagnoses():
    runs = list(odd_runs())
    found = score_runs(runs)
    assert differing(found, rows_of(runs)) == {}
    assert found["verdict"].to_pylist().count("undetermined") > 9


def test_severities_of_all_findings(synthetic):
    rows = score_runs(synthetic, severities=True)
    assert rows["severities"].to_pylist() == [[f.severity for f in d.findings] for d in predict_runs(synthetic)]
    assert score_table(table_of(synthetic), severities=True).equals(rows)


def test_runs_are_judged_in_pieces(synthetic, expected, monkeypatch):
    monkeypatch.setattr("curveclinic.scoring.BATCH_RUNS", 150)
    monkeypatch.setattr("curveclinic.scoring._FEWEST_ROWS", 1)
    assert differing(score_runs(synthetic), expected) == {}
    assert differing(score_table(table_of(synthetic)), expected) == {}


@pytest.mark.parametrize("kind", [pa.list_, pa.large_list])
def test_an_index_gives_the_rows_of_its_runs(synthetic, expected, kind):
    assert differing(score_table(table_of(synthetic, kind)), expected) == {}


def test_chunks_and_slices_do_not_matter(synthetic, expected):
    table = table_of(synthetic)
    chunked = pa.concat_tables([table.slice(0, 7), table.slice(7, 200), table.slice(207)])
    assert differing(score_table(chunked), expected) == {}
    assert differing(score_table(table.slice(31, 100)), expected.slice(31, 100).combine_chunks()) == {}


def test_an_index_of_odd_runs_gives_their_rows():
    runs = [run for run in odd_runs() if {"train_loss", "val_loss", "grad_norm"} & set(run.channels)]
    runs = [replace(run, run_id=str(k)) for k, run in enumerate(runs) if "grad_norm/a" not in run.channels]
    assert differing(score_table(table_of(runs)), rows_of(runs)) == {}


def test_an_index_keeps_layers_and_errors():
    layered = Run.from_arrays(
        {**SHOWS["exploding_gradients"], "grad_norm/a": ([3.5, 100.5], [1, 2]), "grad_norm/b": [1, 2]}, run_id="x"
    )
    table = table_of([layered, Run({}, run_id="y")])
    for name, cells in {"a": [1.0, 2.0], "a_steps": [3.5, 100.5], "b": [1.0, 2.0], "b_steps": [1.0, 2.0]}.items():
        table = table.append_column(f"grad_norm/{name}", pa.array([cells, None], pa.list_(pa.float64())))
    rows = score_table(table.append_column("error", pa.array([None, "cut off"])))
    assert differing(rows.slice(0, 1), rows_of([layered])) == {}
    assert (
        rows.slice(1).to_pylist()[0] | {"run_id": "y", "status": "error", "message": "cut off"} == rows.to_pylist()[1]
    )
    assert rows["status"].to_pylist() == ["ok", "error"]


def slow_rows(lists, **options):
    """Rows of a table of lists the long way round."""
    return rows_of([Run.from_arrays(channels, run_id=str(k), **options) for k, channels in enumerate(lists)])


def test_numbers_of_every_kind():
    whole = np.round(decay(40) * 100).astype(int)
    expected = slow_rows([{"train_loss": whole.astype(float), "val_loss": whole + 3.0}])
    for kind in (pa.int16(), pa.int64(), pa.uint32(), pa.float32(), pa.float64()):
        columns = {
            "train_loss": pa.array([whole], pa.list_(kind)),
            "val_loss": pa.array([whole + 3], pa.large_list(kind)),
        }
        assert differing(score_table(pa.table(columns)), expected) == {}


def test_missing_points_keep_their_place():
    gaps = [None if k % 7 == 3 else x for k, x in enumerate(LOSS)]
    table = pa.table({"train_loss": [gaps, LOSS, None], "val_loss": [LOSS, gaps, gaps]})
    lists = [{"train_loss": gaps, "val_loss": LOSS}, {"train_loss": LOSS, "val_loss": gaps}, {"val_loss": gaps}]
    assert differing(score_table(table), slow_rows(lists)) == {}


def test_missing_steps_drop_their_points():
    steps = [None if k % 9 == 2 else x for k, x in enumerate(STEPS.tolist())]
    table = pa.table({"train_loss": [LOSS, LOSS], "train_loss_steps": [steps, None]})
    assert differing(score_table(table), slow_rows([{"train_loss": (steps, LOSS)}, {"train_loss": LOSS}])) == {}


def test_channels_logged_at_other_intervals_share_an_axis():
    table = pa.table({"train_loss": [LOSS, LOSS], "val_loss": [LOSS[:20], LOSS[:50]]})
    lists = [{"train_loss": LOSS, "val_loss": LOSS[:20]}, {"train_loss": LOSS, "val_loss": LOSS[:50]}]
    rows = score_table(table)
    assert differing(rows, slow_rows(lists)) == {}
    assert rows["steps_max"].to_pylist() == [60.0, 60.0]


def test_one_list_of_steps_serves_all_lists_of_its_length():
    steps = (10 * STEPS).tolist()
    table = pa.table(
        {"step": [steps, None, steps], "train_loss": [LOSS, LOSS, LOSS], "val_loss": [LOSS, LOSS, LOSS[:55]]}
    )
    lists = [
        {"train_loss": (steps, LOSS), "val_loss": (steps, LOSS)},
        {"train_loss": LOSS, "val_loss": LOSS},
        {"train_loss": (steps, LOSS), "val_loss": LOSS[:55]},
    ]
    assert differing(score_table(table), slow_rows(lists)) == {}


def test_own_steps_win_over_shared_ones():
    own, shared = (5 * STEPS).tolist(), (7 * STEPS).tolist()
    table = pa.table({"step": [shared, shared], "train_loss": [LOSS, LOSS], "train_loss_steps": [own, None]})
    assert score_table(table)["steps_max"].to_pylist() == [300.0, 420.0]


def test_steps_that_go_back_are_repaired_and_said():
    again = [*STEPS[:40], *STEPS[30:50]]
    same = [5.0] * 60
    steps = [STEPS.tolist(), again, same, [*STEPS[:59], 59.0]]
    table = pa.table({"train_loss": [LOSS] * 4, "train_loss_steps": steps})
    rows = score_table(table)
    assert differing(rows, slow_rows([{"train_loss": (one, LOSS)} for one in steps])) == {}
    assert [text.partition(",")[0] for text in rows["message"].to_pylist()] == [
        "",
        "train_loss: resumed at step 31",
        "train_loss: every point has step 5",
        "train_loss: repeated steps",
    ]


def test_a_loss_counted_in_other_units_is_spread():
    table = pa.table(
        {
            "train_loss": [LOSS, LOSS],
            "train_loss_steps": [(100 * STEPS).tolist(), STEPS.tolist()],
            "val_loss": [LOSS, LOSS],
            "val_loss_steps": [STEPS.tolist()] * 2,
        }
    )
    first, second = score_table(table)["message"].to_pylist()
    assert first.startswith("val_loss is counted in other units")
    assert second == ""


def test_a_hidden_nan_is_found_in_columns_too():
    hidden, norms = [*LOSS[:40], *[0.0] * 20], [*[1.0] * 40, *[np.nan] * 20]
    lists = [{"train_loss": loss, "grad_norm": norms} for loss in (hidden, LOSS)] + [{"train_loss": hidden}]
    table = pa.table({name: [one.get(name) for one in lists] for name in ("train_loss", "grad_norm")})
    rows = score_table(table)
    assert rows["labels"].to_pylist() == [list(d.labels) for d in predict_pathology(lists)]
    assert ["non_finite" in labels for labels in rows["labels"].to_pylist()] == [True, False, False]
    assert "first at step 41: taken as NaN" in rows["message"][0].as_py()


def test_names_pass_the_alias_table():
    table = pa.table({"loss": [LOSS], "valid_loss": [LOSS], "accuracy": [LOSS], "learning_rate": [LOSS]})
    rows = score_table(table)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from curveclinic.intake.door import runs_from
    assert differing(rows, rows_of(runs_from(table)[0])) == {}
    assert "train_loss <- loss" in rows["message"][0].as_py()


def test_names_that_compete_are_chosen_row_by_row():
    """A bare `loss` counts unless a real `train_loss` is beside it: lengths decide."""
    columns = {
        "loss": [LOSS, LOSS, None, []],
        "train_loss": [[0.5], LOSS, LOSS, LOSS],
        "box_loss": [LOSS] * 4,
        "val_loss": [LOSS] * 4,
        "val_acc": [LOSS, None, [0.5], LOSS],
        "val_f1": [[0.5], LOSS, LOSS, LOSS],
    }
    table = pa.table({name: pa.array(cells, pa.list_(pa.float64())) for name, cells in columns.items()})
    from curveclinic.intake.door import runs_from

    rows = score_table(table)
    assert differing(rows, rows_of(runs_from(table)[0])) == {}
    assert ["train_loss <- loss" in text for text in rows["message"].to_pylist()] == [True, False, False, False]


def test_the_same_channel_from_different_columns():
    """Rows of two loggers in one table."""
    columns = {"val_loss": [LOSS, None, LOSS], "valid_loss": [None, LOSS, None], "train_loss": [LOSS] * 3}
    table = pa.table({name: pa.array(cells, pa.list_(pa.float64())) for name, cells in columns.items()})
    rows = score_table(table)
    assert rows["message"].to_pylist() == ["", "val_loss <- valid_loss", ""]
    assert rows["unchecked"][0] == rows["unchecked"][1]


def test_norms_of_layers_are_not_lost():
    table = pa.table({"train_loss": [LOSS], "grad_norm": [LOSS], "grad_norm/a": [LOSS], "grad_norm/b": [[1.0] * 60]})
    from curveclinic.intake.door import runs_from

    assert differing(score_table(table), rows_of(runs_from(table)[0])) == {}


def test_unusable_rows_keep_their_name():
    table = pa.table(
        {
            "run_id": ["a", "b", None, "d"],
            "path": ["p/a", "p/b", "p/c", "p/d"],
            "format": ["csv"] * 4,
            "train_loss": [LOSS, [], None, LOSS],
            "lr": [LOSS, LOSS, LOSS, None],
        }
    )
    rows = score_table(table)
    assert rows["status"].to_pylist() == ["ok", "error", "error", "ok"]
    assert rows["run_id"].to_pylist() == ["a", "b", "2", "d"]
    assert rows["path"].to_pylist() == ["p/a", "p/b", "p/c", "p/d"]
    assert rows["format"].to_pylist() == ["csv"] * 4
    assert rows["message"].to_pylist()[1].startswith("no point in 'train_loss'")
    assert rows["message"].to_pylist()[2].startswith("no loss column; found 'lr'")
    assert rows["labels"].to_pylist()[1] == []


def test_every_row_unusable():
    table = pa.table({"train_loss": pa.array([None, None], pa.list_(pa.float64()))})
    assert score_table(table)["status"].to_pylist() == ["error", "error"]
    nothing = score_table(pa.table({"val_loss": [[], [1.0]]}))
    assert nothing["verdict"].to_pylist() == [None, "undetermined"]


def test_what_is_not_finite_is_data():
    bad = [*LOSS[:30], *[np.nan] * 30]
    stored = [*LOSS[:59], 1.7976931348623157e308]
    rows = score_table(pa.table({"train_loss": [bad, stored, [np.nan] * 60, [1.0]]}))
    lists = [{"train_loss": x} for x in (bad, stored, [np.nan] * 60, [1.0])]
    assert differing(rows, slow_rows(lists)) == {}
    assert [labels[:1] for labels in rows["labels"].to_pylist()] == [["non_finite"]] * 3 + [[]]


def test_null_lists_that_point_at_numbers_are_absent():
    offsets, mask = pa.array([0, 60, 120]), pa.array([True, False])
    hidden = pa.ListArray.from_arrays(offsets, pa.array(LOSS + LOSS), mask=mask)
    rows = score_table(pa.table({"train_loss": [LOSS, LOSS], "val_loss": hidden}))
    assert differing(rows, slow_rows([{"train_loss": LOSS}, {"train_loss": LOSS, "val_loss": LOSS}])) == {}


def test_classes_and_goal_of_the_call_win():
    table = pa.table({"train_loss": [LOSS], "val_metric": [LOSS], "metric_goal": ["max"], "num_classes": [10]})
    expected = slow_rows([{"train_loss": LOSS, "val_metric": LOSS}], num_classes=3, metric_goal="min")
    assert differing(score_table(table, num_classes=3, metric_goal="min"), expected) == {}


def test_a_wide_table_is_one_run():
    rows = score_table(pa.table({"train_loss": LOSS, "val_loss": LOSS}))
    assert rows.num_rows == 1
    assert rows["n_points"].to_pylist() == [60]


@pytest.mark.parametrize("kind", ["lists", "wide", "empty"])
def test_a_record_batch_is_a_table(kind):
    tables = {
        "lists": pa.table({"train_loss": [LOSS, LOSS], "val_loss": [LOSS, LOSS[::-1]]}),
        "wide": pa.table({"train_loss": LOSS, "val_loss": LOSS[::-1]}),
        "empty": pa.table({"train_loss": pa.array([], pa.list_(pa.float64()))}),
    }
    table = tables[kind]
    (batch,) = table.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
    assert score_table(batch).equals(score_table(table))


def test_no_rows():
    assert score_table(pa.table({"train_loss": pa.array([], pa.list_(pa.float64()))})).schema == schema()
    assert score_runs([]).schema == schema()


@pytest.mark.parametrize("options", [{"metric_goal": "best"}, {"num_classes": 1}])
def test_impossible_options_are_refused(options):
    with pytest.raises(InputError):
        score_table(pa.table({"train_loss": [healthy()["train_loss"]]}), **options)


@pytest.mark.parametrize("what", [None, [1.0, 2.0], {"train_loss": [2.0, 1.0]}])
def test_what_is_no_arrow_table_is_refused(what):
    with pytest.raises(InputError, match=f"found {type(what).__name__}, expected a pyarrow table"):
        score_table(what)


@pytest.mark.parametrize("steps", ["train_loss_steps", "step"])
def test_a_row_with_fewer_steps_than_values_is_an_error(steps):
    table = pa.table({"train_loss": [LOSS, LOSS], steps: [STEPS, STEPS[:50]]})
    reason = f"train_loss: 50 steps ({steps}) but 60 values; give one step for every value"
    assert [row["message"] for row in score_table(table).to_pylist()] == ["", reason]
    assert score_table(table)["status"].to_pylist() == ["ok", "error"]
    assert [d.message for d in predict_pathology(table)] == ["", reason]


def test_a_setting_named_like_steps_is_no_axis():
    table = pa.table({"train_loss": [LOSS, LOSS], "num_steps": [[1000], [1000]]})
    assert score_table(table)["n_points"].to_pylist() == [60, 60]


def test_steps_that_fit_one_list_may_leave_out_another():
    table = pa.table({"train_loss": [LOSS], "val_loss": [LOSS[1::2]], "step": [STEPS * 10]})
    (row,) = score_table(table).to_pylist()
    assert (row["status"], row["steps_max"]) == ("ok", 600)
    assert row["message"] == "val_loss: 30 values without steps, taken as one every 2 of the 60 steps logged"

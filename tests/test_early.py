"""The streaming benchmark: its policies and counts on hand-made cases."""

from __future__ import annotations

from pathlib import Path

import early
import numpy as np
import pytest
import stop_policies
from streams import Stream, runs_of, until_share

from curveclinic.labels import LABELS
from curveclinic.run import Run
from curveclinic.synth.generate import generate

OVERFITTING, SPIKES = LABELS.index("overfitting"), LABELS.index("loss_spikes")


def reference(values, patience):
    """Keras' callback, line by line: wait counts the checks since the best one, `epoch > 0` guards the first."""
    best, wait, kept = np.inf, 0, 0
    for epoch, current in enumerate(values):
        wait += 1
        if current < best:
            best, wait, kept = current, 0, epoch
            continue
        if wait >= patience and epoch > 0:
            return kept, epoch
    return kept, len(values) - 1


@pytest.mark.parametrize("patience", [1, 3, 10])
def test_early_stopping_does_what_keras_does(patience):
    rng = np.random.default_rng(patience)
    val = [np.round(np.cumsum(rng.normal(-0.05, 0.3, n)), 1) for n in rng.integers(2, 60, 200)]
    stop = stop_policies.early_stopping(val, patience)
    assert [*zip(stop.kept, stop.ended, strict=True)] == [reference(v, patience) for v in val]


def test_an_equal_loss_is_no_improvement():
    stop = stop_policies.early_stopping([np.array([1.0, 1.0, 1.0, 1.0, 0.5])], 3)
    assert (stop.kept[0], stop.ended[0]) == (0, 3)


def overfit_run():
    step = np.arange(1.0, 61.0)
    train = 2 * np.exp(-step / 10) + 0.01
    val = 2 * np.exp(-step / 10) + 0.3 + np.maximum(0, step - 30) * 0.02
    return Run.from_arrays({"train_loss": train, "val_loss": val})


def test_the_first_finding_ends_the_run_and_keeps_the_minimum():
    run = overfit_run()
    stop = stop_policies.first_finding([run])
    lowest = int(run.channels["val_loss"].values.argmin())
    assert abs(stop.kept[0] - lowest) <= 1
    assert lowest < stop.ended[0] < 59


def test_without_a_finding_the_last_checkpoint_is_kept():
    run = Run.from_arrays({name: 2 * np.exp(-np.arange(40) / 8) + 1 for name in ("train_loss", "val_loss")})
    stop = stop_policies.first_finding([run])
    assert (stop.kept[0], stop.ended[0]) == (39, 39)


def test_regret_is_a_share_of_the_drop():
    clean = np.array([3.0, 1.0, 2.0])
    assert stop_policies.regret_of(clean, 2) == pytest.approx(0.5)
    assert stop_policies.regret_of(clean, 1) == 0.0


def stream(found, degree, onset=np.nan, serious=True):
    """One run, one label (overfitting) over the prefixes."""
    shape = (len(found), 1, len(LABELS))
    arrays = np.zeros(shape, dtype=bool), np.zeros(shape)
    for array, values in zip(arrays, (found, degree), strict=True):
        array[:, 0, OVERFITTING] = values
    onsets = np.full(shape[1:], np.nan)
    onsets[0, OVERFITTING] = onset
    return Stream(arrays[0], arrays[0] & serious, np.zeros(shape[:2], dtype=bool), arrays[1], onsets)


def values_of(rows, who="all"):
    return {r["measure"]: r["value"] for r in rows if r["who"] == who}


def test_delay_counts_from_the_onset_to_the_first_prefix_after_it():
    found = [1, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    degree = [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    seen = values_of(early.detection(stream(found, degree, onset=0.35), ""), "overfitting")
    assert (seen["delay_median"], seen["found"]) == (pytest.approx(0.25), 1.0)


def test_a_label_never_found_is_missed():
    seen = values_of(early.detection(stream([0] * 10, [1] * 10, onset=0.1), ""))
    assert seen["found"] == 0.0
    assert np.isnan(seen["delay_median"])


def test_alarms_are_counted_against_the_truth_of_the_prefix():
    clearly_wrong = stream([0, 1, 1, 0, 0, 0, 0, 0, 0, 0], [0] * 10)
    assert values_of(early.alarms(clearly_wrong, ""))["false_alarm"] == 1.0
    assert values_of(early.alarms(clearly_wrong, ""))["confirmed_serious"] == 1.0
    arguable = stream([0, 1, 0, 0, 0, 0, 0, 0, 0, 0], [0.3] * 10)
    assert values_of(early.alarms(arguable, ""))["false_alarm"] == 0.0
    assert values_of(early.alarms(arguable, ""))["doubtful"] == 1.0
    right = stream([0, 1, 0, 0, 0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    assert values_of(early.alarms(right, ""))["doubtful"] == 0.0


@pytest.mark.parametrize(
    ("found", "degree", "count"),
    [
        ([0, 0, 1, 1, 1], [0, 1, 1, 1, 1], 0),  # found late: a delay
        ([0, 1, 0, 1, 1], [1, 1, 1, 1, 1], 2),  # taken back and found again
        ([0, 1, 0, 0, 0], [0, 1, 0, 0, 0], 0),  # the truth goes, too
        ([0, 1, 0, 0, 0], [0, 0, 0, 0, 0], 2),  # a false alarm comes and goes
        ([0, 1, 0, 1, 0], [0.3] * 5, 0),  # arguable
    ],
)
def test_flaps(found, degree, count):
    assert values_of(early.flaps(stream(found, degree), ""))["flaps_per_run"] == count


def test_undertrained_is_no_alarm_and_no_flap():
    s = stream([0] * 5, [0] * 5)
    s.found[1, 0, LABELS.index("undertrained")] = True
    assert values_of(early.alarms(s, ""))["doubtful"] == 0.0
    assert values_of(early.flaps(s, ""))["changes_per_run"] == 0.0


def test_prefixes_of_logged_runs_keep_their_points():
    run = overfit_run()
    half = until_share(run, 0.5)
    assert half.channels["val_loss"].steps[-1] == 30.0
    assert len(half.channels["train_loss"]) == 30


def test_runs_of_a_batch_are_the_runs():
    sample = generate(2, 32, max_points=200)
    runs = runs_of(sample.batch)
    channel = sample.batch.channels["train_loss"]
    for i in (0, 31):
        np.testing.assert_array_equal(
            runs[i].channels["train_loss"].values, channel.values[channel.offsets[i] : channel.offsets[i + 1]]
        )


def test_held_out_families_are_those_of_the_training():
    source = (Path(__file__).parent.parent / "train.py").read_text()
    listed = source.split("HELD_OUT = (")[1].split(")")[0]
    assert all(f'"{name}"' in listed for name in early.HELD_OUT)
    assert listed.count('"') == 2 * len(early.HELD_OUT)

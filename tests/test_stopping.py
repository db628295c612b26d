import numpy as np
import pytest
from hand_curves import SHOWS, decay, healthy

from curveclinic import predict_pathology
from curveclinic.deciding.judging import judged
from curveclinic.deciding.kinds import Kinds
from curveclinic.deciding.stopping import averaged_points, stop_steps
from curveclinic.labels import COLUMN
from curveclinic.ragged import Batch, Ragged
from curveclinic.report.evidence import evidence
from curveclinic.run import Run
from curveclinic.scoring import score_runs


def stop_step(values, low_step, averaged, settled=False):
    """The answer for one run, and the same one in the middle of a batch."""
    one, other = (
        (1.0 + np.arange(len(v)), np.asarray(v, dtype=float)) for v in (values, [np.nan, *valley(300, 200), np.inf])
    )
    alone = stop_steps(Ragged.from_list([one]), np.array([low_step]), np.array([averaged]), settled=np.array([settled]))
    nothing = (np.empty(0), np.empty(0))
    batch = Ragged.from_list([other, nothing, one, other])
    others = np.array([False, False, settled, False])
    low_steps, sizes = np.array([202.0, 5.0, low_step, np.nan]), np.array([1.0, 1.0, averaged, 9.0])
    among = stop_steps(batch, low_steps, sizes, settled=others)
    np.testing.assert_array_equal(among, [202.0, np.nan, alone[0], 202.0])
    return alone[0]


def valley(n=200, low=80):
    """Falls to 1.0 at step `low` + 1, then rises."""
    x = np.arange(n) - low
    return 1.0 + np.where(x < 0, 1e-4, 5e-5) * x**2


@pytest.mark.parametrize(("n", "low"), [(9, 3), (60, 20), (128, 50), (1000, 400)])
def test_of_a_clean_curve_the_lowest_point(n, low):
    assert stop_step(valley(n, low), low + 1.0, 1.0) == low + 1


def test_the_lowest_logged_step_beside_the_smooth_minimum():
    """The smooth level of 1,000 points has 128 places: the lowest point lies within one of them."""
    assert stop_step(valley(1000, 400), 405.0, 1.0) == 401


def test_a_lone_dip_far_up_the_rise_is_not_the_valley():
    values = valley()
    values[150] = 0.5
    assert stop_step(values, 83.0, 9.0) == 81


def test_a_lone_dip_in_the_valley_counts_as_its_neighbours():
    values = valley()
    values[76] = 0.5
    assert stop_step(values, 81.0, 9.0) == 81


def test_a_restored_best_row_is_not_the_end():
    values = np.append(valley(), 1.0)
    assert stop_step(values, 201.0, 1.0) == 81


@pytest.mark.parametrize(("n", "kept"), [(12, 10), (14, 5), (28, 10)])
def test_of_more_than_a_dozen_points_a_lone_dip_is_not_the_valley(n, kept):
    low = n // 3
    values = valley(n, low)
    values[n - 3] = 0.5
    assert stop_step(values, low + 1.0, 1.0) == kept


def test_nan_is_skipped_and_nothing_finite_is_none():
    values = valley()
    values[80], values[120:] = np.nan, np.nan
    assert stop_step(values, 81.0, 1.0) in (80, 82)
    assert np.isnan(stop_step([np.nan, np.inf], 1.0, 1.0))


def test_averaged_points_are_at_least_one():
    q = {"v_drop_snr": np.array([30.0, 5.0, np.nan, 1.0]), "v_drop_noise": np.array([10.0, 50.0, 1.0, 0.0])}
    assert averaged_points(q).tolist() == [9.0, 1.0, 1.0, 1.0]


def test_a_diagnosis_of_overfitting_says_what_to_keep():
    d = predict_pathology(SHOWS["overfitting"])
    val = SHOWS["overfitting"]["val_loss"]
    assert abs(d.stop_at - (val.argmin() + 1)) <= 3
    assert d.to_dict()["stop_at"] == d.stop_at
    assert f"keep the checkpoint of step {d.stop_at:g}" in str(d)
    assert f"keep the checkpoint of step {d.stop_at:g}" in d._repr_html_()


def noisy_overfitting(seed):
    """Noise of an eighth of the drop about a valley at step 81: the lowest single value strays."""
    val = valley() + 0.08 * np.random.default_rng(seed).standard_normal(200)
    return {"train_loss": decay(200, 2.0, 0.05), "val_loss": val}


def test_one_report_names_one_step_of_the_valley():
    """The checkpoint to keep, the onset and the sentence agree; the lowest single value is called just that."""
    strayed = 0
    for seed in range(12):
        curves = noisy_overfitting(seed)
        d = predict_pathology(curves)
        onset, sentence = next((f.onset, f.evidence) for f in d.findings if f.label == "overfitting")
        assert d.stop_at == onset
        lowest = int(curves["val_loss"].argmin()) + 1
        if lowest == onset:
            assert sentence.startswith(f"val loss was lowest at {curves['val_loss'].min():.4g} (step {lowest})")
        else:
            strayed += 1
            assert sentence.startswith(
                f"noise aside, val loss was lowest around step {onset:g} (its lowest single value is "
                f"{curves['val_loss'].min():.4g}, at step {lowest}) and ends "
            )
        assert f"from step {d.stop_at:g} on" in str(d)
    assert strayed >= 3


@pytest.mark.parametrize("n", [12, 50, 200, 1000])
@pytest.mark.parametrize("noise", [0.0, 0.001, 0.01])
def test_a_val_loss_that_settles_begins_to_overfit_where_it_has_settled(n, noise):
    """Its lowest place is anywhere in the second half, without noise the last point of all."""
    x, runs = np.arange(n) / n, []
    for seed in range(40):
        scatter = 1 + noise * np.random.default_rng(seed).standard_normal((2, n))
        train, val = 2 * np.exp(-4 * x) + 0.02, 1 + 1.2 * np.exp(-12 * x)
        runs.append(Run.from_arrays({"train_loss": train * scatter[0], "val_loss": val * scatter[1]}))
    batch = Batch.from_runs(runs)
    found = judged(batch, None, Kinds.of([run.kind for run in runs]))
    assert found.rules.present[:, COLUMN["overfitting"]].mean() >= 0.95
    share = found.stop_at[found.rules.present[:, COLUMN["overfitting"]]] / n
    assert np.quantile(share, 0.1) >= 0.3
    assert np.quantile(share, 0.9) <= 0.6


def test_the_sentence_on_a_val_loss_that_settles_says_how_much_was_still_to_gain():
    x = np.arange(100) / 100
    run = Run.from_arrays({"train_loss": 2 * np.exp(-4 * x) + 0.02, "val_loss": 1 + 1.2 * np.exp(-12 * x)})
    assert evidence("overfitting", run, onset=45.0).startswith(
        "val loss was at 1.006 by step 45, got no lower than 1 (at step 100) and ends near 1"
    )


def test_rows_begin_overfitting_where_diagnoses_do():
    runs = [Run.from_arrays(noisy_overfitting(seed)) for seed in range(12)]
    rows = score_runs(runs)
    assert rows["primary"].to_pylist() == ["overfitting"] * 12
    assert rows["onset"].to_pylist() == [predict_pathology(run).stop_at for run in runs]


@pytest.mark.parametrize("curves", [healthy(), {"train_loss": decay(40)}, SHOWS["divergence"]])
def test_without_overfitting_nothing_is_kept(curves):
    d = predict_pathology(curves)
    assert "overfitting" not in d.labels
    assert d.stop_at is None
    assert "checkpoint of step" not in str(d)


def test_the_kept_step_is_near_the_true_minimum_of_a_noisy_curve():
    """Noise of a quarter of the drop: the raw minimum strays up the rise, what is kept does not."""
    rng = np.random.default_rng(5)
    train = decay(200, 2.0, 0.05)
    off = []
    for _ in range(20):
        val = valley() + 0.15 * rng.standard_normal(200)
        d = predict_pathology({"train_loss": train, "val_loss": val})
        if d.stop_at is not None:
            off.append(valley()[int(d.stop_at) - 1] - 1.0)
    assert len(off) >= 10
    assert np.mean(off) < 0.05

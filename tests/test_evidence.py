import re

import numpy as np
import pytest
from hand_curves import BENIGN, HOSTILE, SHOWS, decay, noise

from curveclinic.labels import LABELS
from curveclinic.phrases import move
from curveclinic.predict import predict_pathology
from curveclinic.report.evidence import evidence
from curveclinic.run import Run

NUMBER = r"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]?\d+)?"
DERIVED = re.compile(
    rf"\(?{NUMBER} %(?: to {NUMBER} %)?|\(ratio {NUMBER}\)|: {NUMBER} to 1$|over {NUMBER} points|"
    rf"every {NUMBER} points|autocorrelation {NUMBER}|{NUMBER} of its {NUMBER} points|neighbours by {NUMBER}|"
    rf"train loss by {NUMBER}(?=:|$| while)|among {NUMBER} classes costs {NUMBER}"
)
"""What is computed from several points: shares, ratios, counts, jitters. The rest must be logged values or steps."""


def run_of(curves, **options):
    return Run.from_arrays(curves, **options)


def say(label, curves, **options):
    return evidence(label, run_of(curves), **options)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("name", [*SHOWS, *BENIGN])
def test_quoted_numbers_are_logged_values_or_steps(label, name):
    run = run_of(SHOWS.get(name) or BENIGN[name])
    sentence = DERIVED.sub("", evidence(label, run))
    # what moves by little is told in more digits
    values = {f"{v:.{k}g}" for s in run.channels.values() for v in s.values if np.isfinite(v) for k in range(4, 8)}
    steps = [float(step) for s in run.channels.values() for step in s.steps]
    span = steps and (min(steps), max(steps))
    for token in re.findall(NUMBER, sentence):
        number = float(token.replace(",", ""))
        assert token in values or (span and span[0] <= number <= span[1]), (token, sentence)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_any_label_can_be_explained_on_any_input(label, name):
    sentence = say(label, HOSTILE[name], onset=3.0, end=9.0)
    assert sentence
    assert "\n" not in sentence


def test_overfitting():
    val = np.r_[np.linspace(2.0, 0.4, 21), np.linspace(0.42, 1.2, 40)]
    sentence = say("overfitting", {"train_loss": decay(61, 2.0, 0.05), "val_loss": val})
    low, start, end = val.min(), val[0], np.sort(val[-3:])[1]
    assert f"lowest at {low:.4g} (step 21) and ends near {end:.4g}" in sentence
    assert f"takes back {100 * (end - low) / (start - low):.0f} % of its drop from {start:.4g}" in sentence
    assert "while train loss fell from" in sentence


def test_overfitting_that_takes_back_more_than_all_is_no_share():
    val = np.r_[np.linspace(2.0, 0.4, 21), np.linspace(0.42, 3.0, 40)]
    sentence = say("overfitting", {"train_loss": decay(61, 2.0, 0.05), "val_loss": val})
    assert f"ends near {np.sort(val[-3:])[1]:.4g}, above its start of {val[0]:.4g}, while train" in sentence


def test_overfitting_that_only_the_last_points_show_quotes_them():
    val = decay(84, 2.0, 0.3)
    val[-2:] = 1.3
    sentence = say("overfitting", {"train_loss": decay(84), "val_loss": val})
    assert "of its drop from 2, with a highest value since of 1.3 at step 83, while train loss" in sentence


def test_a_steep_descent_starts_at_its_first_point_and_noise_at_its_middle():
    steep, noise = 2.0 * 0.8 ** np.arange(60) + 0.1, 2.0 + 0.1 * np.resize([1.0, -1.0, 0.4, -0.3, 0.1], 60)
    for label in ("train_stalled_val_falls", "underfitting"):
        said = [say(label, {"train_loss": loss, "val_loss": steep}) for loss in (steep, noise)]
        assert said[0].startswith("train loss fell from 2.1 to 0.1")
        assert said[1].startswith("train loss fell from 2.04 to 2.01")


def test_a_loss_that_is_not_learning_is_told_by_its_medians():
    loss = np.r_[5.0, 2.0 + 0.1 * np.resize([1.0, -1.0, 0.4, -0.3, 0.1], 59)]
    assert say("not_learning", {"train_loss": loss}).startswith("train loss fell from 2.1 to 1.97 over 60 points")


def test_beside_a_loss_that_is_not_learning_its_metric_is_told():
    loss = np.r_[2.5, np.full(29, 2.3)]
    still, risen = (
        say("not_learning", {"train_loss": loss, "val_metric": metric})
        for metric in (np.full(30, 0.1), np.linspace(0.1, 0.4, 30))
    )
    assert still.endswith("by 0; val metric stayed at about 0.1")
    assert risen.endswith("by 0; val metric rose from 0.1 to 0.4")


def test_overfitting_beside_a_train_loss_that_rose_a_little_does_not_say_that_it_rose():
    train = decay(30, 2.0, 0.1)
    train[-1] = 0.15
    sentence = say("overfitting", {"train_loss": train, "val_loss": np.r_[decay(20), np.linspace(0.6, 2.0, 10)]})
    assert sentence.endswith(f"while train loss ends at 0.15 after a lowest of {train.min():.4g}")


def test_overfitting_of_a_val_loss_that_never_fell_has_no_share():
    sentence = say("overfitting", {"train_loss": decay(30), "val_loss": np.linspace(1, 2, 30)})
    assert sentence.startswith("val loss was lowest at 1 (step 1) and ends at 2, while train loss fell")


def test_a_blow_up_to_the_last_point_is_not_said_to_end_after_its_highest_value():
    loss = np.r_[decay(40), 0.5 + 0.1 * np.arange(1, 41) ** 2]
    low, end = loss.min(), loss[-3]  # the lower median of the last four points
    assert say("divergence", {"train_loss": loss}) == (
        f"train loss was lowest at {low:.4g} (step 40) and ends near {end:.4g}, "
        f"with a highest value of {loss[-1]:.4g} at step 80; it started at {loss[0]:.4g}"
    )


def test_a_loss_that_is_lowest_at_its_first_point_is_not_said_to_have_started_elsewhere():
    loss = np.r_[-2.2, -2.0, -2.1, np.linspace(-2.0, 3.0, 57)]
    assert say("divergence", {"train_loss": loss}) == (
        f"train loss was lowest at its first value of -2.2 (step 1) and ends near {loss[-2]:.4g}, "
        "with a highest value of 3 at step 60"
    )
    assert say("no_generalization", {"train_loss": decay(60), "val_loss": loss}).endswith(
        f" while val loss never got below its first value of -2.2 and ends near {loss[-2]:.4g}"
    )


def test_what_a_loss_started_at_is_its_first_value():
    loss = np.r_[2.6, 2.2, 2.3, np.linspace(2.4, 3.0, 57)]
    assert say("divergence", {"train_loss": loss}).endswith("; it started at 2.6")
    assert "val loss started at 2.6, never got below 2.2 (step 2)" in say(
        "no_generalization", {"train_loss": decay(60), "val_loss": loss}
    )


@pytest.mark.parametrize("scale", [0.1, 1.0, 1.2])
def test_a_val_loss_that_jitters_no_more_than_train_is_not_said_to(scale):
    train, val = decay(60, 9.0) + noise(60, 0.2), 0.3 + scale * noise(60, 0.2)
    sentence = say("noisy_validation", {"train_loss": train, "val_loss": val})
    assert " to 1" not in sentence
    assert re.search(
        r"^a point of val loss .* while val loss .*; one of train loss by .* while train loss fell", sentence
    )
    much = say("noisy_validation", {"train_loss": train, "val_loss": val * 20 / scale})
    assert float(re.search(r": ([\d.]+) to 1$", much)[1]) > 1.5


def test_undertrained():
    loss = np.linspace(2.0, 1.0, 11)
    assert say("undertrained", {"train_loss": loss, "val_loss": loss + 1}) == (
        "train loss fell from 1.2 to 1 since step 9 (20 % of its whole drop) and "
        "val loss fell from 2.2 to 2 since step 9 (20 % of its whole drop)"
    )


def test_steps_in_a_sentence_are_logged_ones():
    steps = np.arange(20, 1201, 20)
    sentence = say("undertrained", {"train_loss": (steps, np.linspace(2.0, 1.0, 60))})
    assert "since step 960 (" in sentence


def test_one_point_that_is_not_finite():
    assert say("non_finite", {"train_loss": [1.0, np.nan, 0.5]}).endswith("1 of its 3 points is not finite")


def test_non_finite():
    curves = {"train_loss": [1.0, np.nan, 0.5, np.nan], "val_loss": [1.0, 2.0, np.inf, 3.0]}
    assert say("non_finite", curves) == (
        "train loss is NaN at step 2, 2 of its 4 points are not finite; "
        "val loss is Inf at step 3, 1 of its 4 points is not finite"
    )


def test_spikes_quote_the_highest_one_and_what_is_around_it():
    sentence = say("val_spikes", SHOWS["val_spikes"])
    val, train = SHOWS["val_spikes"]["val_loss"], SHOWS["val_spikes"]["train_loss"]
    top = 30 if val[30] > val[60] else 60
    assert f"to {val[top]:.4g} at step {top + 1}" in sentence or f"at step {91 - top}" in sentence
    assert "train loss is at" in sentence
    assert len(train) == len(val)


def run_and_say(label, curves, onset, **options):
    return evidence(label, run_of(curves, **options), onset=onset)


def test_a_metric_that_stays_at_chance_is_not_said_to_rise_with_a_falling_loss():
    metric = 10.0 + noise(60, 0.2)
    curves = {"train_loss": decay(60, 2.0, 0.1), "val_loss": decay(60, 2.0, 0.3), "val_metric": metric}
    for goal, words in (("max", "larger is better"), ("min", "smaller is better")):
        sentence = run_and_say("metric_mismatch", curves, 1.0, metric_goal=goal)
        assert sentence.startswith("since step 1 val loss fell from")
        assert sentence.endswith(f" while val metric stays between {metric.min():.4g} and {metric.max():.4g} ({words})")


def test_a_metric_that_never_moves():
    curves = {"train_loss": decay(60, 2.0, 0.1), "val_loss": decay(60, 2.0, 0.3), "val_metric": np.full(60, 0.1)}
    assert run_and_say("metric_mismatch", curves, 1.0).endswith("val metric stays at 0.1 (larger is taken for better)")


def test_a_metric_that_gets_worse_beside_a_falling_loss_says_so_with_its_goal():
    curves = {"train_loss": decay(60, 2.0, 0.1), "val_loss": decay(60, 2.0, 0.3), "val_metric": np.linspace(2, 5, 60)}
    sentence = run_and_say("metric_mismatch", curves, 1.0, metric_goal="min")
    assert re.search(r"while val metric got worse, from 2(\.\d+)? to 4\.9\d+ \(smaller is better\)$", sentence)


def test_a_metric_that_gets_better_while_the_loss_rises():
    curves = SHOWS["metric_mismatch"]
    sentence = run_and_say("metric_mismatch", curves, 25.0)
    assert re.search(r"since step 25 val loss rose from .* while val metric rose from .*\(larger is taken", sentence)
    # a loss that ends lower than it began is told from its lowest point
    assert "val loss rose from" in run_and_say("metric_mismatch", curves, 1.0)


@pytest.mark.parametrize("width", [1, 2, 10, 20])
@pytest.mark.parametrize("channel", ["train_loss", "val_loss"])
def test_a_spike_of_a_long_run_is_the_one_that_is_quoted(channel, width):
    """5,000 points, some forty a cell: the sentence and the span speak of the spike's own points."""
    curves = {"train_loss": decay(5000) + noise(5000, 0.05), "val_loss": decay(5000, 2.0, 0.7) + noise(5000, 0.05, 1)}
    loss = curves[channel]
    loss[3000 : 3000 + width] += 3.0
    label = {"train_loss": "loss_spikes", "val_loss": "val_spikes"}[channel]
    finding = next(f for f in predict_pathology(curves).findings if f.label == label)
    assert 3001 <= finding.onset <= finding.end <= 3000 + width
    top = int(loss.argmax())
    name = channel.replace("_", " ")
    pattern = rf"{name} jumps from about (\S+) to (\S+) at step (\S+) and is at (\S+) at step ([\d,]+)"
    found = re.match(pattern, finding.evidence)
    assert found[2] == f"{loss[top]:.4g}"
    assert found[3] == f"{top + 1:,}"
    level = float(np.median(loss[2900:3000]))
    assert float(found[1]) == pytest.approx(level, abs=0.1)
    assert float(found[4]) == pytest.approx(level, abs=0.2)
    assert found[5] == f"{3001 + width:,}"


def test_a_spike_outside_the_span_is_not_the_evidence():
    loss = decay(5000) + noise(5000, 0.01)
    loss[3000:3010] += 1.0
    loss[100] += 5.0
    sentence = evidence("loss_spikes", run_of({"train_loss": loss}), onset=2990.0, end=3020.0)
    assert f"to {loss[3000:3010].max():.4g} at step {3001 + int(loss[3000:3010].argmax()):,} " in sentence


def test_val_below_train_counts_points():
    train = np.full(10, 2.0)
    val = np.r_[np.full(8, 1.0), 3.0, 3.0]
    assert say("val_below_train", {"train_loss": train, "val_loss": val}) == (
        "val loss lies below train loss at 80 % of its points; typically 1 against 2"
    )


def test_val_below_train_counts_the_points_that_can_be_compared():
    curves = {"train_loss": [1.0, 0.9, 0.8, *[np.nan] * 7], "val_loss": np.r_[1.1, 0.5, 0.5, np.full(7, 2.0)]}
    assert say("val_below_train", curves).startswith(
        "val loss lies below train loss at 67 % of its 3 points among those of train loss; typically 0.5 against 0.9"
    )


def test_spikes_outside_an_estimated_span_are_quoted_where_the_span_holds_none():
    train = decay(40)
    train[4] = 7.0
    sentence = say("loss_spikes", {"train_loss": train}, onset=14.0, end=33.0)
    assert sentence.startswith("train loss jumps from about ")
    assert "to 7 at step 5 and is at" in sentence


def test_what_falls_all_along_is_not_said_to_jump():
    loss = np.round(2 * np.exp(-np.arange(1, 36) / 35 * 3) + 0.3, 4)
    loss[-1] = 7.0549
    assert say("loss_spikes", {"train_loss": loss}, onset=31.0, end=33.0) == (
        "train loss rose from 2.136 to 7.055, with a highest value of 7.055 at step 35"
    )
    assert "jumps" not in say("val_spikes", {"train_loss": decay(9), "val_loss": [1.0]})


def test_a_spike_on_a_steep_fall_jumps_from_the_point_before_it():
    loss = [8.0, 4.0, 2.0, 1.0, 1.6, 0.3, 0.2, 0.15, 0.1]
    assert say("loss_spikes", {"train_loss": loss}) == (
        "train loss jumps from about 1 to 1.6 at step 5 and is at 0.3 at step 6"
    )


def test_a_slow_start_is_told_by_the_level_before_the_fall():
    t = np.arange(100)
    loss = np.round(np.where(t < 40, 2.303, 0.2 + 2.1 * np.exp(-(t - 39.0))), 3)
    finding = next(f for f in predict_pathology({"train_loss": loss}).findings if f.label == "slow_start")
    assert (finding.onset, finding.end) == (1.0, 41.0)
    said = "train loss stayed at about 2.303 up to step 40 (39 % of the run), then fell from 2.303 to 0.2"
    assert finding.evidence == said
    loss[38] = 1.9  # a single point is no level
    assert say("slow_start", {"train_loss": loss}, onset=1.0, end=41.0) == said


def test_a_slow_start_that_ends_where_it_begins():
    assert say("slow_start", {"train_loss": [3.0, 2.0, 1.0]}, onset=1.0, end=1.0) == (
        "train loss stayed at about 3 up to step 1 (0 % of the run), then fell from 3 to 1"
    )


def test_there_is_no_share_of_a_level_where_not_all_values_are_positive():
    loss = decay(60, 2.3, 1.95, 20.0)
    assert "% of its first level) and moved only from" in say("underfitting", {"train_loss": loss})
    text = say("underfitting", {"train_loss": loss - 2.0})
    assert text.startswith("train loss fell from 0.3 to -0.05 and moved only from")
    assert "%" not in text


def test_there_is_no_ratio_where_not_all_values_are_positive():
    loss = np.r_[6.65, 3.0, decay(58, 0.09, -0.2)]
    text = say("high_initial_loss", {"train_loss": loss})
    assert "ratio" not in text
    assert text.startswith("the first train loss is 6.65, the level of steps 3 to 5 is 0.")
    assert re.search(r", after 9[5-9] % of its whole drop$", text)
    grad = {"train_loss": decay(30), "grad_norm": np.r_[np.zeros(25), 900.0, np.zeros(4)]}
    assert say("exploding_gradients", grad) == "grad norm reaches 900 at step 26, its median before step 26 is 0"


def test_high_initial_loss_quotes_the_ratio_and_chance():
    run = run_of({"train_loss": np.r_[30.0, 9.0, decay(48, 2.0, 1.0)]}, num_classes=10)
    sentence = evidence("high_initial_loss", run)
    assert "the first train loss is 30, the level of steps 3 to 5 is" in sentence
    assert "guessing among 10 classes costs 2.303" in sentence
    ratio = float(re.search(r"\(ratio ([\d.]+)\)", sentence)[1])
    assert ratio == pytest.approx(30 / 1.87, rel=0.05)


def test_undertrained_of_a_short_run_speaks_of_more_than_its_last_point():
    curves = {"train_loss": [1.99, 1.07, 0.70, 0.40, 0.22], "val_loss": [2.14, 1.05, 1.01, 0.90, 0.75]}
    assert say("undertrained", curves) == (
        "train loss fell from 0.4 to 0.22 since step 4 (10 % of its whole drop) and "
        "val loss fell from 0.9 to 0.75 since step 4 (11 % of its whole drop)"
    )


def test_exploding_gradients_quote_peak_and_median():
    sentence = say("exploding_gradients", SHOWS["exploding_gradients"])
    grad = np.sort(SHOWS["exploding_gradients"]["grad_norm"][:60])
    middle = grad[(len(grad) - 1) // 2]
    typical = f"its median before step 61 is {middle:.4g}"
    assert sentence == f"grad norm reaches 800 at step 61, {typical} (ratio {800 / middle:.3g})"


def test_exploding_gradients_that_stay_large_are_held_against_what_was_before():
    norm = [*[1.0] * 10, *[500.0] * 30, 900.0]
    sentence = say("exploding_gradients", {"train_loss": decay(41), "grad_norm": norm}, onset=11.0)
    assert sentence == "grad norm reaches 900 at step 41, its median before step 11 is 1 (ratio 900)"
    early = say("exploding_gradients", {"train_loss": decay(41), "grad_norm": norm[8:]}, onset=3.0)
    assert early == "grad norm reaches 900 at step 33, its median is 500 (ratio 1.8)"


def test_delayed_generalization_tells_when():
    sentence = say("delayed_generalization", SHOWS["delayed_generalization"], onset=5.0, end=77.0)
    assert "by step 5" in sentence
    val = SHOWS["delayed_generalization"]["val_loss"]
    assert f"still {val.max():.4g} at step {val.argmax() + 1} and falls to {val.min():.4g}" in sentence


def test_a_missing_channel_is_no_failure():
    assert say("overfitting", {"train_loss": decay(10)}) == "the logged channels hold no finite point to quote"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (1.09746, 1.09724, "fell from 1.09746 to 1.09724"),
        (2.0, 1.0, "fell from 2 to 1"),
        (-72.001, -72.0012, "fell from -72.001 to -72.0012"),
        (0.5, 0.5, "stayed at about 0.5"),
        (0.0, 0.0, "stayed at about 0"),
    ],
)
def test_a_move_is_told_in_as_many_digits_as_show_it(before, after, said):
    assert move(before, after) == said


def test_a_crawl_is_told_as_a_fall():
    falls = 1.0986 - 0.00016 * np.arange(20)
    said = say("undertrained", {"train_loss": falls, "val_loss": falls + 0.0002})
    assert "stayed" not in said
    assert "train loss fell from 1.096" in said

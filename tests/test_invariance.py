"""Answers that must not depend on how a run is written down, and evidence that can be read off the run again."""

from __future__ import annotations

import math
import re
from collections import Counter

import numpy as np
import pytest
from streams import runs_of

from curveclinic.labels import LABELS
from curveclinic.points import Series
from curveclinic.predict import predict_runs
from curveclinic.run import Run
from curveclinic.synth.generate import generate

RUNS = 300

ALLOWED = 1
"""Runs whose labels may change by the last bit of a value that lies on a threshold; none did when this was written."""

LOSSES = ("train_loss", "val_loss")


@pytest.fixture(scope="module")
def runs():
    return runs_of(generate(321, RUNS, max_points=1500).batch)


@pytest.fixture(scope="module")
def answers(runs):
    return predict_runs(runs)


def rewritten(run, *, values=lambda v: v, steps=lambda s: s, names=None):
    channels = {
        name: Series(steps(s.steps), values(s.values) if names is None or name in names else s.values)
        for name, s in run.channels.items()
    }
    return Run(channels, metric_goal=run.metric_goal)


def changed(before, after):
    """Index and labels of the runs whose label set changed."""
    pairs = enumerate(zip(before, after, strict=True))
    return [(i, a.labels, b.labels) for i, (a, b) in pairs if set(a.labels) != set(b.labels)]


def test_the_runs_show_much(answers):
    found = Counter(label for d in answers for label in d.labels)
    assert len(found) >= 18
    assert found["healthy"] >= 50
    assert any(d.verdict == "undetermined" for d in answers)


@pytest.mark.parametrize("unit", [1e-6, 1e-3, 3.7, 1e3, 1e6])
def test_units_change_no_label(runs, answers, unit):
    """(A loss that is one number for ever is the exception: ln 10 is known, 3.7 ln 10 is not.)"""
    scaled = [rewritten(run, values=lambda v: unit * v, names=LOSSES) for run in runs]
    assert len(changed(answers, predict_runs(scaled))) <= ALLOWED


def test_rounding_to_single_precision_changes_no_label(runs, answers):
    rounded = [rewritten(run, values=lambda v: v.astype(np.float32).astype(np.float64)) for run in runs]
    assert len(changed(answers, predict_runs(rounded))) <= ALLOWED


@pytest.mark.parametrize(("factor", "offset"), [(100.0, 0.0), (1.0, 5000.0), (0.01, 3.0), (391.0, -7.0)])
def test_epochs_or_iterations_change_no_label(runs, answers, factor, offset):
    other = predict_runs([rewritten(run, steps=lambda s: factor * s + offset) for run in runs])
    assert len(changed(answers, other)) <= ALLOWED
    for one, two in zip(answers, other, strict=True):
        if one.stop_at is not None and two.stop_at is not None:
            assert two.stop_at == pytest.approx(factor * one.stop_at + offset, rel=1e-9, abs=1e-6)


def test_the_order_of_channels_changes_nothing(runs, answers):
    turned = [Run(dict(reversed(run.channels.items())), metric_goal=run.metric_goal) for run in runs]
    for one, two in zip(answers, predict_runs(turned), strict=True):
        assert one.to_dict() == two.to_dict()


def test_company_changes_no_label(runs, answers):
    """Alone, among others, in another order: probabilities agree to single precision, labels exactly."""
    order = np.random.default_rng(0).permutation(RUNS)
    shuffled = predict_runs([runs[i] for i in order])
    assert changed([answers[i] for i in order], shuffled) == []
    alone = [predict_runs([run])[0] for run in runs[:60]]
    assert changed(answers[:60], alone) == []
    for one, two in zip(answers[:60], alone, strict=True):
        assert one.stop_at == two.stop_at
        assert two.probabilities == pytest.approx(dict(one.probabilities), abs=1e-4)


# Evidence, recomputed from the run with nothing of the package

NUMBER = r"(-?[\d,]+(?:\.\d+)?(?:e[+-]?\d+)?)"
MOVE = re.compile(rf"(train loss|val loss|train metric|val metric|grad norm) (fell|rose) from {NUMBER} to {NUMBER}")


def points(run, channel):
    series = run.channels[channel]
    keep = np.isfinite(series.values)
    return series.steps[keep], series.values[keep]


def middle(values):
    return np.sort(values)[(len(values) - 1) // 2]


def edges(values):
    width = max(1, int(0.05 * len(values)))
    return middle(values[:width]), middle(values[-width:])


def near(quoted, true, digits=4):
    """A number written with so many digits."""
    return math.isclose(float(quoted.replace(",", "")), true, rel_tol=0.51 * 10 ** (1 - digits), abs_tol=1e-300)


def read(pattern, sentence):
    match = re.search(pattern.replace("#", NUMBER), sentence)
    assert match, (pattern, sentence)
    return match.groups()


def quotes(words, sentence):
    """A sentence has these words with a number for #."""
    return re.search(re.escape(words).replace(r"\#", NUMBER), sentence)


def of_overfitting(run, said):
    steps, val = points(run, "val_loss")
    ended = re.search(rf"and was at {NUMBER} by step {NUMBER}", said)
    if ended:  # what came after, such as a divergence, is another finding
        by_then = steps <= 1.00001 * float(ended[2].replace(",", ""))  # quoted in six digits
        steps, val = steps[by_then], val[by_then]
    ways = "single value is #, at", "got no lower than # (at", "lowest at # ("
    quoted = next(way for way in ways if quotes(way, said))
    low, step, end = read(
        re.escape(quoted).replace(r"\#", "#") + r" ?step #\) and (?:ends at|ends near|was at) #", said
    )
    assert near(low, val.min())
    assert near(step, steps[val.argmin()], 6)
    assert near(end, edges(val)[1])
    back = re.search(rf"takes back {NUMBER} % of its drop from {NUMBER}", said)
    if back:
        middle_of_first, last = edges(val)
        start = next(level for level in (val[0], middle_of_first) if near(back[2], level))
        assert float(back[1]) == pytest.approx(100 * (last - val.min()) / (start - val.min()), rel=0.06, abs=0.6)


def of_divergence(run, said):
    steps, train = points(run, "train_loss")
    low, step, end = read(r"lowest at (?:its first value of )?# \(step #\) and ends (?:at|near) #", said)
    assert near(low, train.min())
    assert near(step, steps[train.argmin()], 6)
    assert near(end, edges(train)[1])
    assert ("first value" in said) == (train.argmin() == 0)
    assert train.argmin() == 0 or near(read(r"started at #$", said)[0], train[0])


def of_not_learning(run, said):
    _, train = points(run, "train_loss")
    count, jitter = read(r"over # points; .* by #(?:; (?:train|val) metric .*)?$", said)
    assert float(count.replace(",", "")) == len(train)
    assert near(jitter, middle(np.abs(train[1:-1] - (train[:-2] + train[2:]) / 2)), 3)


def of_non_finite(run, said):
    bad = [name for name in LOSSES if name in run.channels and not np.isfinite(run.channels[name].values).all()]
    for name, part in zip(bad, said.split("; "), strict=True):
        series = run.channels[name]
        wrong = ~np.isfinite(series.values)
        step, some, of = read(r"at step #, # of its # points", part)
        assert near(step, series.steps[wrong.argmax()], 6)
        assert [float(x.replace(",", "")) for x in (some, of)] == [wrong.sum(), len(series)]


def of_oscillation(run, said):
    steps, train = points(run, "train_loss")
    late = np.sort(train[steps >= steps[0] + 0.1 * (steps[-1] - steps[0])])
    low, high = read(r"between # and #", said)
    assert near(low, late[int(0.1 * (len(late) - 1))])
    assert near(high, late[int(0.9 * (len(late) - 1))])


def spikes_of(channel):
    def check(run, said):
        steps, values = points(run, channel)
        before, top, step, after, over = read(r"from about # to # at step # and is at # at step #", said)
        at, then = (int(np.abs(steps - float(told.replace(",", ""))).argmin()) for told in (step, over))
        assert near(top, values[at])
        wide = range(2 * -(-len(values) // 128) + 1)  # a spike lasts two cells at most
        assert any(near(before, middle(values[max(at - k - 5, 0) : at - k])) for k in wide if at > k)
        assert at < then
        assert near(after, values[then])

    return check


def of_noisy_validation(run, said):
    jitters = []
    for name in ("val_loss", "train_loss"):
        _, v = points(run, name)
        jitters.append(middle(np.abs(v[1:-1] - (v[:-2] + v[2:]) / 2)))
    moved = r"(?: while val loss .*?;|,) "
    val, train = read(rf"neighbours by #{moved}one of train loss by #(?:$|:| while train loss)", said)
    assert near(val, jitters[0], 3)
    assert near(train, jitters[1], 3)


def of_val_below_train(run, said):
    (t_steps, train), (v_steps, val) = points(run, "train_loss"), points(run, "val_loss")
    inside = (v_steps >= t_steps[0]) & (v_steps <= t_steps[-1])
    at = np.interp(v_steps[inside], t_steps, train)
    share, low, high = read(r"below train loss at # % of its [^;]+; typically # against #", said)
    assert float(share) == pytest.approx(100 * (val[inside] < at).mean(), abs=0.51)
    assert near(low, middle(val[inside]))
    assert near(high, middle(at))


def of_high_initial_loss(run, said):
    first, level = read(r"first train loss is #, the level of steps .* is #(?: |$|;)", said)
    _, train = points(run, "train_loss")
    assert near(first, train[0])
    at = min(max(2, math.ceil(0.02 * len(train))), len(train) - 1)
    assert near(level, middle(train[at : at + 3]))


def of_exploding_gradients(run, said):
    steps, norm = points(run, "grad_norm")
    high, step, since, typical = read(r"reaches # at step #, its median (?:before step # )?is #", said)
    later = norm[min(2, len(norm) - 1) :]
    assert near(high, later.max())
    assert near(step, steps[len(norm) - len(later) + later.argmax()], 6)
    assert near(typical, middle(norm if since is None else norm[steps < float(since.replace(",", ""))]))


def of_no_generalization(run, said):
    steps, val = points(run, "val_loss")
    if val.argmin() == 0:
        start, end = read(r"val loss never got below its first value of # and ends (?:at|near) #", said)
    else:
        start, low, step, end = read(
            r"val loss started at #, never got below # \(step #\) and ends (?:at|near) #", said
        )
        assert near(low, val.min())
        assert near(step, steps[val.argmin()], 6)
    assert near(start, val[0])
    assert near(end, edges(val)[1])


def of_undertrained(run, said):
    parts = said.split(" and ")
    assert parts[0].startswith("train loss")
    for part in parts:  # of a val loss of one point nothing is said
        _, values = points(run, part.split(" loss", 1)[0] + "_loss")
        assert near(read(r"(?:to|about) # since", part)[0], edges(values)[1])


CHECKS = {
    "overfitting": of_overfitting,
    "divergence": of_divergence,
    "not_learning": of_not_learning,
    "non_finite": of_non_finite,
    "oscillation": of_oscillation,
    "loss_spikes": spikes_of("train_loss"),
    "val_spikes": spikes_of("val_loss"),
    "noisy_validation": of_noisy_validation,
    "val_below_train": of_val_below_train,
    "high_initial_loss": of_high_initial_loss,
    "exploding_gradients": of_exploding_gradients,
    "no_generalization": of_no_generalization,
    "undertrained": of_undertrained,
}
"""Label -> recomputes the numbers of its sentence; the others say how channels moved, which is checked for all."""


@pytest.mark.parametrize("label", CHECKS)
def test_numbers_in_the_evidence_are_those_of_the_run(label, answers):
    found = [(d.run, f.evidence) for d in answers for f in d.findings if f.label == label]
    assert len(found) >= 2
    for run, said in found:
        CHECKS[label](run, said)


def test_what_fell_is_lower_and_what_rose_is_higher(answers):
    moves = [m for d in answers for f in d.findings for m in MOVE.findall(f.evidence)]
    assert len(moves) >= 50
    for _, word, before, after in moves:
        first, last = (float(x.replace(",", "")) for x in (before, after))
        assert (last < first) == (word == "fell")


def test_every_label_is_checked_or_tells_a_move(answers):
    moving = {f.label for d in answers for f in d.findings if MOVE.search(f.evidence)}
    told_otherwise = {"periodic_loss", "vanishing_gradients", "delayed_generalization"}
    assert set(LABELS) <= set(CHECKS) | moving | told_otherwise

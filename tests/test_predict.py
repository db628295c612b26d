import json
import pickle
import warnings
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pyarrow as pa
import pytest
from hand_curves import BENIGN, HOSTILE, SHOWS, decay, healthy
from hypothesis import given, settings
from hypothesis import strategies as st

from curveclinic import Diagnosis, InputError, Run, predict, predict_pathology, score_table
from curveclinic.causes import LikelyCause
from curveclinic.deciding import judging
from curveclinic.deciding.classifier import NetworkOpinion
from curveclinic.deciding.merge import rule_probability
from curveclinic.diagnosis import SEVERITIES
from curveclinic.labels import ADVERSARIAL_NOTE, CHANNELS, LABELS
from curveclinic.predict import predict_runs
from curveclinic.symptoms import SYMPTOMS


@dataclass
class StandIn:
    """A network that says what it is told."""

    says: dict = field(default_factory=dict)
    onset: float = np.nan
    end: float = np.nan
    severe: bool = False
    decided_by_rule: frozenset = frozenset()
    causes: None = None

    def judge_encoded(self, encoded):
        n = len(encoded.start)
        probability = np.tile([self.says.get(label, 0.01) for label in LABELS], (n, 1))
        return NetworkOpinion(
            probability,
            probability >= 0.5,
            np.full((n, len(LABELS)), self.onset),
            np.full((n, len(LABELS)), self.end),
            np.full((n, len(LABELS)), self.severe),
        )


@pytest.fixture
def use(monkeypatch):
    """Installs a stand-in for the trained network; None: the rules decide."""

    def install(network):
        monkeypatch.setattr(predict, "shipped_classifier", lambda: network)

    install(None)
    return install


@pytest.mark.parametrize("label", LABELS)
def test_rules_find_the_clear_cases(use, label):
    d = predict_pathology(SHOWS[label])
    assert isinstance(d, Diagnosis)
    assert label in d.labels
    assert d.verdict == "findings"
    assert d.rule_labels == tuple(name for name in LABELS if name in d.labels)
    finding = next(f for f in d.findings if f.label == label)
    assert finding.source == "rule"
    assert finding.rule_agrees is True
    assert finding.model_probability is None
    assert finding.probability == d.probabilities[label] >= 0.5
    assert finding.causes == SYMPTOMS[label].causes
    assert finding.remedies == SYMPTOMS[label].remedies


@pytest.mark.parametrize("name", sorted(BENIGN))
def test_harmless_runs_are_healthy(use, name):
    d = predict_pathology(BENIGN[name])
    assert d.labels == ("healthy",)
    assert d.verdict == "healthy"
    assert d.is_healthy
    assert not d.findings


def test_probabilities_hold_checked_labels_only(use):
    d = predict_pathology({"train_loss": decay(30)})
    assert set(d.probabilities) | set(d.unchecked) == set(LABELS)
    assert not set(d.probabilities) & set(d.unchecked)
    assert d.unchecked["overfitting"] == "no val_loss was logged"


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_input_gives_json_safe_answers(use, name):
    d = predict_pathology(Run.from_arrays(HOSTILE[name]))
    assert json.loads(json.dumps(d.to_dict(), allow_nan=False))["verdict"] == d.verdict
    assert str(d)


MAGNITUDES = st.sampled_from([0.0, 5e-324, 1e-300, 1e-150, 1.0, 1e150, 1e300, 1e306, 1e308, -1.0, -1e300, -1e308])
OF_ANY_SIZE = st.dictionaries(
    st.sampled_from([*CHANNELS, "grad_norm/in", "grad_norm/out"]),
    st.lists(st.one_of(MAGNITUDES, st.sampled_from([np.nan, np.inf])), min_size=3, max_size=16),
    min_size=2,
)


@settings(max_examples=200, deadline=None)
@given(OF_ANY_SIZE, st.sampled_from([None, 2, 10]))
def test_numbers_of_any_size_are_answered_without_a_warning(curves, classes):
    runs = [Run.from_arrays(own, num_classes=classes) for own in (curves, {k: sorted(v) for k, v in curves.items()})]
    for d in predict_runs(runs):
        assert json.loads(json.dumps(d.to_dict(), allow_nan=False))["verdict"] == d.verdict


@pytest.mark.parametrize(
    "beside",
    [
        {"grad_norm": decay(60), "grad_norm/in": np.full(60, 1e10), "grad_norm/out": np.full(60, 1e-300)},
        {"grad_norm": decay(60), "grad_norm/in": np.full(60, 1.7e308), "grad_norm/out": np.full(60, 1.7e308)},
        {"lr": 1e305 * decay(60)},
        {"lr": np.full(60, 1.7e308)},
        {"val_loss": np.r_[1e306, np.full(59, 1e-300)]},
    ],
)
def test_what_overflows_beside_a_plain_loss_is_answered_without_a_warning(beside):
    assert predict_pathology({"train_loss": decay(60)} | beside).verdict != "undetermined"


@pytest.mark.parametrize("name", ["one_point", "two_points", "only_metric"])
def test_too_little_is_undetermined(use, name):
    d = predict_runs([Run.from_arrays(HOSTILE[name])])[0]
    assert (d.verdict, d.labels, d.findings, d.probabilities) == ("undetermined", (), (), {})
    assert not d.is_healthy
    assert d.message.startswith("found ")
    assert "expected" in d.message


def test_four_points_are_no_clean_bill_of_health(use):
    d = predict_pathology({"train_loss": [1.0, 0.5, 0.2, 0.1]})
    assert (d.verdict, d.labels) == ("undetermined", ())
    assert d.message.startswith("found 4 finite points of train_loss, expected 5 or more")
    assert predict_pathology({"train_loss": [1.0, 0.5, 0.2, 0.1, 0.08]}).verdict != "undetermined"
    assert predict_pathology({"train_loss": [1.0, 0.5, np.nan]}).labels == ("non_finite",)


def test_a_loss_that_is_nan_from_the_first_row_on_is_judged(use):
    d = predict_pathology(HOSTILE["all_nan"])
    assert d.labels == ("non_finite",)
    assert d.findings[0].probability == 1.0
    assert d.findings[0].severity == "severe"
    assert (d.findings[0].onset, d.findings[0].end) == (1.0, None)


@pytest.mark.parametrize(
    ("label", "severe", "severity"),
    [
        ("overfitting", False, "mild"), ("overfitting", True, "severe"),
        ("divergence", False, "severe"), ("val_below_train", True, "notice"),
    ],
)  # fmt: skip
def test_the_network_says_how_serious_it_is_but_where_that_is_measured(use, label, severe, severity):
    use(StandIn({label: 0.9}, severe=severe))
    assert [(f.label, f.severity) for f in predict_pathology(SHOWS[label]).findings] == [(label, severity)]


def test_a_bad_run_in_a_list_is_undetermined_and_a_single_one_raises(use):
    bad = {"accuracy": [0.1, 0.2, 0.3]}
    with pytest.raises(InputError) as caught:
        predict_pathology(bad)
    first, second, third = predict_pathology([healthy(), bad, SHOWS["overfitting"]])
    assert (first.verdict, second.verdict, third.verdict) == ("healthy", "undetermined", "findings")
    assert second.message == str(caught.value)
    assert set(second.unchecked) == set(LABELS)


def test_an_empty_list(use):
    assert predict_pathology([]) == []
    assert predict_runs([]) == []


def test_order_and_chunks(use, monkeypatch):
    monkeypatch.setattr(predict, "BATCH_RUNS", 3)
    runs = [Run.from_arrays(c, run_id=name) for name, c in SHOWS.items()]
    answers = predict_runs(runs)
    assert [d.run.run_id for d in answers] == list(SHOWS)
    assert all(name in d.labels for name, d in zip(SHOWS, answers, strict=True))


def test_findings_are_ordered_by_severity_then_importance(use):
    curves = dict(SHOWS["val_below_train"])
    curves["train_loss"] = curves["train_loss"].copy()
    curves["train_loss"][[30, 45]] += 3.0
    d = predict_pathology(curves)
    assert d.labels == tuple(f.label for f in d.findings)
    assert d.labels[-1] == "val_below_train"
    keys = [(-SEVERITIES.index(f.severity), SYMPTOMS[f.label].rank) for f in d.findings]
    assert keys == sorted(keys)
    assert len(keys) >= 2


def test_a_notice_alone_is_healthy_enough(use):
    d = predict_pathology(SHOWS["val_below_train"])
    assert d.labels == ("val_below_train",)
    assert d.is_healthy


def test_spans_lie_on_logged_steps(use):
    steps = np.arange(0, 6000, 100.0)
    curves = {k: (steps, v) for k, v in SHOWS["overfitting"].items()}
    finding = predict_pathology(curves).findings[0]
    assert finding.onset in steps
    assert finding.onset == pytest.approx(2500, abs=300)


def test_the_network_decides(use):
    use(StandIn({"noisy_validation": 0.8}, onset=10.4, severe=True))
    d = predict_pathology(SHOWS["overfitting"])
    assert d.labels == ("noisy_validation",)
    assert d.rule_labels == ("overfitting",)
    finding = d.findings[0]
    assert (finding.source, finding.model_probability, finding.rule_agrees) == ("model", 0.8, False)
    assert (finding.onset, finding.end, finding.severity) == (10.0, None, "severe")
    assert d.probabilities["overfitting"] == 0.01


def test_the_rules_keep_what_the_sidecar_leaves_to_them(use):
    use(StandIn({"underfitting": 0.8, "overfitting": 0.2}, decided_by_rule=frozenset({"overfitting", "underfitting"})))
    d = predict_pathology(SHOWS["overfitting"])
    assert d.labels == ("overfitting",)
    assert (d.findings[0].source, d.findings[0].model_probability) == ("rule", 0.2)


def test_what_the_network_finds_against_a_fact_is_left_to_the_rules(use):
    use(StandIn({"loss_spikes": 0.9, "underfitting": 0.9, "undertrained": 0.8}))
    d = predict_pathology({"train_loss": np.linspace(2.0, 1.0, 30)})
    assert d.labels == ("underfitting",)  # which excludes undertrained
    assert d.probabilities["loss_spikes"] == 0.02
    below = predict_pathology({"train_loss": np.linspace(2.0, 1.0, 30) - 5.0})
    assert below.labels == ("undertrained",)
    assert below.probabilities["underfitting"] < 0.5


def test_non_finite_is_a_fact(use):
    use(StandIn({"non_finite": 0.9}))
    assert predict_pathology(healthy()).labels == ("healthy",)
    assert predict_pathology(healthy()).probabilities["non_finite"] == 0.0
    use(StandIn())
    assert predict_pathology(SHOWS["non_finite"]).labels == ("non_finite",)


@pytest.mark.parametrize(("first", "says", "found"), [(20.0, 0.01, True), (2.5, 0.99, False)])
def test_the_price_of_chance_is_a_fact_that_the_network_cannot_see(use, first, says, found):
    use(StandIn({"high_initial_loss": says}))
    curve = {"train_loss": [first, 0.8, 0.6, *np.linspace(0.55, 0.3, 60)]}
    assert ("high_initial_loss" in predict_pathology(curve).labels) == (says > 0.5)
    d = predict_pathology(curve, num_classes=10)
    assert ("high_initial_loss" in d.labels) == found
    assert [(f.source, f.model_probability) for f in d.findings] == ([("rule", says)] if found else [])


def test_runs_under_six_points_are_left_to_the_rules(use):
    use(StandIn({"overfitting": 0.99}))
    short = {"train_loss": [2.0, 1.0, 0.5, 0.4, 0.38], "val_loss": [2.0, 1.0, 0.6, 0.5, 0.5]}
    d = predict_pathology(short)
    assert "overfitting" not in d.labels
    long = {k: [*v, v[-1]] for k, v in short.items()}
    assert "overfitting" in predict_pathology(long).labels


def test_the_network_says_nothing_of_a_missing_channel(use):
    use(StandIn(dict.fromkeys(("overfitting", "oscillation", "exploding_gradients"), 0.99)))
    d = predict_pathology({"train_loss": decay(30)})
    assert d.labels == ("oscillation",)
    assert {"overfitting", "exploding_gradients"} & set(d.probabilities) == set()


def test_a_span_of_the_network_never_ends_before_it_starts(use):
    use(StandIn({"oscillation": 0.9}, onset=20.0, end=5.0))
    finding = predict_pathology(healthy()).findings[0]
    assert (finding.onset, finding.end) == (20.0, None)


def test_what_has_no_start_gets_no_span(use):
    use(StandIn({"undertrained": 0.9}, onset=20.0, end=25.0))
    finding = predict_pathology(healthy()).findings[0]
    assert (finding.source, finding.onset, finding.end) == ("model", None, None)


def test_a_diagnosis_is_plain_data_that_cannot_be_changed(use):
    use(StandIn({"overfitting": 0.9}))
    d = predict_pathology(healthy())
    data = asdict(d)
    assert data["probabilities"] == d.probabilities
    assert list(data["run"]["channels"]) == ["train_loss", "val_loss"]
    assert json.loads(json.dumps(d.probabilities)) == d.probabilities
    for change in (lambda held: held.update(x=1), lambda held: held.pop("overfitting"), lambda held: held.clear()):
        with pytest.raises(TypeError, match="read-only; change a copy"):
            change(d.probabilities)


def test_a_diagnosis_can_be_pickled_and_be_a_key(use):
    d = predict_pathology(SHOWS["overfitting"])
    copied = pickle.loads(pickle.dumps(d))
    assert copied == d
    assert len({d, copied, predict_pathology(healthy())}) == 2
    assert copied.to_dict() == d.to_dict()


def test_the_dict_rounds_all_probabilities_alike(use):
    use(StandIn({"overfitting": 0.87654321}))
    d = predict_pathology(SHOWS["overfitting"])
    likely = (LikelyCause("lr_too_high", "the learning rate is too high", 0.123456789, ()),)
    told = replace(d, likely_causes=likely).to_dict()
    assert told["probabilities"]["overfitting"] == told["findings"][0]["probability"] == 0.876543
    assert told["findings"][0]["model_probability"] == 0.876543
    assert told["likely_causes"][0]["probability"] == 0.123457
    assert d.findings[0].probability == 0.87654321


def test_where_the_network_has_no_onset_the_rule_gives_it(use):
    use(StandIn({"overfitting": 0.9}))
    assert predict_pathology(SHOWS["overfitting"]).findings[0].onset == pytest.approx(26, abs=3)


@pytest.mark.parametrize("total", [{}, {"loss": "g_loss + d_loss"}])
def test_a_critic_on_its_way_back_to_zero_does_not_diverge(total):
    rng, k = np.random.default_rng(0), np.arange(200)
    both = {"d_loss": -30 * np.exp(-k / 40), "g_loss": 0.5 * rng.standard_normal(200)}
    critic = both | {name: both["d_loss"] + both["g_loss"] for name in total}
    d = predict_pathology(critic)
    assert "divergence" not in d.labels
    assert "have not blown up" in d.unchecked["divergence"]
    assert "divergence" in predict_pathology({name: -values for name, values in critic.items()}).probabilities
    assert "divergence" in predict_pathology({name: values[::-1] for name, values in critic.items()}).probabilities
    rising = {name: values + 40 * (k / 100) ** 2 for name, values in critic.items()}
    assert "divergence" in predict_pathology(rising).labels


def test_a_generator_that_is_beaten_does_not_diverge_and_one_that_blows_up_does():
    rng, k = np.random.default_rng(1), np.arange(300)
    noise = 0.1 * rng.standard_normal((2, 300))
    beaten = {"d_loss": 0.5 + 1.4 * np.exp(-k / 40) + noise[0], "g_loss": 1.5 + 2.5 * k / 300 + noise[1]}
    assert predict_pathology(beaten).labels == ("healthy",)
    blown = {"d_loss": beaten["d_loss"], "g_loss": beaten["g_loss"] * np.where(k > 200, np.exp((k - 200) / 20), 1.0)}
    assert "divergence" in predict_pathology(blown).labels


@pytest.mark.parametrize("course", ["jump early", "line"])
def test_opponents_that_only_grow_have_blown_up(course):
    k, noise = np.arange(300), 0.02 * np.random.default_rng(2).standard_normal((2, 300))
    grown = {"jump early": np.where(k < 40, 0.7, 700.0), "line": 0.7 + 12.0 * k / 300}[course]
    assert "divergence" in predict_pathology({"d_loss": 0.6 + noise[0], "g_loss": grown * (1 + noise[1])}).labels


def test_one_last_point_beside_a_notice_gets_no_verdict(use):
    use(StandIn({"val_below_train": 0.9}, decided_by_rule=frozenset({"overfitting"})))
    train, val = decay(60, end=0.6), decay(60, end=0.5)
    val[-1] = 1.5
    d = predict_pathology({"train_loss": train, "val_loss": val})
    assert (d.verdict, d.is_healthy) == ("undetermined", False)
    assert "one point is no trend" in d.message


def test_one_last_point_is_no_overfitting_beside_another_finding(use):
    use(StandIn({"val_spikes": 0.9}, decided_by_rule=frozenset({"overfitting"})))
    train, val = decay(60, end=0.3), decay(60, end=0.4)
    val[20], val[-1] = 3.0, 3.0
    d = predict_pathology({"train_loss": train, "val_loss": val})
    assert d.labels == ("val_spikes",)
    assert "one point is no trend" in d.unchecked["overfitting"]
    assert d.stop_at is None
    assert "overfitting" not in d.probabilities


def test_a_last_point_that_jumps_takes_back_no_overfitting_that_was_there_before_it(use):
    k = np.arange(60)
    train, val = 2.0 * np.exp(-k / 12), 0.5 + 1.5 * np.exp(-k / 3)
    before = predict_pathology({"train_loss": train[:-1], "val_loss": val[:-1]})
    val[-1] = 5.0
    d = predict_pathology({"train_loss": train, "val_loss": val})
    assert before.labels == d.labels == ("overfitting",)
    for name in ("onset", "end", "severity", "probability"):
        assert getattr(d.findings[0], name) == getattr(before.findings[0], name)
    assert d.stop_at == before.stop_at
    assert "by step 18" in d.findings[0].evidence


def test_adversarial_losses_are_judged_on_two_labels_only(use):
    d = predict_runs([Run.from_arrays(SHOWS["overfitting"], notes=(ADVERSARIAL_NOTE,), kind="opponents")])[0]
    assert set(d.probabilities) == {"non_finite", "divergence"}
    assert d.labels == ("healthy",)
    assert ADVERSARIAL_NOTE in d.unchecked["overfitting"]
    assert ADVERSARIAL_NOTE in d.message


def test_rule_probability_is_monotone_and_half_at_the_cut():
    degree = np.repeat(np.linspace(0, 1, 11)[:, None], len(LABELS), axis=1)
    p = rule_probability(degree)
    assert (np.diff(p, axis=0) > 0).all()
    np.testing.assert_allclose(p[5], 0.5)
    assert p.min() == 0.0
    assert p[0, LABELS.index("overfitting")] == 0.02


def test_absent_weights_are_said_once(monkeypatch):
    from curveclinic.deciding import classifier

    monkeypatch.setattr(classifier, "load_classifier", lambda **_: None)
    judging._warn_without_weights.cache_clear()
    with pytest.warns(UserWarning, match="the rules decide alone"):
        predict_pathology(healthy())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # told once is told
        judging._warn_without_weights.cache_clear()
        with pytest.raises(UserWarning):
            predict_pathology(healthy())
    judging._warn_without_weights.cache_clear()
    with pytest.warns(UserWarning, match="rules"):
        predict_pathology([healthy(), healthy()])
    predict_pathology(healthy())


def test_the_reason_of_a_label_is_the_doubt_alone_and_the_message_tells_what_was_read_too():
    d = predict_pathology({"eval_loss": np.linspace(2.0, 1.0, 40)})
    doubt = "no train_loss was logged, so too few labels could be checked; log it, too"
    assert set(d.unchecked.values()) == {doubt}
    assert d.message == f"{doubt}; val_loss <- eval_loss"
    row = score_table(pa.table({"eval_loss": [np.linspace(2.0, 1.0, 40).tolist()]}))
    assert row["message"][0].as_py() == d.message

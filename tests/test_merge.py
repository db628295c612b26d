"""Who has the last word where the network and the rules, or two labels of the network, do not agree."""

import numpy as np
import pytest

from curveclinic import predict_pathology
from curveclinic.deciding import rules
from curveclinic.deciding.classifier import NetworkOpinion
from curveclinic.deciding.merge import Verdicts, merge
from curveclinic.labels import CHANNELS, LABELS
from curveclinic.ragged import Batch
from curveclinic.run import Run

FALLING = 2.0 * 0.9 ** np.arange(40) + 0.1


def merged(train, **said: float) -> Verdicts:
    """One run with a val loss, of which the network gives some labels a probability and finds those of .6 and more."""
    batch = Batch.from_runs([Run.from_arrays({"train_loss": train, "val_loss": FALLING[: len(train)]})])
    probability = np.full((1, len(LABELS)), 0.02)
    for label, p in said.items():
        probability[0, LABELS.index(label)] = p
    unknown = np.full_like(probability, np.nan)
    network = NetworkOpinion(
        probability=probability, found=probability >= 0.6, onset=unknown, end=unknown, severe=probability > 1
    )
    counts = np.array([[batch.channels[name].finite_lengths[0] for name in CHANNELS]])
    return merge(rules.judge(batch), network, counts=counts, decided_by_rule=frozenset())


def found(verdicts: Verdicts) -> set[str]:
    return {label for label, there in zip(LABELS, verdicts.present[0], strict=True) if there}


@pytest.mark.parametrize(
    ("said", "stays"),
    [
        ({"delayed_generalization": 0.7, "overfitting": 0.8}, {"overfitting"}),
        ({"delayed_generalization": 0.8, "overfitting": 0.7}, {"delayed_generalization"}),
        ({"delayed_generalization": 0.7, "overfitting": 0.7}, {"delayed_generalization"}),
        ({"divergence": 0.7, "overfitting": 0.8, "slow_start": 0.65}, {"overfitting", "slow_start"}),
        ({"overfitting": 0.9, "loss_spikes": 0.7}, {"overfitting", "loss_spikes"}),
        ({"overfitting": 0.9, "no_generalization": 0.7}, {"overfitting", "no_generalization"}),
        ({"delayed_generalization": 0.5, "overfitting": 0.7}, {"overfitting"}),
    ],
)
def test_of_two_labels_that_exclude_each_other_the_surer_one_is_found(said, stays) -> None:
    verdicts = merged(FALLING, **said)
    assert found(verdicts) == stays
    assert verdicts.probability[0, LABELS.index("overfitting")] == said["overfitting"]


def test_what_ends_in_nan_was_not_stopped_too_early() -> None:
    ended, resumed = FALLING.copy(), FALLING.copy()
    ended[30:], resumed[20] = np.nan, np.nan
    assert found(merged(ended, undertrained=0.9)) == {"non_finite"}
    assert found(merged(resumed, undertrained=0.9)) == {"non_finite", "undertrained"}


def test_a_metric_that_never_moves_shows_that_nothing_is_learnt():
    loss = np.full(40, 2.303) + 0.001 * np.random.default_rng(0).normal(size=40)
    loss[0] = 6.0
    stuck = predict_pathology({"train_loss": loss, "val_loss": loss, "val_metric": np.full(40, 0.1)}, metric_goal="max")
    finding = next(f for f in stuck.findings if f.label == "not_learning")
    assert finding.source == "rule"
    assert finding.model_probability is not None
    learnt = predict_pathology({"train_loss": loss, "val_loss": loss, "val_metric": np.linspace(0.1, 0.9, 40)})
    assert "not_learning" not in learnt.labels

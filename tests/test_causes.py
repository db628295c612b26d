"""The table of causes: whole, tidy, and all that a simulated training can have is in it once."""

import re
from collections import Counter

import pytest

from curveclinic.causes import CAUSES, NO_FAULT, OF_SIMULATED, SOUND_BUT
from curveclinic.labels import LABELS
from curveclinic.symptoms import SYMPTOMS

SIMULATED = pytest.importorskip("curveclinic.synth.simulate.faults").CAUSES


def test_every_cause_of_a_simulated_training_is_one_of_ours():
    named = Counter(name for cause in CAUSES.values() for name in cause.simulated)
    assert set(named) == set(SIMULATED) - {"none"}
    assert set(named.values()) == {1}
    assert OF_SIMULATED["momentum_too_high"] == "learning_rate_too_high"


@pytest.mark.parametrize("cause", CAUSES.values(), ids=CAUSES)
def test_entry_is_complete_and_tidy(cause):
    assert 3 <= len(cause.remedies) == len(set(cause.remedies))
    assert re.search(r"(19|20)\d\d|documentation|FAQ", cause.source)
    for text in (cause.name, cause.source, *cause.remedies):
        assert text == text.strip()
        assert "  " not in text
        assert text.isascii()
    assert not any(text.endswith(".") for text in (cause.name, *cause.remedies))


def test_ids_are_neither_labels_nor_words_of_the_command():
    assert not set(CAUSES) & {*LABELS, NO_FAULT, "causes", "healthy"}
    assert all(key == cause.id for key, cause in CAUSES.items())


def test_symptoms_name_known_causes_and_every_cause_that_no_simulation_has():
    named = {cause for symptom in SYMPTOMS.values() for cause in symptom.cause_ids}
    assert named <= set(CAUSES)
    unlearnt = {cause.id for cause in CAUSES.values() if not cause.simulated} - set(SOUND_BUT.values())
    assert unlearnt == {"batch_too_small", "weak_inputs", "class_imbalance"}
    assert unlearnt <= named


def test_sound_trainings_may_be_too_long_or_too_short():
    assert set(SOUND_BUT) <= set(LABELS)
    assert set(SOUND_BUT.values()) <= set(CAUSES)


@pytest.mark.parametrize(
    ("cause", "word"),
    [
        ("learning_rate_too_high", "check lr-range"), ("learning_rate_too_high", "warm-up"),
        ("learning_rate_too_high", "clip the gradient norm"), ("number_overflow", "loss scaler"),
        ("wrong_output_or_loss", "ReLU"), ("class_imbalance", "per class"), ("weak_inputs", "features"),
    ],
)  # fmt: skip
def test_remedies_name_what_helps(cause, word):
    assert any(word in remedy for remedy in CAUSES[cause].remedies)

from dataclasses import fields

import pytest

from curveclinic.labels import LABELS
from curveclinic.symptoms import SYMPTOMS


def test_every_label_has_one_entry_in_label_order():
    assert tuple(SYMPTOMS) == LABELS
    assert all(key == symptom.label for key, symptom in SYMPTOMS.items())


def test_codes_are_stable():
    # A code is printed in reports and linked to; it never changes its meaning.
    assert [s.code for s in SYMPTOMS.values()] == [f"CC{101 + i}" for i in range(len(LABELS))]
    assert SYMPTOMS["overfitting"].code == "CC101"
    assert SYMPTOMS["delayed_generalization"].code == "CC120"


def test_ranks_are_a_permutation_with_the_gravest_first():
    order = sorted(SYMPTOMS, key=lambda label: SYMPTOMS[label].rank)
    assert sorted(s.rank for s in SYMPTOMS.values()) == list(range(1, len(LABELS) + 1))
    assert order[:3] == ["non_finite", "divergence", "not_learning"]
    assert order[-1] == "val_below_train"


@pytest.mark.parametrize("label", LABELS)
def test_entry_is_complete_and_tidy(label):
    symptom = SYMPTOMS[label]
    assert len(symptom.causes) >= 3
    assert len(symptom.remedies) >= 3
    assert len(symptom.mimics) >= 1
    assert symptom.looks.endswith(".")
    assert symptom.means.endswith(".")
    for field in fields(symptom):
        value = getattr(symptom, field.name)
        for text in value if isinstance(value, tuple) else [str(value)]:
            assert text == text.strip()
            assert "  " not in text
            assert text.isascii()
    for items in (symptom.causes, symptom.remedies, symptom.mimics):
        assert len(set(items)) == len(items)
        assert all(not item.endswith(".") for item in items)

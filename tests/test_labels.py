"""Labels and their traits."""

import pytest

from curveclinic.labels import CHANNELS, FACTS, FATAL, LABELS, PRICED, TEXTURES, THINNED_AWAY, TRAITS


def test_every_label_has_traits_in_array_order():
    assert tuple(TRAITS) == LABELS


@pytest.mark.parametrize("label", LABELS)
def test_needs_are_channels_in_two_sets_at_most(label):
    needs = TRAITS[label].needs
    assert 1 <= len(needs) <= 2
    assert {name for names in needs for name in names} <= set(CHANNELS)
    assert TRAITS[label].points >= 1


def test_labels_of_one_trait():
    assert FACTS == ("non_finite",)
    assert FATAL == ("divergence", "non_finite")
    assert PRICED == ("high_initial_loss",)
    assert set(TEXTURES) - set(THINNED_AWAY) == {"noisy_validation"}
    assert set(THINNED_AWAY) - set(TEXTURES) == {"vanishing_gradients", "exploding_gradients"}

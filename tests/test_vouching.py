"""What the network finds against a plain fact does not stand."""

from __future__ import annotations

import numpy as np
import pytest
from hand_curves import SHOWS, Curves, decay, noise

from curveclinic import predict_pathology
from curveclinic.deciding.vouching import refuted
from curveclinic.labels import CHANNELS, LABELS
from curveclinic.measuring.quantities import measure
from curveclinic.ragged import Batch, BoolArray
from curveclinic.run import Run


def against(label: str, *runs: Curves) -> list[bool]:
    """Whether the points of each run speak against a label that is found in all of them."""
    piece = measure(Batch.from_runs([Run.from_arrays(curves) for curves in runs]))
    cells = refuted(piece, _all_found(len(runs)))
    return [bool(cell) for cell in cells[:, LABELS.index(label)]]


def _all_found(n: int) -> BoolArray:
    return np.ones((n, len(LABELS)), dtype=bool)


def blown_up(n: int, to: float) -> np.ndarray:
    """A smooth descent whose last point alone is high."""
    loss = np.round(2 * np.exp(-np.arange(1, n + 1) / n * 3) + 0.3, 4)
    loss[-1] = to
    return loss


def test_a_blow_up_in_the_last_point_is_no_spike() -> None:
    d = predict_pathology({"train_loss": blown_up(35, 7.0549)})
    assert d.labels == ("divergence",)
    assert d.probabilities["loss_spikes"] < 0.1
    rng = np.random.default_rng(0)
    runs = [{"train_loss": blown_up(int(rng.integers(8, 41)), float(rng.uniform(1, 20)))} for _ in range(100)]
    assert not any("loss_spikes" in d.labels for d in predict_pathology(runs))


@pytest.mark.parametrize(("channel", "label"), [("train_loss", "loss_spikes"), ("val_loss", "val_spikes")])
def test_a_spike_has_something_lower_on_both_sides(channel: str, label: str) -> None:
    plain, noisy, first, spiky, late = decay(40), decay(40) + noise(40, 0.005), decay(40), decay(40), blown_up(40, 9.0)
    noisy[-1] = first[0] = 9.0
    spiky[20] += 1.0
    late[-2] = 4.0  # it only goes on
    again = np.append(late, 0.4)
    runs = [{"train_loss": decay(loss.size)} | {channel: loss} for loss in (plain, noisy, first, spiky, late, again)]
    assert against(label, *runs) == [True, True, True, False, True, False]


def test_several_spikes_in_a_few_points_are_some() -> None:
    """The measures see none of them: each hides the others."""
    several = [4.2, 4.1, 16.5, 9.0, 6.3, 16.1, 9.2, 7.0, 6.2]
    assert against("loss_spikes", {"train_loss": several}) == [False]


@pytest.mark.parametrize("label", ["loss_spikes", "val_spikes", "exploding_gradients"])
def test_the_plain_cases_stand(label: str) -> None:
    assert against(label, SHOWS[label]) == [False]


@pytest.mark.parametrize("label", ["loss_spikes", "val_spikes", "exploding_gradients", "underfitting"])
def test_only_what_is_found_can_be_refuted(label: str) -> None:
    piece = measure(Batch.from_runs([Run.from_arrays({name: decay(20) - 1.0 for name in CHANNELS})]))
    assert refuted(piece, ~_all_found(1)).sum() == 0
    assert refuted(piece, _all_found(1))[0, LABELS.index(label)]


@pytest.mark.parametrize("place", [0, 1])
def test_a_large_norm_among_the_first_two_explodes_nothing(place: int) -> None:
    norms = [1.0, 1.0, 1.1, 0.9, 1.2, 1.0, 0.8, 1.1, 0.95, 1.0]
    norms[place] = 900.0
    d = predict_pathology({"train_loss": np.round(2 * np.exp(-np.arange(10) / 4) + 0.3, 3), "grad_norm": norms})
    assert "exploding_gradients" not in d.labels


def test_gradients_explode_where_a_later_norm_is_large_or_all_grow() -> None:
    calm = np.exp(noise(30, 0.1))
    early, burst = calm.copy(), calm.copy()
    early[1] = burst[20] = 900.0
    norms = (calm, early, burst, calm * np.geomspace(1.0, 50.0, 30), [np.nan] * 27 + [1.0, 900.0, 1.0])
    runs = [{"train_loss": decay(30), "grad_norm": norm} for norm in norms]
    assert against("exploding_gradients", *runs) == [True, True, False, False, True]


@pytest.mark.parametrize("seed", range(3))
def test_a_negative_loss_has_no_level_to_have_fallen_little_of(seed: int) -> None:
    train = np.exp(-np.arange(60) / 6) - 100 + noise(60, 0.01, seed)
    for level in (0.0, 100.1):
        curves = {"train_loss": train + level, "val_loss": train + level + 0.02}
        assert predict_pathology(curves).labels == ("healthy",)
    assert predict_pathology(SHOWS["underfitting"]).labels == ("underfitting",)


def test_runs_of_any_length_are_looked_at_in_one_batch() -> None:
    runs = [{"train_loss": loss} for n in (400, 7, 40) for loss in (blown_up(n, 9.0), np.append(blown_up(n, 9.0), 0.4))]
    runs.insert(3, {"val_loss": decay(9)})
    assert against("loss_spikes", *runs) == [True, False, True, True, False, True, False]


def test_a_first_loss_is_high_only_where_it_is_a_multiple_of_what_follows() -> None:
    x = np.arange(60)
    slow, fast, stick = (
        0.12 + size * np.exp(-x * rate) + 0.2 * np.exp(-x / 30) for size, rate in ((1, 0.2), (1, 0.9), (9, 3))
    )
    assert against("high_initial_loss", *({"train_loss": loss} for loss in (slow, fast, stick))) == [True, True, False]
    x = np.arange(400)  # of a long log two points are not all of the fall
    assert against("high_initial_loss", {"train_loss": 0.12 + np.exp(-x * 0.25) + 0.2 * np.exp(-x / 200)}) == [False]


def test_white_noise_repeats_no_pattern() -> None:
    values = 1.0 + 0.3 * np.random.default_rng(0).normal(size=20_000)
    turns = values + np.sin(np.arange(20_000) / 50)
    assert against("periodic_loss", {"train_loss": values}, {"train_loss": turns}) == [True, False]


def test_a_metric_that_was_good_all_along_is_not_at_odds_with_a_falling_loss() -> None:
    falls, rises = 0.1 + 0.2 * np.exp(-np.arange(40) / 10), 0.1 + 0.01 * np.arange(40)
    good = 0.97 + 0.003 * np.random.default_rng(0).normal(size=40)
    runs = [
        {"train_loss": falls, "val_loss": val, "val_metric": metric}
        for val, metric in (
            (falls, good), (falls, 100 * good), (rises, good), (falls, good - 0.5), (falls, good - np.arange(40) / 300),
        )
    ]  # fmt: skip
    assert against("metric_mismatch", *runs) == [True, True, False, False, False]


def test_what_a_late_drop_of_the_rate_gave_is_no_fall_that_goes_on() -> None:
    x = np.linspace(0, 1, 120)
    drops = 0.5 + 1.3 * np.exp(-12 * x) - 0.2 * (x > 0.85) + 0.003 * np.random.default_rng(0).normal(size=120)
    falls = 1.8 - x + 0.003 * np.random.default_rng(0).normal(size=120)
    assert against("undertrained", {"train_loss": drops}, {"train_loss": falls}) == [True, False]

"""Where a symptom ends that stops shortly before the last point, and one that does not."""

import numpy as np
import pytest
from hand_curves import decay, noise

from curveclinic.deciding.rules import judge
from curveclinic.labels import LABELS
from curveclinic.ragged import Batch
from curveclinic.run import Run


def ends(curves, label):
    return judge(Batch.from_runs([Run.from_arrays(curves)])).end[0, LABELS.index(label)]


@pytest.mark.parametrize(("until", "end"), [(90, 90), (96, 96), (99, np.nan), (100, np.nan)])
def test_what_stops_within_two_hundredths_of_the_run_lasts_to_its_end(until, end):
    train = decay(100)
    val = train * np.where(np.arange(100) < until, 0.8, 1.2)
    found = ends({"train_loss": train, "val_loss": val}, "val_below_train")
    np.testing.assert_allclose(found, end, atol=0.5)


@pytest.mark.parametrize(("first", "onset"), [(1.0, 1.0), (2.4, 21.0)])
def test_what_the_first_step_threw_away_diverges_from_there(first, onset):
    """From 1.0 up it jumps to 2.4 and stays; from 2.4 down it falls, and leaves its low later."""
    rise = np.where(np.arange(60) < 20, 0.0, np.expm1(0.1 * (np.arange(60) - 20)))
    thrown = np.full(60, 2.4) + noise(60, 0.01)
    thrown[0] = first
    curves = thrown if first == 1.0 else decay(60, 2.4, 1.0, 20.0) + rise
    found = judge(Batch.from_runs([Run.from_arrays({"train_loss": curves})]))
    column = LABELS.index("divergence")
    assert found.present[0, column]
    np.testing.assert_allclose(found.onset[0, column], onset, atol=2)

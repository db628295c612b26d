"""What the gradient norms of single layers, `grad_norm/<layer>`, say of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from curveclinic.labels import LAYER_PREFIX
from curveclinic.points import FloatArray, Series

_NOTHING: Final = 1e-7
"""Share of the largest layer's norm that is none: what float32 rounding leaves of a dead unit's gradient."""

_FEWEST: Final = 4
"""Finite points in the second half of a layer's norm from which it is judged."""


def layers_of(channels: Mapping[str, Series]) -> dict[str, Series]:
    """Those of a run's channels that are norms of single layers, in layer order."""
    if len(channels) < 2:
        return {}
    return {name: series for name, series in channels.items() if name.startswith(LAYER_PREFIX)}


@np.errstate(over="ignore", invalid="ignore")
def layer_ratio(channels: Mapping[str, Series]) -> float:
    """First over last layer's median gradient norm; NaN without at least two layers."""
    layers = list(layers_of(channels).values())
    if len(layers) < 2:
        return float("nan")
    first, last = (np.abs(v[np.isfinite(v)]) for v in (layers[0].values, layers[-1].values))
    if not len(first) or not len(last) or np.median(last) == 0.0:
        return float("nan")
    return float(np.median(first) / np.median(last))


@np.errstate(over="ignore")
def silent_layers(channels: Mapping[str, Series]) -> tuple[str, ...]:
    """Names of a run's layers whose gradient is nothing all through the second half, while another layer's is not.

    A ReLU unit that is negative for every sample passes no gradient (Lu et al. 2020, arXiv:1903.06733), nor does a
    saturated sigmoid or tanh unit (Glorot & Bengio 2010, PMLR 9:249): the layers before them stop.
    """
    late = {name: _second_half(series.values) for name, series in layers_of(channels).items()}
    late = {name: norms for name, norms in late.items() if len(norms) >= _FEWEST}
    largest = max((float(np.median(norms)) for norms in late.values()), default=0.0)
    if largest <= 0.0:
        return ()
    quiet = [name for name, norms in late.items() if float(norms.max()) <= _NOTHING * largest]
    return tuple(name.removeprefix(LAYER_PREFIX) for name in quiet)


def silence_notes(silent: tuple[str, ...]) -> tuple[str, ...]:
    """What a diagnosis says of such layers."""
    return tuple(f"{LAYER_PREFIX}{name} is nothing in the second half: frozen, dead or saturated" for name in silent)


def _second_half(values: FloatArray) -> FloatArray:
    half = np.abs(values[len(values) // 2 :])
    return half[np.isfinite(half)]

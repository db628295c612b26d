"""Weights rounded to small integers, the error of each made good by those that are not rounded yet.

After GPTQ (Frantar et al. 2023): what counts is not the error of a weight but that of the outputs on typical inputs.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from curveclinic.ragged import FloatArray

LARGEST: Final = 63
"""Largest integer a weight becomes. Seven bits, not eight: x86 processors without VNNI add two products of an
activation and a weight in 16 bits, and 2 * 255 * 63 is the most that fits; larger ones would give other answers there.
"""

_DAMPING: Final = 0.01
"""Share of the mean of the diagonal that is added to it: inputs that hardly vary take no huge corrections."""


def rounded(weights: FloatArray, inputs: FloatArray) -> tuple[npt.NDArray[np.int8], FloatArray]:
    """Rounds weights so that the outputs on these inputs change little.

    Args:
        weights: (outputs, inputs).
        inputs: (n, inputs) typical ones.

    Returns:
        Integers (outputs, inputs), and the scale (outputs,) that makes weights of them.
    """
    moment = inputs.T @ inputs / len(inputs)
    moment += np.eye(len(moment)) * _DAMPING * moment.diagonal().mean()
    order = np.argsort(-moment.diagonal(), kind="stable")  # the largest first: all the others can correct them
    factor = np.linalg.cholesky(np.linalg.inv(moment[np.ix_(order, order)])).T
    scale: FloatArray = np.abs(weights).max(axis=1) / LARGEST
    left, integers = weights[:, order], np.zeros(weights.shape, dtype=np.int8)
    for k, column in enumerate(order):
        nearest = np.clip(np.rint(left[:, k] / scale), -LARGEST, LARGEST)
        integers[:, column] = nearest
        error = (left[:, k] - nearest * scale) / factor[k, k]
        left[:, k:] -= error[:, None] * factor[k, k:]
    return integers, scale

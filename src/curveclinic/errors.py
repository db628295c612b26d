"""Every error the package raises on purpose.

CurveclinicError
├── InputError (also ValueError)     the caller's data cannot be used
│   └── LogError                     a log file cannot be read or holds no run
├── MissingExtraError (ImportError)  an optional dependency is not installed
└── WeightsError (RuntimeError)      the weights do not fit the code or their sidecar

A message says what was found, what was expected and what to do.
"""

from __future__ import annotations


class CurveclinicError(Exception):
    """Base of all errors raised on purpose by curveclinic."""


class InputError(CurveclinicError, ValueError):
    """The curves handed over cannot be judged."""


class LogError(InputError):
    """A log file could not be read, or holds no usable run."""


class MissingExtraError(CurveclinicError, ImportError):
    """An optional dependency is missing; the message gives its install line."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}, which is not installed; run: pip install 'curveclinic[{extra}]'")


class WeightsError(CurveclinicError, RuntimeError):
    """The shipped weights are damaged or belong to another version of the encoder."""

"""Which of a tracker's many metrics are worth reading: those that can become a channel, or tell what the others are."""

from __future__ import annotations

import re

from curveclinic.intake.assemble import ReadOptions
from curveclinic.intake.naming import parse


def is_wanted(name: str, options: ReadOptions) -> bool:
    """Says whether a metric matters, by its name or because the user asks for it."""
    asked = (pattern for pattern in (options.train_loss, options.val_loss, options.step) if pattern is not None)
    return parse(name).is_told or any(_matches(pattern, name) for pattern in asked)


def _matches(pattern: str, name: str) -> bool:
    try:
        return pattern == name or re.search(pattern, name) is not None
    except re.error:
        return False

"""Series by name, and which of them are chosen."""

import numpy as np

from curveclinic.intake.choosing import choose


def points(values, steps=None):
    values = np.asarray(values, dtype=np.float64)
    return (np.arange(1.0, len(values) + 1) if steps is None else np.asarray(steps, dtype=np.float64)), values


def chosen(names, **options):
    """Chooses from series of ten points whose first value is their place in the list."""
    choice = choose({name: points(np.arange(10.0) + 100 * i) for i, name in enumerate(names)}, **options)
    return {channel: names[int(values[0] // 100)] for channel, (_, values) in choice.channels.items()}

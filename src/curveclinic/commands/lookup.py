"""What somebody who types a name means: case, dashes and blanks do not matter, and the nearest name is suggested."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from curveclinic.errors import InputError


def looked_up(text: str, names: Iterable[str], *, what: str, hint: str) -> str:
    """Returns the name that a text means.

    Args:
        text: as typed.
        names: all there are.
        what: what they name, for the complaint.
        hint: what to do where none is near.

    Raises:
        InputError: there is none; the nearest one is suggested.
    """
    known = {_plain(name): name for name in names}
    found = known.get(_plain(text))
    if found is not None:
        return found
    near = difflib.get_close_matches(_plain(text), known, n=1)
    raise InputError(f"unknown {what} {text!r}; {f'did you mean {known[near[0]]}?' if near else hint}")


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", "_", text.strip().casefold())

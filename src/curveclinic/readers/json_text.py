"""JSON of a source as Python data, with errors that say where it breaks."""

from __future__ import annotations

import json
from typing import Any

from curveclinic.errors import LogError
from curveclinic.readers.source import Source


def load_json(source: Source) -> Any:
    """Returns the document; bare NaN and Infinity are accepted, as Python's own `json` writes them.

    Raises:
        LogError: the bytes are no JSON.
    """
    try:
        return json.loads(source.content().decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise LogError(
            f"{source.path}: broken JSON at line {error.lineno} ({error.msg}); is it still written?"
        ) from None
    except (ValueError, RecursionError) as error:
        raise LogError(f"{source.path}: no readable JSON ({type(error).__name__})") from None

"""JSON as Python data, by orjson where it is installed, with errors that say where it breaks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

from curveclinic.errors import LogError
from curveclinic.readers.source import Source, without_bom
from curveclinic.readers.torn_json import settle_last, whole_part

_OPENING = re.compile(
    rb"\s*(?:\{\s*(?:[\"}]|\Z)|\[(?![^\[\]{}\"\n]*\][ \t]*[^\s,\]])\s*(?:[\[{\"\]\d-]|true|false|null|NaN|Infinity|\Z))"
)


def opens_document(data: bytes) -> bool:
    """Says whether bytes begin as a JSON document does.

    `[section]` of a settings file, JSON with comments, `{'loss': 1}`, `[0] rmse: 1` and `[10:31:07] step` of a log do
    not.
    """
    return _OPENING.match(without_bom(data)) is not None


@cache
def _fast() -> Callable[[bytes], Any] | None:
    """Returns orjson's parser if it is installed: 2-4 times as fast, but without NaN and Infinity."""
    if find_spec("orjson") is None:
        return None
    import orjson

    parse: Callable[[bytes], Any] = orjson.loads
    return parse


def parse_json(data: bytes) -> Any:
    """Returns the document in bytes; bare NaN and Infinity are accepted, as Python's own `json` writes them.

    Raises:
        ValueError, RecursionError: the bytes are no JSON.
    """
    fast = _fast()
    if fast is not None:
        try:
            return fast(data)
        except ValueError:
            pass  # NaN, whole numbers beyond 64 bits, or no JSON at all: the slow parser tells
    return json.loads(data)


def load_json(source: Source) -> tuple[Any, tuple[str, ...]]:
    """Returns the document of a source, and the note on one that ends too early, of which it is what is whole.

    Lists, a line each, are one list.

    Raises:
        LogError: the bytes are no JSON.
    """
    data = without_bom(source.content())
    try:
        return parse_json(data), ()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        listed = _listed(data)
        if listed is not None:
            return listed, ()
        torn = _torn(data)
        if torn is None:
            where = f" at line {error.lineno} ({error.msg})" if isinstance(error, json.JSONDecodeError) else ""
            raise LogError(f"{source.path}: broken JSON{where}; is it still written?") from None
        return torn, (f"the JSON is cut short at line {_n_lines(data):,}: what is whole before it is read",)
    except (ValueError, RecursionError) as error:
        raise LogError(f"{source.path}: no readable JSON ({type(error).__name__})") from None


def _listed(data: bytes) -> list[Any] | None:
    """Returns the items of lists that stand in a line each; None where a line is no list."""
    lines = [line for line in data.split(b"\n") if line.strip()]
    if not all(line.lstrip().startswith(b"[") for line in lines):
        return None
    try:
        return [item for line in lines for item in parse_json(line)]
    except (ValueError, RecursionError):
        return None


def _torn(data: bytes) -> Any:
    """Returns what is whole in a document that ends too early; None where nothing is, and where it is broken."""
    part = whole_part(data)
    if part is None:
        return None
    try:
        document = parse_json(part[0])
    except (ValueError, RecursionError):
        return None
    settle_last(document, part[1])
    return document or None


def _n_lines(data: bytes) -> int:
    return data.rstrip().count(b"\n") + 1

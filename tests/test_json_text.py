import json
import math
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curveclinic.readers import json_text
from curveclinic.readers.json_text import parse_json


@pytest.fixture
def without_orjson(monkeypatch):
    monkeypatch.setitem(sys.modules, "orjson", None)
    json_text._fast.cache_clear()
    yield
    json_text._fast.cache_clear()


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=12,
)


def equal(a, b):
    """Equal, NaN equal to NaN, whole numbers beyond 64 bits equal as floats."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, (int, float)) and isinstance(b, (int, float)) and not isinstance(a, bool):
        return float(a) == float(b) or (math.isnan(a) and math.isnan(b))
    return type(a) is type(b) and a == b


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_both_parsers_agree(value):
    text = json.dumps(value).encode()
    assert equal(parse_json(text), json.loads(text))


@pytest.mark.parametrize("text", [b'{"loss": [1.0, NaN, Infinity, -Infinity]}', b'{"a": "\\ud800"}', b" [1] "])
def test_what_orjson_refuses_python_reads(text):
    assert repr(parse_json(text)) == repr(json.loads(text))


def test_orjson_is_not_needed(without_orjson):
    assert json_text._fast() is None
    assert parse_json(b'{"loss": [2.0, 1]}') == {"loss": [2.0, 1]}


def test_orjson_is_used_where_it_is_installed():
    orjson = pytest.importorskip("orjson")
    json_text._fast.cache_clear()
    assert json_text._fast() is orjson.loads


def test_broken_json_is_told_by_python():
    with pytest.raises(json.JSONDecodeError, match="line 1 column 6"):
        parse_json(b'{"a":')

import numpy as np
import pytest

from curveclinic.deciding.clauses import Clause, Names, Program, above, all_of, any_of, below, holds, where_logged
from curveclinic.deciding.degrees import between

Q = Names()
NUMBERS = {
    "a": np.array([0.0, 0.25, 0.5, 1.0, np.nan]),
    "b": np.array([1.0, 0.7, 0.2, 0.0, 0.3]),
    "yes": np.array([1.0, 0.0, 1.0, 0.0, np.nan]),
}


def degrees_of(*statements):
    with np.errstate(invalid="ignore"):
        return Program(statements).degrees(NUMBERS)


def test_clauses_are_worked_out_as_their_cuts_say():
    found = degrees_of(above(Q["a"], 0.1, 0.6), below(Q["b"], 0.1, 0.6))
    np.testing.assert_array_equal(found[0], between(NUMBERS["a"], 0.1, 0.6))
    np.testing.assert_array_equal(found[1], between(NUMBERS["b"], 0.6, 0.1))


def test_statements_may_be_nested_and_denied_in_any_order():
    a, b = above(Q["a"], 0.0, 1.0), above(Q["b"], 0.0, 1.0)
    x, y = between(NUMBERS["a"], 0.0, 1.0), between(NUMBERS["b"], 0.0, 1.0)
    inner = any_of(all_of(a, 1.0 - b), 1.0 - a)
    found = degrees_of(all_of(1.0 - inner, b), inner, any_of(1.0 - b, a))
    expected = np.maximum(np.minimum(x, 1.0 - y), 1.0 - x)
    np.testing.assert_array_equal(found, [np.minimum(1.0 - expected, y), expected, np.maximum(1.0 - y, x)])


def test_what_several_statements_ask_for_is_one_clause():
    assert above(Q["a"], 0.1, 0.6) == Clause("a", 0.1, 0.6) == below(Q["a"], 0.6, 0.1)


def test_nan_is_absent_and_a_missing_channel_excuses():
    found = degrees_of(holds(Q["yes"]), where_logged(Q["a"], holds(Q["yes"])))
    np.testing.assert_array_equal(found, [[1, 0, 1, 0, 0], [1, 0, 1, 0, 1]])


def test_only_the_contrary_can_be_subtracted():
    with pytest.raises(ValueError, match=r"found 2\.0 - statement"):
        2.0 - above(Q["a"], 0.0, 1.0)

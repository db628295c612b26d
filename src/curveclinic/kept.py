"""`kept`: a property that is worked out when it is first asked for, and then lies in the object's dict.

`functools.cached_property` does the same behind a lock before Python 3.12, which costs more than what is kept here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class kept(Generic[Value]):
    """Decorates a method of an object with a dict; two threads that ask at once may both work it out."""

    def __init__(self, work_out: Callable[[Any], Value]) -> None:
        self._work_out, self._name = work_out, work_out.__name__
        self.__doc__ = work_out.__doc__

    def __get__(self, owner: object, kind: type | None = None) -> Value:
        value = owner.__dict__[self._name] = self._work_out(owner)
        return value

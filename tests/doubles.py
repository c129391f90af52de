"""Helpers that the tests of several rooms share."""

from collections.abc import Callable, Iterable
from typing import TypeVar

__all__ = ["feed_three_ways"]

T = TypeVar("T")


def feed_three_ways(make: Callable[[], Callable[[bytes], Iterable[T]]], data: bytes, tail: bytes) -> list[T]:
    """Feed a parser whole, byte by byte and with a tail, and return what came out.

    Args:
        make: builds a new parser and returns its function "bytes in, values out".
        data: complete lines or messages.
        tail: the beginning of something incomplete, which must change nothing.

    Raises:
        AssertionError: the three ways gave different values.
    """
    whole = list(make()(data))
    receive = make()
    by_byte = [value for at in range(len(data)) for value in receive(data[at : at + 1])]
    assert by_byte == whole, "byte by byte gave something else than the whole"
    with_tail = list(make()(data + tail))
    assert with_tail == whole, "a tail changed what came before it"
    return whole

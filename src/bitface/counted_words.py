"""Counts with their nouns and verbs: what is said of one is said otherwise of two, and of none, and of all."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """`1 file`, `2 files`; with `many` where that is not `one` and an s: `1 person is`, `2 people are`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def counted_people(count: int) -> str:
    """`1 person`, `2 people`."""
    return counted(count, "person", "people")


def not_read(lost: int, read: int, of: int, what: str = "input") -> str:
    """How many of the things that were given could not be read, and how many could; others were not asked to be read.

    `lost` is 1 at least, and `lost` and `read` together are at most `of`.
    """
    if of == 1:
        return f"the {what} could not be read"
    if lost == of:
        return f"none of the {of} {what}s could be read"
    return f"{lost} of {of} {what}s could not be read" + (f", {read} could" if read else "")


def some_of(
    count: int, of: int, verb: tuple[str, str], where: str = "", what: tuple[str, str] = ("person", "people")
) -> str:
    """`1 of 12 people in it is`, `2 of 12 people in it are`: some of the people, or of `what`, with the verb of one and of more."""
    return f"{count} of {counted(of, *what)}{where} {verb[count != 1]}"

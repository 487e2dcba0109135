"""How our steps become Prefect's tasks, without what costs Prefect time and gives us nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.context import TagsContext

from bitface.steps.people.naming_nobody import naming_nobody

P = ParamSpec("P")
R = TypeVar("R")


def step(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """Calls a function as a task; our own content keys decide what is reused, so Prefect caches and pickles nothing.

    Prefect looks at every object inside what a task is called with, and a run names thousands (a seventh of a second for each task):
    so it is called with nothing. What Prefect keeps of an error names nobody.
    """
    body: Any = naming_nobody()(function)
    own: Any = task(
        partial(body, *arguments, **named), name=function.__name__, cache_policy=NO_CACHE, persist_result=False
    )
    return cast(R, own())


def untagged() -> AbstractContextManager[Any]:
    """Tasks without the tags of their flow run: for those Prefect asks its server before each task, two seconds where the
    connection has gone stale meanwhile.
    """
    return TagsContext(current_tags=set())

"""Runs our steps as Prefect tasks, without the features that cost time and that we do not use."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.context import TagsContext

from bitface.steps.people.names_removed import names_removed

P = ParamSpec("P")
R = TypeVar("R")


def step(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """Calls a function as a task; our own content keys decide what is reused, so Prefect caches and pickles nothing.

    Prefect inspects every object in a task's arguments, and a run contains thousands (a seventh of a second per task), so tasks get
    no arguments. Errors that Prefect stores contain no names.
    """
    nameless: Any = names_removed()(function)
    body: Any = partial(nameless, *arguments, **named)
    own: Any = task(body, name=function.__name__, cache_policy=NO_CACHE, persist_result=False)
    return cast(R, own())


def untagged() -> AbstractContextManager[Any]:
    """Tasks without the tags of their flow run: with tags, Prefect queries its server before each task, which takes two seconds
    if the connection has gone stale meanwhile.
    """
    return TagsContext(current_tags=set())

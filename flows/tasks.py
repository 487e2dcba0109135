"""How our steps become Prefect's tasks, without what costs Prefect time and gives us nothing."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.context import TagsContext

from bitface.steps.naming_nobody import naming_nobody


def step(function: Any, *fixed: Any) -> Any:
    """A plain function as a task; our own content keys decide what is reused, so Prefect caches and pickles nothing.

    `fixed` are its first arguments. Prefect looks at every object inside what a task is called with, and a run names thousands:
    a seventh of a second for each task. What Prefect keeps of an error names nobody.
    """
    bound: Any = partial(naming_nobody()(function), *fixed)
    return task(bound, name=function.__name__, cache_policy=NO_CACHE, persist_result=False)


def untagged() -> AbstractContextManager[Any]:
    """Tasks without the tags of their flow run: for those Prefect asks its server before each task, two seconds where the
    connection has gone stale meanwhile.
    """
    return TagsContext(current_tags=set())

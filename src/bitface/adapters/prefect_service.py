"""Calls to a Prefect server: deployments with their schedules, runs that a crash left open, events and notices."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from bitface.documents import Document, Fields
from bitface.errors import InputError
from bitface.ports import Deployment, Reaction

POOL: Final = "bitface"
ZOMBIES: Final = "bitface: close runs without a heartbeat"
BREATH_S: Final = 30
"""Seconds between heartbeats of a flow run; Prefect requires 30 or more."""


def deploy(
    deployments: Sequence[Deployment],
    reactions: Sequence[Reaction],
    root: Path,
    environment: Mapping[str, str],
    tags: Sequence[str],
) -> dict[str, str]:
    """Creates or updates deployments, with one run of each at a time, and their reactions; returns name -> id.

    The same call again changes nothing. Their processes get `environment` in addition to the worker's.

    Raises:
        InputError: a schedule that cannot be read.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.deployments.runner import RunnerDeployment
    from prefect.exceptions import ObjectAlreadyExists
    from prefect.types.entrypoint import EntrypointType

    with get_client(sync_client=True) as client, contextlib.suppress(ObjectAlreadyExists):
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
    ids = {}
    for one in deployments:
        module, _, name = one.entrypoint.rpartition(".")
        deployment = RunnerDeployment.from_flow(
            getattr(import_module(module), name),
            name=one.name,
            work_pool_name=POOL,
            schedules=_schedules(one),
            concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE),
            parameters=dict(one.parameters),
            description=one.description,
            tags=list(tags),
            job_variables={"env": dict(environment), "working_dir": str(root)},
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        ids[one.name] = str(deployment.apply())
    _automate(reactions, ids)
    return ids


def _schedules(one: Deployment) -> list[Any]:
    from prefect.schedules import Cron, Interval

    try:
        if one.cron is not None:
            return [Cron(one.cron, timezone="UTC")]
        return [Interval(timedelta(seconds=one.every_s))] if one.every_s else []
    except ValueError as error:
        raise InputError(
            f"'{one.every_s if one.cron is None else one.cron}' is not a valid schedule; write a cron expression such as '0 3 * * 1'"
        ) from error


def _automate(reactions: Sequence[Reaction], ids: Mapping[str, str]) -> None:
    from prefect.automations import Automation, EventTrigger, Posture, ResourceSpecification
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState, RunDeployment

    ends = {f"prefect.flow-run.{name}" for name in ("Completed", "Failed", "Cancelled", "Crashed")}
    wanted = [
        Automation(
            name=one.name,
            trigger=EventTrigger(expect={one.event}, posture=Posture.Reactive, threshold=1, within=timedelta(0)),
            actions=[RunDeployment(deployment_id=ids[one.deployment])],
        )
        for one in reactions
    ]
    wanted.append(
        Automation(
            name=ZOMBIES,
            trigger=EventTrigger(
                after={"prefect.flow-run.heartbeat"},
                expect={"prefect.flow-run.heartbeat", *ends},
                match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
                for_each={"prefect.resource.id"},
                posture=Posture.Proactive,
                threshold=1,
                within=timedelta(seconds=3 * BREATH_S),
            ),
            actions=[ChangeFlowRunState(state=StateType.CRASHED, message="no heartbeat for three intervals")],
        )
    )
    for automation in wanted:
        _put(automation)


def _put(automation: Any) -> None:
    from prefect.automations import Automation

    try:
        known: Any = Automation.read(name=automation.name)
    except ValueError:
        known = None
    if known is None:
        automation.create()
        return
    automation.id = known.id
    automation.update()


def scheduled() -> list[Document]:
    """Every deployment of our pool: name, whether it is paused, its schedules in words, and its next run if one is planned."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName

    with get_client(sync_client=True) as client:
        pool = WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL]))
        found = client.read_deployments(work_pool_filter=pool)
        return [
            {
                "name": one.name,
                "paused": one.paused,
                "schedules": [_words(entry.schedule) for entry in one.schedules],
                "description": one.description,
            }
            for one in sorted(found, key=lambda one: one.name)
        ]


def _words(schedule: Any) -> str:
    return f"{schedule.cron} UTC" if hasattr(schedule, "cron") else f"every {schedule.interval.total_seconds():.0f} s"


def close_left_running(flow_name: str, tag: str) -> tuple[str, ...]:
    """Marks as crashed every run of a flow with a tag that is still RUNNING, except the caller's; a sentence for each.

    Prefect does nothing on `kill -9`. Call it only when no such run can be alive.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowFilter,
        FlowFilterName,
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
        FlowRunFilterTags,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.runtime import flow_run
    from prefect.states import Crashed

    own = str(flow_run.id or "")
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[flow_name])),
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING])),
                tags=FlowRunFilterTags(all_=[tag]),
            ),
        )
        left = [run for run in found if str(run.id) != own]
        for run in left:
            client.set_flow_run_state(run.id, Crashed(message="its process ended unexpectedly"), force=True)
    return tuple(
        f"flow run {run.name} was left RUNNING by a process that ended; it is now marked as crashed" for run in left
    )


def send_event(event: str, about: str, payload: Fields) -> None:
    """Sends an event that automations may react to; it contains no personal data."""
    from prefect.events import emit_event

    emit_event(event=event, resource={"prefect.resource.id": f"bitface.{about}"}, payload=dict(payload))


def notify(block: str, subject: str, body: str) -> None:
    """Sends a message through a notification block of Prefect, named as "type/name", for example slack-webhook/team.

    Raises:
        InputError: there is no such block, or it cannot send notifications.
    """
    from prefect.blocks.abstract import NotificationBlock
    from prefect.blocks.core import Block

    try:
        loaded = Block.load(block)
    except ValueError as error:
        raise InputError(
            f"Prefect block '{block}' does not exist; create it, or set schedule.notify to null"
        ) from error
    if not isinstance(loaded, NotificationBlock):
        raise InputError(f"Prefect block '{block}' cannot send notifications; name a notification block")
    loaded.notify(body, subject)  # type: ignore[unused-coroutine]

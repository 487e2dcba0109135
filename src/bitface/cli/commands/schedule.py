"""`bitface schedule`, `bitface worker`: scheduled flows and the process that runs them."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from bitface.cli.output import AsJson, emit, raise_exit_of

YEAR_S: Final = 366 * 24 * 3600


def schedule(
    cron: Annotated[
        str | None, typer.Option(help="When to retrain: a cron expression in UTC. Default: the one in params.yaml.")
    ] = None,
    every: Annotated[
        float | None, typer.Option(min=1, max=YEAR_S, help="Retrain every N seconds instead, for testing.")
    ] = None,
    profile: Annotated[str, typer.Option(help="quick, default or full.")] = "default",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a parameter: key=value. Repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create the Prefect deployments: scheduled retrain, nightly consent check, and the retrain it can trigger."""
    from bitface.bootstrap.opening import ready_for_flow
    from bitface.flows.service import schedule_all

    rows = schedule_all(ready_for_flow(profile, tuple(set_ or ())), cron, every, tuple(set_ or ()))
    lines = [f"{row['name']:<8} {', '.join(row['schedules']) or 'when asked':<20} {row['description']}" for row in rows]
    emit(rows, "\n".join([*lines, "run them with `bitface worker`"]), as_json)


def worker(
    port: Annotated[int, typer.Option(help="Port of Prefect's server and UI on 127.0.0.1.")] = 4200,
) -> None:
    """Run scheduled flows until Ctrl-C; starts a Prefect server unless PREFECT_API_URL names one.

    That server listens on 127.0.0.1 only and asks for a password, new at each start. No option exposes it to other machines or
    other sites' pages, or turns the password off. From another machine, forward the port: ssh -L PORT:127.0.0.1:PORT.
    """
    from bitface.bootstrap.opening import ready_for_flow
    from bitface.bootstrap.orchestrator import serve_schedule

    raise_exit_of(serve_schedule(ready_for_flow(), port))

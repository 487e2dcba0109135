"""`bitface schedule`, `bitface worker`: what runs by itself, and the process that runs it."""

from __future__ import annotations

from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit, raise_exit_of


def schedule(
    cron: Annotated[
        str | None, typer.Option(help="When to retrain, as a cron line in UTC; params.yaml's by default.")
    ] = None,
    every: Annotated[float | None, typer.Option(help="Retrain every so many seconds instead: to see it fire.")] = None,
    profile: Annotated[str, typer.Option(help="quick, default or full.")] = "default",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value over params.yaml; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Creates the Prefect deployments: a weekly retrain, a nightly look at consents, and the retrain that it may ask for."""
    from bitface.flows.service import schedule_all
    from bitface.flows.wiring import ready_for_flow

    rows = schedule_all(ready_for_flow(profile, tuple(set_ or ())), cron, every, tuple(set_ or ()))
    lines = [f"{row['name']:<8} {', '.join(row['schedules']) or 'when asked':<20} {row['description']}" for row in rows]
    emit(rows, "\n".join([*lines, "run them with `bitface worker`"]), as_json)


def worker(
    port: Annotated[int, typer.Option(help="Port of Prefect's server and UI on 127.0.0.1.")] = 4200,
) -> None:
    """Runs what is scheduled until Ctrl-C; starts a Prefect server unless PREFECT_API_URL names one.

    That server answers on 127.0.0.1 alone and asks for a password, which is new at each start; no option opens it to other machines, to
    other sites' pages or without a password. From another machine, forward the same port: ssh -L PORT:127.0.0.1:PORT.
    """
    from bitface.flows.service import serve_schedule
    from bitface.flows.wiring import ready_for_flow

    raise_exit_of(serve_schedule(ready_for_flow(), port))

"""`bitface retrain`, `bitface gate ...` and `bitface ui`: start the main flow, look at what it decided."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit, raise_exit_of, warn, writable_file

gate_app = typer.Typer(no_args_is_help=True, help="Decisions: show one, replay one, hand one out.")


def retrain(
    profile: Annotated[str, typer.Option(help="quick, default or full.")] = "default",
    purpose: Annotated[
        str, typer.Option(help="train, or benchmark (licence instead of consent; never promoted).")
    ] = "train",
    context: Annotated[str | None, typer.Option(help="Context of use; params.yaml's by default.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value over params.yaml; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The main job: version, validate, train, binarize, explain, gate, register; exit 3 when the gate says hold or block."""
    from bitface.flows.wiring import check_retrain, start_server
    from bitface.steps.summary import summary_text

    check_retrain(profile, set_ or (), purpose, context)
    start_server()
    from bitface.flows.retrain import RetrainRequest, run_here

    request = RetrainRequest(profile=profile, purpose=purpose, context=context, overrides=tuple(set_ or ()))
    summary = run_here(request)
    for line in summary["warnings"]:
        warn(line)
    emit(summary, summary_text(summary), as_json)
    if summary["exit_code"]:
        raise typer.Exit(summary["exit_code"])


@gate_app.command()
def show(run: Annotated[str, typer.Argument(help="Run id, as the summary names it.")], as_json: AsJson = False) -> None:
    """The decision of a run, cell by cell."""
    from bitface.flows.wiring import open_tools
    from bitface.steps.gate import check_judged, decision_text, recorded_decision
    from bitface.steps.model_choice import status_of_run

    tools = open_tools()
    runs = tools.workspace.runs
    with tools.ledger as ledger:
        check_judged(run, runs, ledger)
        status, recorded = status_of_run(run, ledger), recorded_decision(run, runs, ledger)
    decision = recorded | {"status": status.document() if status else None}
    text = decision_text(decision)
    emit(decision, f"{status.line}\n{text}" if status else text, as_json)


@gate_app.command()
def replay(bundle: Annotated[Path, typer.Argument(help="A gate bundle.")], as_json: AsJson = False) -> None:
    """Re-derives a decision from its bundle, bit for bit, with no access to faces; exit 2 when it differs.

    People in it are sealed: this works where it was judged, and anywhere with a copy that `bitface gate open` made there.
    """
    from bitface.steps.gate import replay_bundle

    outcome = replay_bundle(bundle, _unsealed)
    said = "identical to what was recorded" if outcome["identical"] else "NOT what was recorded"
    emit(outcome, f"{outcome['decision']}: {said}", as_json)
    if not outcome["identical"]:
        raise typer.Exit(2)


@gate_app.command(name="open")
def open_(
    run: Annotated[str, typer.Argument(help="Run id, as the summary names it.")],
    out: Annotated[Path, typer.Option(callback=writable_file, help="File for the copy, outside of this installation.")],
    as_json: AsJson = False,
) -> None:
    """Writes a copy of a run's bundle that an auditor replays anywhere: without names, the rows of people in the clear; noted."""
    from bitface.flows.wiring import open_tools
    from bitface.steps.gate import check_judged, hand_out

    tools = open_tools()
    with tools.ledger as ledger:
        check_judged(run, tools.workspace.runs, ledger)
    sha256 = hand_out(run, out, tools.workspace, tools.keys)
    said = f"{out} replays anywhere: bitface gate replay {out}"
    said += "\n  it has a row for each person, without names; delete it when it was looked at"
    said += f"\n  digest on record: {sha256}"
    emit({"run_id": run, "file": str(out), "sha256": sha256}, said, as_json)


def _unsealed(sealed: bytes, run_id: str) -> bytes:
    """What is sealed, by this installation's keys; they are looked for where something is."""
    from bitface.dataset.sealed_evidence import open_evidence
    from bitface.flows.wiring import open_keys, workspace

    return open_evidence(sealed, run_id, open_keys(workspace()))


def ui(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 5000,
) -> None:
    """MLflow's UI on 127.0.0.1; stop it with Ctrl-C.

    It asks for a password, which is new at each start; no option opens it to other machines, to other sites' pages or without a
    password. From another machine, forward the same port: ssh -L PORT:127.0.0.1:PORT.
    """
    from bitface.flows.wiring import serve_ui

    raise_exit_of(serve_ui(port))

"""`bitface policy`: which limits, rules and approvals are in force, and putting others into force."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitface.cli.output import AsJson, emit
from bitface.surroundings import user_name

policy_app = typer.Typer(
    no_args_is_help=True,
    help="The policy in force: limits, required cells, approvals. Show it, or adopt params.yaml's.",
)


@policy_app.command()
def show(as_json: AsJson = False) -> None:
    """The policy in force, who adopted it and why, and how params.yaml differs from it."""
    from bitface.flows.wiring import open_tools
    from bitface.steps.policy import policy_differences

    tools = open_tools()
    with tools.ledger as ledger:
        policy, other = ledger.policy(), policy_differences(tools.workspace.params, ledger)
    if policy is None:
        emit(None, "no policy is in force yet: the first retrain adopts that of params.yaml", as_json)
        return
    rule = policy.rule
    lines = [
        f"policy {policy.sha256[:16]}, adopted {policy.adopted_at[:16].replace('T', ' ')} UTC by {policy.actor}",
        f"  why        {policy.reason}",
        f"  approvals  {rule.required} people{', as ' + ' and '.join(rule.roles) if rule.roles else ''}",
        *(f"  params.yaml, profile {name}: {said}" for name, own in other.items() for said in own),
    ]
    document = {
        "policy_sha256": policy.sha256,
        "adopted_at": policy.adopted_at,
        "actor": policy.actor,
        "reason": policy.reason,
        "key_id": policy.key_id,
        "profiles": policy.profiles,
        "differences": other,
    }
    emit(document, "\n".join(lines), as_json)


@policy_app.command()
def adopt(
    why: Annotated[str, typer.Option(help="The reason, kept on record for good; it should name nobody.")],
    key: Annotated[
        Path | None, typer.Option(help="File of a compliance key; needed where promotions need approvals.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Puts the limits, rules and approvals of params.yaml into force: only decisions by them are promoted from now on."""
    from bitface.flows.wiring import open_tools
    from bitface.steps.policy import adopt as put_into_force

    tools = open_tools()
    with tools.ledger as ledger:
        policy, is_new = put_into_force(tools.workspace.params, user_name(), why, key, ledger)
    said = "is in force now" if is_new else "was in force already"
    emit({"policy_sha256": policy.sha256, "new": is_new}, f"policy {policy.sha256[:16]} {said}", as_json)

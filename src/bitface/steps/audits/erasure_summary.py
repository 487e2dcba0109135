"""An erasure in short, as JSON and as text, from its proof or its blast radius; and whether anything of the people is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bitface.counted_words import counted, counted_people
from bitface.errors import GateError

_NAMED: Final = 3


def summary_of(document: Mapping[str, Any], dry_run: bool) -> dict[str, Any]:
    """JSON of INTERFACE `erase`, from a proof or a blast radius."""
    radius = document if dry_run else document["radius"]
    retrained = {} if dry_run else document["retrain"]
    return {
        "subjects": document["subjects"],
        "dry_run": dry_run,
        "datasets": radius["datasets"],
        "models": [f"{model['name']}/{model['version']}" for model in radius["models"]],
        "files_removed": len(radius["own_files"]) + len(radius["files_with_others"])
        if dry_run
        else document["files_deleted"],
        "keys_destroyed": 0 if dry_run else len(document["keys_destroyed"]),
        "evidence_destroyed": [] if dry_run else document.get("evidence_destroyed", []),
        "retrained": None if dry_run else retrained.get("run_id"),
        "decision": retrained.get("decision"),
        "not_retrained": retrained.get("failed") or retrained.get("not_needed"),
        "proof": None if dry_run else document["proof"],
        "found": [] if dry_run else document["found"],
        "found_at": [] if dry_run else document["found_at"],
        "in_dataset_now": [] if dry_run else document["in_dataset_now"],
        "earlier_erasures": [] if dry_run else document["earlier_erasures"],
        "searched": [] if dry_run else document["searched"],
        "not_searched": [] if dry_run else document["not_searched"],
        "kept_for_others": [] if dry_run else document["kept_for_others"],
        "seconds": {} if dry_run else document["seconds"],
        **({"radius": dict(radius)} if dry_run else {}),
    }


def check_gone(proofs: Sequence[Mapping[str, Any]]) -> None:
    """Raises GateError, with a remedy, if any of their data were found after everything was done."""
    left = [f"{one['path']} ({one['what']})" for proof in proofs for one in proof["found_at"]]
    remaining = sum(len(proof["in_dataset_now"]) for proof in proofs)
    left += [f"{counted_people(remaining)} in the dataset"] if remaining else []
    if left:
        more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
        raise GateError(
            f"some of their data remain: {', '.join(left[:_NAMED])}{more}; delete these, then erase the people again: a "
            "second proof is added"
        )


def erase_text(found: Mapping[str, Any]) -> str:
    """The same for a terminal."""
    subjects = counted_people(len(found["subjects"]))
    lines = [f"would erase {subjects}" if found["dry_run"] else f"erased {subjects}"]
    lines.append(
        f"  in {counted(len(found['datasets']), 'dataset version')}, models {', '.join(found['models']) or 'none'}"
    )
    lines.append(f"  {counted(found['files_removed'], 'file')}, {counted(found['keys_destroyed'], 'key')} destroyed")
    if found["evidence_destroyed"]:
        lines.append(f"  the gate evidence of {counted(len(found['evidence_destroyed']), 'run')} can no longer be read")
    if not found["dry_run"]:
        lines.append(f"  retrained: {found['retrained'] or 'no'}, decision {found['decision'] or 'none'}")
        lines += [f"    because {found['not_retrained']}"] if found.get("not_retrained") else []
        lines.append(f"  remaining data: {', '.join(found['found']) or 'none found'}; searched:")
        lines += [f"    {one['what']} ({one['place']}, {counted(one['files'], 'file')})" for one in found["searched"]]
        lines += [f"    not searched: {one}, which bitface does not write to" for one in found["not_searched"]]
        lines += [f"  kept in {one['store']}: {_needed(one)}" for one in found["kept_for_others"]]
        lines.append(f"  proof: {found['proof']}")
    return "\n".join(lines)


def resumed_text(done: Sequence[Mapping[str, Any]]) -> str:
    """The result of a resumption, for a terminal."""
    if not done:
        return "no erasure was interrupted, and no erased person has reappeared"
    return "\n".join(map(erase_text, done))


def _needed(kept: Mapping[str, Any]) -> str:
    """What is kept for another dataset, and how to remove it."""
    return f"{counted(kept['versions'], 'version')} with them that another dataset needs, {kept['dataset']}; erase them there too"

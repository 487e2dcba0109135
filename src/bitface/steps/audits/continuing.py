"""Continues after a newer ledger is lost for good: erasures come first, and anything unknown counts as refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bitface.counted_words import counted
from bitface.errors import InputError, IntegrityError
from bitface.ledger.entries import Checkpoint
from bitface.ledger.ledger import Ledger
from bitface.ledger.lost_logs import PURPOSE, ROLE, Gap
from bitface.ledger.permissions.signatures import key_of, signature_of
from bitface.steps.audits.checkpoint_files import statement_in
from bitface.steps.audits.checkpoints import Checkpoints
from bitface.steps.versions.approve import private_key
from bitface.steps.versions.policy import REASON_MAX

LATEST = "latest"


def missing_end(named: str, checkpoints: Checkpoints) -> tuple[Checkpoint, Mapping[str, Any]]:
    """The checkpoint of the lost log, from its file or the latest elsewhere, with its whole content.

    Raises:
        InputError: there is none with that name. IntegrityError: it is not this installation's.
    """
    if named != LATEST:
        return statement_in(Path(named), checkpoints.home)
    found = checkpoints.statement_elsewhere()
    if found is None:
        raise InputError("BITFACE_CHECKPOINTS has no checkpoint of this installation; name a checkpoint file")
    return found


def continue_after(missing: Checkpoint, actor: str, reason: str, key: Path | None, ledger: Ledger) -> None:
    """Records that the log continues without the entries up to a checkpoint, signed by the key in a file if one is named.

    Raises:
        InputError: the log contains it, a later one is known, or no reason is given. IntegrityError: the log itself is invalid.
        RefusedError: promotions need approvals here, but it is not signed by compliance.
    """
    if not reason.strip() or len(reason) > REASON_MAX:
        raise InputError(f"the reason has {len(reason.strip())} characters; write 1 to {REASON_MAX} with --why")
    if not ledger.verify_chain().intact:
        raise IntegrityError("the log itself was edited; restore the ledger from a backup before continuing it")
    later = [end for end in ledger.kept_ends() if end.name > missing.name and not ledger.holds(end)]
    if later:
        raise InputError(
            f"a later checkpoint exists, with {counted(later[-1].size, 'entry', 'entries')}; continue from that one"
        )
    gap = Gap(missing_size=missing.size, missing_sha256=missing.head_sha256, actor=actor, reason=reason.strip())
    if key is not None:
        private = private_key(key)
        signature = signature_of(PURPOSE, gap.facts(), private)
        gap = replace(gap, key_id=key_of("", ROLE, private).key_id, signature=signature)
    if ledger.holds(missing) or not ledger.continue_after(gap):
        raise InputError(
            f"the log contains the checkpoint of {counted(missing.size, 'entry', 'entries')}: nothing is lost, and nothing was done"
        )

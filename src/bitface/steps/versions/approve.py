"""People's keys and their approvals: a private key stays in its owner's file, the ledger stores the public half and the signatures."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from bitface.dataset.plain_files import KEY_BYTES, read_named
from bitface.errors import GateError, InputError, IntegrityError
from bitface.ledger.entries import MODEL_NAME, DecisionEntry, KeyEntry, ModelEntry, Statement
from bitface.ledger.ledger import Ledger
from bitface.ledger.permissions.approvals import endorsed, signed
from bitface.ledger.permissions.people_names import folded_name, person_name
from bitface.ledger.permissions.signatures import key_of
from bitface.steps.versions.model_choice import existing_versions


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A version with the gate's latest decision on it, and the statement that an approval signs (role left open)."""

    model: ModelEntry
    decision: DecisionEntry
    statement: Statement


def standing(version: int, ledger: Ledger) -> Standing:
    """What is on record about a version.

    Raises:
        InputError: no such version. GateError: the gate's latest decision on it is not promote.
    """
    model = ledger.model(version)
    if model is None:
        raise InputError(f"'{MODEL_NAME}' has no version {version}; {existing_versions(ledger)}")
    decisions = ledger.decisions(model.bundle_sha256)
    if not decisions or decisions[-1].decision != "promote":
        latest = decisions[-1].decision if decisions else "nothing"
        look = f"`bitface gate show {decisions[-1].run_id}` says why" if decisions else "retrain"
        raise GateError(f"the gate's decision on version {version} is {latest}; only promote can go live; {look}")
    run = ledger.run_of(model)
    dataset = ledger.dataset(run.dataset_version) if run else None
    if dataset is None:
        raise IntegrityError(f"the dataset version of version {version} is not on record; restore the ledger")
    statement = Statement(
        name=model.name,
        version=version,
        role="",
        bundle_sha256=model.bundle_sha256,
        decision_sha256=decisions[-1].decision_sha256,
        consent_snapshot_sha256=dataset.consent_snapshot_sha256,
    )
    return Standing(model=model, decision=decisions[-1], statement=statement)


def add_key(person: str, role: str, path: Path, ledger: Ledger, by: Path | None = None) -> KeyEntry:
    """Makes a key for a person, records its public half, and writes the private one to `path`, readable only by its owner.

    `by` is the file of the compliance key whose owner vouches for the person; the first key of all needs none.

    Raises:
        InputError: the file exists, its folder does not, the role is unknown, or the name is none, or one on record in another
            spelling. RefusedError: the key is not endorsed.
    """
    endorser = private_key(by) if by else None
    private = Ed25519PrivateKey.generate()
    entry = key_of(_new_or_same(person_name(person), ledger), role, private)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise InputError(f"'{path.name}' already exists; name another file, keys are never overwritten") from error
    except OSError as error:
        raise InputError(f"'{path.name}' cannot be written ({error.strerror}); name a folder that exists") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        ledger.add_key(entry, endorsed(entry, endorser) if endorser else None)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return entry


def _new_or_same(name: str, ledger: Ledger) -> str:
    others = {key.person for key in ledger.known_keys() if folded_name(key.person) == folded_name(name)}
    if others and name not in others:
        known = min(others)
        raise InputError(
            f"'{name}' is on record as '{known}': write --person '{known}', or tell two people apart by their names"
        )
    return name


def approve(version: int, role: str, path: Path, ledger: Ledger) -> tuple[KeyEntry, bool]:
    """Signs that a version may go live, with the key in a file; returns the key, and whether the approval is new.

    Raises:
        InputError: no such version, no bitface key in the file, or one of another role. GateError: the gate did not decide promote.
    """
    found, private = standing(version, ledger), private_key(path)
    own = key_of("", role, private)
    known = next((key for key in ledger.known_keys() if key.key_id == own.key_id), None)
    if known is None:
        raise InputError(f"the key in '{path.name}' is not on record; add keys with `bitface keys add`")
    statement = Statement(**{**asdict(found.statement), "role": role})
    return known, ledger.approve(signed(statement, known.key_id, private))


def private_key(path: Path) -> Ed25519PrivateKey:
    """The private key in a file; raises InputError if there is none."""
    try:
        found = load_pem_private_key(read_named(path, KEY_BYTES), password=None)
    except (ValueError, TypeError) as error:
        raise InputError(f"'{path.name}' is not a private key; name the file that `bitface keys add` wrote") from error
    if not isinstance(found, Ed25519PrivateKey):
        raise InputError(f"the key in '{path.name}' is not an Ed25519 key; make one with `bitface keys add`")
    return found

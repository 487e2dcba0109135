"""A gate's decision with all that it rests on, in one file: it is decided again, bit for bit, without one face.

What was decided, by which parameters and on which digests, anyone may read. What it rests on is rows of people: they are sealed, or
in the clear in a copy that its owner made for a person.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bitface.dataset.files import write_atomically
from bitface.errors import InputError, IntegrityError
from bitface.gate.bundle_rows import arrays_of, description_of, evidence_of, rows_of, text_of
from bitface.gate.cells import CellKind
from bitface.gate.container import UNREADABLE, packed, read_members, unpacked
from bitface.gate.decision import GateDecision, evaluate_gate
from bitface.gate.evidence import RULES, GateEvidence
from bitface.gate.kinds import kinds_asked, limits_unasked
from bitface.params import GateParams

FORMAT: Final = 7
_RULES_OF: Final[Mapping[int, int]] = {5: 5, 6: 6, FORMAT: RULES}
"""Format -> the edition of the rules that its decision was made by. Those before 7 name people, and are still read and replayed."""
DOCUMENT: Final = "gate.json"
SEALED: Final = "people.sealed"
_UNASKED: Final[Mapping[str, Any]] = {
    "required_values": {},
    "unknown_share_max": 0.0,
    "disparity_open_max": 0.5,
    "disparity_power": 0.8,
    "counterfactual_changed_max": 0.05,
    "counterfactual_shift_max": 0.25,
}
"""Parameters that the rules of edition 5 did not have; none of them is read when its bundles are replayed."""
_ANY_LIMIT: Final = 0.5
"""Stands for the limits of kinds of cells that are younger than a bundle. It is never read: those kinds are not judged."""
Seal = Callable[[bytes, str], bytes]
"""Encrypts the rows of people for a run, or opens them again; the id of the run is bound to them."""


@dataclass(frozen=True, kw_only=True)
class GateBundle:
    """Evidence, parameters and seed of a gate, the decision that it recorded as canonical JSON, and the digests of what was judged.

    `kinds` are those of the cells that were judged: one that was added later is not asked. `digests` names what the evidence speaks
    of, for example `run`, `model`, `dataset`, `consent_snapshot`. `names_people` says whether
    people and samples go by their own names, as before format 7, or by those of `gate.unnamed`.
    """

    evidence: GateEvidence
    params: GateParams
    kinds: tuple[CellKind, ...]
    seed: int
    digests: Mapping[str, str]
    recorded: str
    sha256: str
    names_people: bool


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What anyone may read of a bundle: the decision as it was recorded, what it speaks of, and the digest of the whole."""

    decision: Mapping[str, Any]
    digests: Mapping[str, str]
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Replay:
    """The decision derived again, and whether it is the recorded one, character for character."""

    decision: GateDecision
    identical: bool


def write_bundle(
    path: Path,
    evidence: GateEvidence,
    params: GateParams,
    seed: int,
    decision: GateDecision,
    digests: Mapping[str, str],
    seal: Seal | None = None,
) -> str:
    """Writes the bundle, whole or not at all; returns the SHA-256 of its content, which is the same whether `seal` seals it or not.

    The digest is that of `gate.json`, which holds the digest of the rows of people; `digests["run"]` names the run that they are
    sealed for.
    """
    rows = rows_of(evidence)
    document = _document(evidence, params, seed, decision, digests) | {"people_sha256": _rows_sha256(rows)}
    sha256 = _sha256(_canonical(document).encode())
    write_atomically(path, packed({DOCUMENT: text_of({**document, "sha256": sha256}), **_sealed(rows, digests, seal)}))
    return sha256


def read_bundle(path: Path, unseal: Seal | None = None) -> GateBundle:
    """The bundle at `path`; one whose people are sealed is opened by `unseal`.

    Raises:
        IntegrityError: it is missing, unreadable, of another format, sealed while there is no `unseal`, or any byte is not the one that
            was written. What `unseal` raises: it is not opened here.
    """
    try:
        document, rows = _opened(path, unseal)
        return _bundle(document, rows)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def read_recorded(path: Path) -> Recorded:
    """The decision that a bundle recorded, without the rows of people.

    Raises:
        IntegrityError: the bundle is missing, unreadable or of another format, or what is read is not what its digest names.
    """
    try:
        document, rows = _checked(path)
        if document["format"] != FORMAT:
            _check_former(document, rows, path)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    return Recorded(decision=document["decision"], digests=document["digests"], sha256=document["sha256"])


def write_unsealed(path: Path, source: Path, unseal: Seal) -> str:
    """Writes a copy of the bundle `source` with the rows of people in the clear; returns its digest, which is that of `source`.

    Raises:
        InputError: it is of a format that names people. IntegrityError: as `read_bundle`. What `unseal` raises.
    """
    try:
        document, rows = _opened(source, unseal)
    except UNREADABLE as error:
        raise _unreadable(source, error) from error
    if document["format"] != FORMAT:
        raise InputError(
            f"'{source.name}' contains pseudonyms, as all bundles before format {FORMAT} do; retrain, and export that run's bundle"
        )
    write_atomically(path, packed({DOCUMENT: text_of(document), **rows}))
    return str(document["sha256"])


def replay(bundle: GateBundle) -> Replay:
    """Decides again from the bundle alone."""
    decision = evaluate_gate(bundle.evidence, bundle.params, bundle.seed, bundle.kinds)
    return Replay(decision=decision, identical=decision.canonical() == bundle.recorded)


def _document(
    evidence: GateEvidence, params: GateParams, seed: int, decision: GateDecision, digests: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "evidence": description_of(evidence),
        "params": params.model_dump(mode="json"),
        "seed": seed,
        "digests": dict(digests),
        "decision": decision.document(),
    }


def _sealed(rows: Mapping[str, bytes], digests: Mapping[str, str], seal: Seal | None) -> Mapping[str, bytes]:
    return rows if seal is None else {SEALED: seal(packed(rows), digests["run"])}


def _opened(path: Path, unseal: Seal | None) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A bundle's document, and the rows of people in the clear, both as their digests name them."""
    document, rows = _checked(path)
    if document["format"] != FORMAT:
        _check_former(document, rows, path)
        return document, rows
    if SEALED in rows:
        if unseal is None:
            raise IntegrityError(f"the rows about people in '{path.name}' are sealed; pass a function that opens them")
        rows = unpacked(unseal(rows[SEALED], document["digests"]["run"]), path.name)
    _check(_rows_sha256(rows) == document["people_sha256"], path)
    return document, rows


def _checked(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A bundle's document, and its other members as they lie there; of a format before 7 nothing is checked yet."""
    data, members = read_members(path)
    text = members.pop(DOCUMENT)
    document: dict[str, Any] = json.loads(text)
    _check(document["format"] in _RULES_OF, path)
    if document["format"] == FORMAT:
        _check(text == text_of(document) and data == packed({DOCUMENT: text, **members}), path)
        _check(_sha256(_canonical(_covered(document)).encode()) == document["sha256"], path)
    return document, members


def _check_former(document: Mapping[str, Any], rows: Mapping[str, bytes], path: Path) -> None:
    """The digest of formats 5 and 6 covers the document and the values of arrays."""
    digest = hashlib.sha256(_canonical(_covered(document)).encode())
    for name, array in sorted(arrays_of(rows).items()):
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    _check(digest.hexdigest() == document["sha256"], path)


def _covered(document: Mapping[str, Any]) -> dict[str, Any]:
    """What the digest of a document covers."""
    return {name: value for name, value in document.items() if name != "sha256"}


def _bundle(document: Mapping[str, Any], rows: Mapping[str, bytes]) -> GateBundle:
    rules = _RULES_OF[document["format"]]
    params = {**(_UNASKED if rules < RULES else {}), **document["params"]}
    return GateBundle(
        evidence=evidence_of(document["evidence"], rows, rules),
        params=GateParams.model_validate({**dict.fromkeys(limits_unasked(params), _ANY_LIMIT), **params}),
        kinds=kinds_asked(params),
        seed=document["seed"],
        digests=document["digests"],
        recorded=_canonical(document["decision"]),
        sha256=document["sha256"],
        names_people=document["format"] != FORMAT,
    )


def _rows_sha256(rows: Mapping[str, bytes]) -> str:
    return _sha256(_canonical({name: _sha256(data) for name, data in rows.items()}).encode())


def _check(holds: bool, path: Path) -> None:
    if not holds:
        raise IntegrityError(f"'{path.name}' does not match its digest; fetch it again")


def _unreadable(path: Path, error: Exception) -> IntegrityError:
    return IntegrityError(f"cannot read a gate bundle from '{path.name}' ({type(error).__name__})")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _canonical(document: Any) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)

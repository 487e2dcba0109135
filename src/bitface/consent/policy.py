"""What no consent can override: prohibited contexts, licences of sources, and where a synthetic champion may predict.

An engineering reading of EU AI Act Art. 5(1)(f), not legal advice: inferring emotions at work or in education is
prohibited except for medical or safety reasons, so both contexts are refused without an approved record of such a reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import ErrorDetails

from bitface.consent.admission import Admission
from bitface.consent.events import Distinct, Identifier, Moment, Sha256, Text, canonical_json
from bitface.consent.filled_in import as_meant
from bitface.consent.unfilled import LICENCE_EXAMPLE, STILL_OPEN, example_of, licence_example, open_fields, see
from bitface.consent.vocabulary import CONTEXTS, PURPOSES, Context, Purpose
from bitface.documents import Document
from bitface.errors import InputError, IntegrityError, RefusedError
from bitface.known_words import did_you_mean, value_at, words_in

PROHIBITED_CONTEXTS: Final = frozenset({"workplace", "education"})
TRAINING_PURPOSES: Final = ("train", "benchmark")
PREDICTION_PURPOSES: Final = ("evaluate", "fairness_test", "infer", "demo", "benchmark")
SYNTHETIC_PREDICTION_CONTEXTS: Final = ("research",)
SYNTHETIC_PREDICTION_PURPOSES: Final = ("demo", "evaluate")
EVIDENCE: Final = ("synthetic", "real", "mixed")
_DEMO: Final = ("demo",)


class ContextApproval(BaseModel):
    """The medical or safety reason that permits a prohibited context, from one time to another.

    `record_sha256` is the digest of the document that states the reason; its keeper shows it to an auditor.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    context: Literal["workplace", "education"]
    reason: Literal["medical", "safety"]
    record_sha256: Sha256
    valid_from: Moment
    valid_to: Moment

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.valid_to <= self.valid_from:
            raise ValueError("valid_to: an approval must end after it begins")
        return self

    @property
    def approval_id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of its content."""
        return hashlib.sha256(canonical_json(self.model_dump(mode="json")).encode()).hexdigest()[:16]

    def covers(self, context: str, at: datetime) -> bool:
        """Whether the approval is for this context and in force at `at`."""
        return self.context == context and self.valid_from <= at < self.valid_to


def approval_of(**facts: Any) -> ContextApproval:
    """An approval from a person's input; raises InputError, with the field at fault."""
    try:
        return ContextApproval.model_validate(facts)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"approval of a context: {where + ': ' if where else ''}{first['msg']}; correct it") from error


def approval_from(body: str) -> ContextApproval:
    """The approval in a stored text; raises IntegrityError if it is no longer valid."""
    try:
        return ContextApproval.model_validate_json(body)
    except ValidationError as error:
        raise IntegrityError("a stored approval of a context cannot be read; run `bitface audit log`") from error


class LicenceRecord(BaseModel):
    """What the licence of a source allows; `text` or `address` gives its wording. No contexts named means all."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    id: Identifier
    name: Text
    text: str = ""
    address: str = ""
    purposes: Annotated[tuple[Purpose, ...], Distinct, Field(min_length=1)]
    contexts: Annotated[tuple[Context, ...], Distinct] = CONTEXTS

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if not (self.text or self.address):
            raise ValueError("text: a licence record needs its text or an address")
        return self

    def allows_no_more_than(self, other: LicenceRecord) -> bool:
        """Whether the other one allows every use that this one allows."""
        return set(self.purposes) <= set(other.purposes) and set(self.contexts) <= set(other.contexts)


def parse_licences(text: str, name: str = "licences.json") -> dict[str, LicenceRecord]:
    """Licence id -> record, from the text of `licences.json` (a list of records), or of the file of that name.

    Raises:
        InputError: not JSON (line named), a record at fault (position and field named), or a repeated id.
    """
    try:
        documents = json.loads(text, object_pairs_hook=_once)
        if isinstance(documents, list):
            documents = [as_meant(one) if isinstance(one, dict) else one for one in documents]
        left = _open_in(documents)
        records = TypeAdapter(tuple[LicenceRecord, ...]).validate_python(documents)
    except ValidationError as error:
        raise InputError("; ".join(_all_wrong(name, left, error, documents))) from error
    except json.JSONDecodeError as error:
        raise InputError(
            f"{name} line {error.lineno} is not JSON; write a licence record, or a list of them{_whole_example()}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{name} is not JSON with unique fields; write a licence record, or a list of them{_whole_example()}"
        ) from error
    if left:
        raise InputError(_still_open(name, left, documents))
    by_id = {record.id: record for record in records}
    if len(by_id) != len(records):
        raise InputError(f"{name}: a licence id occurs twice; keep one record per source")
    return by_id


def _open_in(documents: object) -> tuple[str, ...]:
    """The fields of drafts in which a person has not decided everything."""
    records = [one for one in documents if isinstance(one, dict)] if isinstance(documents, list) else []
    return tuple(name for one in records for name in open_fields(one, LicenceRecord.model_fields))


def _still_open(name: str, left: Sequence[str], documents: object) -> str:
    fields = ", ".join(left)
    return f"{name}: {STILL_OPEN}: {fields}{example_of(fields, licence_example(_first_of(documents)), 'Licence')}"


def _first_of(documents: object) -> object:
    return documents[0] if isinstance(documents, list) and documents else None


def _once(pairs: list[tuple[str, object]]) -> Document:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a field occurs twice")
    return dict(pairs)


def _all_wrong(name: str, left: Sequence[str], error: ValidationError, documents: object) -> list[str]:
    """What is to be filled in, and the first thing that is wrong with each other field."""
    found: dict[str, str] = {}
    for one in error.errors(include_url=False, include_input=False):
        named = [str(part) for part in one["loc"] if part in LicenceRecord.model_fields]
        if not named or named[0] not in left:
            found.setdefault(named[0] if named else str(one["loc"]), _faulty_licence(name, one, documents))
    return [*([_still_open(name, left, documents)] if left else []), *found.values()]


def _faulty_licence(name: str, fault: ErrorDetails, documents: object) -> str:
    where = ".".join(str(part) for part in fault["loc"]) or "list"
    if fault["type"] == "extra_forbidden":
        advice = did_you_mean(str(fault["loc"][-1]), tuple(LicenceRecord.model_fields))
        advice = advice.rstrip("? ") or f"the fields are {', '.join(LicenceRecord.model_fields)}"
        return f"{name}: record {where[:80]}: an unknown field; {advice} {see('Licence')}"
    field = next((str(part) for part in fault["loc"] if part in LicenceRecord.model_fields), "")
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "literal_error":
        message = f"{did_you_mean(value_at(documents, fault['loc']), words_in(message))}{message}"
    example = (
        example_of(field, licence_example(value_at(documents, fault["loc"][:1])), "Licence")
        if field
        else _whole_example()
    )
    return f"{name}: record {where}: {message}; correct the record{example}"


def _whole_example() -> str:
    return f", such as {json.dumps(LICENCE_EXAMPLE)} {see('Licence')}"


def licence_from(body: str) -> LicenceRecord:
    """The licence in a stored text; raises IntegrityError if it is no longer valid."""
    try:
        return LicenceRecord.model_validate_json(body)
    except ValidationError as error:
        raise IntegrityError("a stored licence cannot be read; run `bitface audit log`") from error


def render_licences(records: Iterable[LicenceRecord]) -> str:
    """The text of `licences.json`, sorted by id, so that equal records give equal bytes."""
    documents = [record.model_dump(mode="json") for record in sorted(records, key=lambda record: record.id)]
    return json.dumps(documents, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def check_context(context: str, at: datetime, approvals: Sequence[ContextApproval] = ()) -> None:
    """Raises InputError for an unknown context, RefusedError for a prohibited one without an approval in force at `at`."""
    if context not in CONTEXTS:
        raise InputError(
            f"unknown context '{context[:40]}'; {did_you_mean(context, CONTEXTS)}use one of {', '.join(CONTEXTS)}"
        )
    if context in PROHIBITED_CONTEXTS and not any(approval.covers(context, at) for approval in approvals):
        raise RefusedError(
            f"context '{context}' is refused: inferring emotions there is prohibited except for medical or safety "
            "reasons (EU AI Act Art. 5(1)(f)); approve such a reason first with `bitface context approve`"
        )


def usual_context(contexts: Sequence[str]) -> str:
    """Of contexts that are allowed, the one to propose: research, else the first that needs no approved reason."""
    return min(contexts, key=lambda one: (one != "research", one in PROHIBITED_CONTEXTS))


def check_training(purpose: str, context: str, at: datetime, approvals: Sequence[ContextApproval] = ()) -> None:
    """Raises RefusedError unless a model may be trained for this purpose (train, benchmark) in this context at `at`."""
    _check_purpose(purpose, TRAINING_PURPOSES, "a retrain")
    check_context(context, at, approvals)


def check_asked(purpose: str, context: str, at: datetime, approvals: Sequence[ContextApproval] = ()) -> None:
    """Raises RefusedError if no model at all may predict for this purpose in this context at `at`."""
    _check_purpose(purpose, PREDICTION_PURPOSES, "a prediction")
    check_context(context, at, approvals)


def predictions_allowed(
    evidence: str, passed: bool, at: datetime, approvals: Sequence[ContextApproval] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The purposes and the contexts in which a model with this evidence may predict at `at`.

    If the gate has `passed` it, those that `check_prediction` allows. Before that, a model of synthetic people may only be used for
    a demo, one of real people for everything but `infer`.
    """
    if evidence == "synthetic":
        return SYNTHETIC_PREDICTION_PURPOSES if passed else _DEMO, SYNTHETIC_PREDICTION_CONTEXTS
    approved = {approval.context for approval in approvals if approval.covers(approval.context, at)}
    contexts = tuple(one for one in CONTEXTS if one not in PROHIBITED_CONTEXTS or one in approved)
    return PREDICTION_PURPOSES if passed else tuple(one for one in PREDICTION_PURPOSES if one != "infer"), contexts


def check_prediction(
    purpose: str, context: str, evidence: str, at: datetime, approvals: Sequence[ContextApproval] = ()
) -> None:
    """Raises RefusedError unless a model with this evidence may predict for this purpose in this context at `at`.

    A model that was judged on synthetic people alone may be used only in context research, for purpose demo or evaluate.
    """
    check_asked(purpose, context, at, approvals)
    if evidence not in EVIDENCE:
        raise RefusedError(
            f"the model's evidence '{evidence[:40]}' is not one of {', '.join(EVIDENCE)}; register it again"
        )
    allowed = context in SYNTHETIC_PREDICTION_CONTEXTS and purpose in SYNTHETIC_PREDICTION_PURPOSES
    if evidence == "synthetic" and not allowed:
        raise RefusedError(
            f"this model's evidence is synthetic: it predicts in context research for demo or evaluate "
            f"only, not in context {context} for {purpose}; retrain on real people who consented"
        )


def check_promotable(purpose: str) -> None:
    """Raises RefusedError for a model that was trained for benchmark: people may be in it by licence alone."""
    if purpose != "train":
        raise RefusedError(
            f"a model trained for purpose '{purpose[:40]}' cannot be promoted; retrain with --purpose train"
        )


def not_allowed(purpose: str) -> str:
    """Why a licence keeps people out of a purpose."""
    return f"the licence does not allow purpose {purpose}"


def under_licence(licence: LicenceRecord | None, consent: Admission, purpose: str, context: str) -> Admission:
    """The admission of a sample, from its person's consent and the licence record of its source.

    The licence must allow purpose and context. Then consent decides; only if the person has no consent event at all does a
    licence that allows `benchmark` admit for that purpose: a person's own statement takes precedence.
    """
    if licence is None:
        return Admission(admitted=False, reason="its source has no licence on record")
    if purpose not in licence.purposes:
        return _refused(consent, not_allowed(purpose))
    if context not in licence.contexts:
        return _refused(consent, f"the licence does not allow context {context}")
    if purpose == "benchmark" and not consent.on_record:
        return Admission(admitted=True, reason="benchmark under the licence, without personal consent")
    return consent


def _refused(consent: Admission, reason: str) -> Admission:
    return Admission(
        admitted=False,
        reason=reason,
        event_id=consent.event_id,
        event_sha256=consent.event_sha256,
        on_record=consent.on_record,
    )


def _check_purpose(purpose: str, allowed: Sequence[str], what: str) -> None:
    if purpose not in PURPOSES:
        raise InputError(
            f"unknown purpose '{purpose[:40]}'; {did_you_mean(purpose, allowed)}use one of {', '.join(allowed)}"
        )
    if purpose not in allowed:
        raise RefusedError(f"purpose '{purpose}' is not available for {what}; use one of {', '.join(allowed)}")

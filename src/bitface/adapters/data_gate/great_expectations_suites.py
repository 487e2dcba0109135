"""What must hold of every table before a model may learn from it: a suite for each, whose rules say what they ask and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from bitface.consent.vocabulary import ADMITTING_STATES, CONTEXTS, PURPOSES
from bitface.faces.emotions import EMOTIONS
from bitface.faces.quality import POINT_COLUMNS, QUALITY_COLUMNS
from bitface.faces.records import AGE_BANDS, GENDERS, SLICE_ATTRIBUTES, SPLITS, Kind, Sample, SubjectRecord
from bitface.params import QualityParams

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

CONSENT_COLUMNS: Final = (
    "person",
    "event_id",
    "state",
    "purpose",
    "context",
    "valid_from",
    "valid_to",
    "notice_sha256",
)
LABEL_COLUMNS: Final = ("sample_id", "label", "contradicting")
DEMOGRAPHIC_COLUMNS: Final = ("attribute", "people", "unknown_share", "unknown_share_max", "values_without_people")
SPLIT_COLUMNS: Final = ("person", "split", "splits", "pictures_in_another_split", "pictures_of_another_person")
SCHEMA_COLUMNS: Final = ("part", "name", "state")
SCHEMA_PARTS: Final = ("column", "label", "split", "kind", "source", "licence", *SLICE_ATTRIBUTES)
SCHEMA_STATES: Final = ("same", "new", "gone")

_PSEUDONYM: Final = ("a pseudonym of 16 letters and digits", r"^[a-z0-9]{16}$")
_SHA256: Final = ("a SHA-256 digest", r"^[0-9a-f]{64}$")
_UTC: Final = ("a time in UTC", r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|\+00:00)$")
_REBUILD: Final = (
    "The dataset folder was changed by something else: restore it with `bitface doctor`, or import the source again."
)
_PERSON_ONCE: Final = "Import the source again: a person must have one record."
_QUALITY: Final = (
    "Bring pictures that show one face each, larger, sharper, better lit and from the front; or move the limit of {name} or "
    "quality.admitted_share_min ({share:g}) in params.yaml."
)
_LOOK: Final = (
    "Look at the samples in review.csv beside this page; take wrong ones out of the source and import it again."
)


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A table's rules; `about` says what a row is."""

    about: str
    rules: tuple[Expectation, ...]


def suites(params: QualityParams) -> dict[str, Suite]:
    """The suite of every table, by the table's name; `params`: the ranges of the quality suite."""
    return {
        "index": Suite(about="The manifest of the dataset, one row a sample.", rules=_index()),
        "subjects": Suite(about="The people, one row each.", rules=_subjects()),
        "consents": Suite(about="The consent events that admit people, one row each.", rules=_consents()),
        "quality": Suite(
            about="The media: what can be seen in each sample, worst frame.",
            rules=_seen(params, QUALITY_COLUMNS),
        ),
        "points": Suite(
            about="Points without a picture: what is known of each sample, worst frame.",
            # The turn of a head is not known of points without depth.
            rules=_seen(params, POINT_COLUMNS, unknown=("yaw_deg",)),
        ),
        "labels": Suite(
            about="The label of each sample, and copies of its picture under another label.", rules=_labels()
        ),
        "demographics": Suite(about="What is known of the people, one row an attribute.", rules=_demographics()),
        "splits": Suite(about="Which part each person is in, one row a person.", rules=_splits()),
        "schema": Suite(about="Columns and words, against the last version that was judged here.", rules=_schema()),
    }


def _index() -> tuple[Expectation, ...]:
    columns = [field.name for field in fields(Sample)]
    return (
        *_structure(columns, filled=columns, unique=("sample_id", "sha256")),
        *_choices(kind=get_args(Kind), label=EMOTIONS, split=SPLITS),
        *_patterns(person=_PSEUDONYM, sha256=_SHA256),
        _between("frames", least=1),
        _between("fps", least=0),
    )


def _subjects() -> tuple[Expectation, ...]:
    columns = [field.name for field in fields(SubjectRecord)]
    # A skin tone that nobody knows is left empty.
    return (
        *_structure(columns, filled=[name for name in columns if name != "skin_tone"], unique=("person",)),
        *_choices(age_band=AGE_BANDS, gender=GENDERS, self_reported=(True, False), evidence=("synthetic", "real")),
        *_patterns(person=_PSEUDONYM),
        _between("skin_tone", least=1, most=10),
    )


def _consents() -> tuple[Expectation, ...]:
    remedy = "Record the consent events again with `bitface consent record`; people without a valid one cannot be used."
    return (
        *_structure(CONSENT_COLUMNS, filled=CONSENT_COLUMNS, unique=("event_id",)),
        *_choices(state=sorted(ADMITTING_STATES), purpose=PURPOSES, context=CONTEXTS),
        *_patterns(person=_PSEUDONYM, notice_sha256=_SHA256, valid_from=_UTC, valid_to=_UTC),
        # Times of one format and one zone: their texts sort as they do.
        _rule(
            "ExpectColumnPairValuesAToBeGreaterThanB",
            "valid_to is later than valid_from",
            remedy,
            column_A="valid_to",
            column_B="valid_from",
        ),
    )


def _seen(params: QualityParams, measured: Sequence[str], unknown: Sequence[str] = ()) -> tuple[Expectation, ...]:
    """The ranges of what was measured of each sample; columns in `unknown` may be empty."""
    limits: dict[str, tuple[float, float | None]] = {
        "faces": (params.faces, params.faces),
        "eye_distance_px": (params.eye_distance_px_min, None),
        "sharpness": (params.sharpness_min, None),
        "brightness": (params.brightness_min, params.brightness_max),
        "yaw_deg": (-params.yaw_deg_max, params.yaw_deg_max),
    }
    columns = ["sample_id", *measured]
    return (
        *_structure(columns, filled=[name for name in columns if name not in unknown], unique=("sample_id",)),
        *(
            _between(name, least=limits[name][0], most=limits[name][1], share=params.admitted_share_min)
            for name in measured
        ),
    )


def _labels() -> tuple[Expectation, ...]:
    return (
        *_structure(LABEL_COLUMNS, filled=LABEL_COLUMNS, unique=("sample_id",)),
        *_choices(label=EMOTIONS),
        _rule(
            "ExpectColumnUniqueValueCountToBeBetween",
            "there are at least two labels",
            "Bring samples of another emotion: a model needs two to distinguish.",
            column="label",
            min_value=2,
        ),
        _none("contradicting", "no copy of a sample's picture has another label", _LOOK),
    )


def _demographics() -> tuple[Expectation, ...]:
    return (
        *_structure(DEMOGRAPHIC_COLUMNS, filled=DEMOGRAPHIC_COLUMNS, unique=("attribute",)),
        *_choices(attribute=SLICE_ATTRIBUTES),
        _between("people", least=1),
        _rule(
            "ExpectColumnPairValuesAToBeGreaterThanB",
            "an attribute is unknown of no larger a share of people than gate.unknown_share_max",
            "Ask people what they wish to tell, and add it to the manifest; what is unknown counts where it would do most harm.",
            advises=True,
            column_A="unknown_share_max",
            column_B="unknown_share",
            or_equal=True,
        ),
        _none(
            "values_without_people",
            "every value that a model is meant for has people",
            "Bring people of the values in gate.required_values, or remove values for which the model is not meant.",
        ),
    )


def _splits() -> tuple[Expectation, ...]:
    return (
        *_structure(SPLIT_COLUMNS, filled=SPLIT_COLUMNS, unique=("person",)),
        *_choices(split=SPLITS),
        *_patterns(person=_PSEUDONYM),
        _rule(
            "ExpectColumnValuesToBeBetween",
            "a person is in one part only",
            "Divide the source by person: a face that was learned from makes a test score a lie.",
            column="splits",
            min_value=1,
            max_value=1,
        ),
        _none("pictures_in_another_split", "no picture stands in another part as well", _LOOK),
        _none("pictures_of_another_person", "no picture stands under another person as well", _LOOK),
    )


def _schema() -> tuple[Expectation, ...]:
    return (
        *_structure(SCHEMA_COLUMNS, filled=SCHEMA_COLUMNS, unique=()),
        *_choices(part=SCHEMA_PARTS, state=SCHEMA_STATES),
        _rule(
            "ExpectColumnValuesToBeInSet",
            "no column and no word is new or gone since the last version",
            "Check that the change is meant: the lines after `since the last version` name what is new and what is gone.",
            advises=True,
            column="state",
            value_set=["same"],
        ),
    )


def _structure(columns: Sequence[str], *, filled: Sequence[str], unique: Sequence[str]) -> list[Expectation]:
    """What column rules alone would miss: they all hold of a table without rows."""
    return [
        _rule(
            "ExpectTableRowCountToBeBetween",
            "there is at least one row",
            "Bring samples of people who allow this use.",
            min_value=1,
        ),
        _rule(
            "ExpectTableColumnsToMatchSet",
            f"the columns are {', '.join(columns)}",
            _REBUILD,
            column_set=list(columns),
            exact_match=True,
        ),
        *(_rule("ExpectColumnValuesToNotBeNull", f"{name} is filled", _REBUILD, column=name) for name in filled),
        *(
            _rule(
                "ExpectColumnValuesToBeUnique",
                f"{name} differs in every row",
                "Take the second copy out of the source and import it again."
                if name == "sha256"
                else _PERSON_ONCE
                if name == "person"
                else _REBUILD,
                column=name,
            )
            for name in unique
        ),
    ]


def _choices(**allowed: Sequence[object]) -> list[Expectation]:
    return [
        _rule(
            "ExpectColumnValuesToBeInSet",
            f"{name} is one of {', '.join(map(str, values))}",
            "Write it as one of these words in the source and import it again.",
            column=name,
            value_set=list(values),
        )
        for name, values in allowed.items()
    ]


def _patterns(**patterns: tuple[str, str]) -> list[Expectation]:
    return [
        _rule("ExpectColumnValuesToMatchRegex", f"{name} is {what}", _REBUILD, column=name, regex=regex)
        for name, (what, regex) in patterns.items()
    ]


def _between(name: str, *, least: float, most: float | None = None, share: float | None = None) -> Expectation:
    """A range; with `share` of that share of rows: a row outside is quarantined by itself."""
    limits = f"{name} is at least {least:g}" if most is None else f"{name} lies within {least:g} to {most:g}"
    limits = f"{name} is {least:g}" if least == most else limits
    return _rule(
        "ExpectColumnValuesToBeBetween",
        limits if share is None else f"{limits} in at least {share:.0%} of rows",
        _REBUILD if share is None else _QUALITY.format(name=name, share=share),
        column=name,
        min_value=least,
        max_value=most,
        mostly=1.0 if share is None else share,
    )


def _none(name: str, words: str, remedy: str) -> Expectation:
    """A count that is 0 in every row; it advises."""
    return _rule("ExpectColumnValuesToBeBetween", words, remedy, advises=True, column=name, min_value=0, max_value=0)


def _rule(kind: str, words: str, remedy: str, *, advises: bool = False, **asked: object) -> Expectation:
    """One expectation of Great Expectations with what it asks and what to do in words; one that advises stops nothing."""
    from great_expectations import expectations as gxe

    severity = "warning" if advises else "critical"
    made: Mapping[str, Any] = asked
    return cast(
        "Expectation", getattr(gxe, kind)(description=words, meta={"remedy": remedy}, severity=severity, **made)
    )

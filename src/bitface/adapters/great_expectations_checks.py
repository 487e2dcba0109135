"""The data gate's report in Great Expectations: what must hold of every table before a model may learn from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from bitface.consent.vocabulary import ADMITTING_STATES, CONTEXTS, PURPOSES
from bitface.documents import Fields
from bitface.errors import InputError
from bitface.faces.emotions import EMOTIONS
from bitface.faces.quality import QUALITY_COLUMNS
from bitface.faces.records import AGE_BANDS, GENDERS, SPLITS, Sample, SubjectRecord
from bitface.params import QualityParams

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.data_context import EphemeralDataContext
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
OPTIONAL_TABLES: Final = frozenset({"consents"})
"""A run on licences alone has no consent to show and leaves the table out; an empty table fails."""

_PSEUDONYM: Final = r"^[a-z0-9]{16}$"
_SHA256: Final = r"^[0-9a-f]{64}$"
_UTC: Final = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|\+00:00)$"
_SITE: Final = "data_gate"
# Counts and no values: a report is kept and shown, and a bad value may be the very id that must not be in it.
_RESULT_FORMAT: Final = {"result_format": "BASIC", "partial_unexpected_count": 0}


@dataclass(frozen=True, kw_only=True)
class ChecksReport:
    """The outcome of the suites. `failures` are sentences that name table, column, rule and number of rows."""

    success: bool
    failures: tuple[str, ...]
    expectations: int
    docs_index: Path


class Result(Protocol):
    """What one expectation answered, as Great Expectations gives it."""

    success: bool | None
    expectation_config: Any
    result: Fields
    exception_info: Fields


def check_tables(tables: Mapping[str, pd.DataFrame], params: QualityParams, docs_folder: Path) -> ChecksReport:
    """Runs the suite of every table and keeps Data Docs, of counts only, under `docs_folder`.

    Args:
        tables: `index` (columns of Sample), `subjects` (columns of SubjectRecord), `quality` (sample_id and
            QUALITY_COLUMNS) and, where there are consents, `consents` (CONSENT_COLUMNS, times as ISO 8601 UTC text).
        params: the ranges of the quality suite; they must hold for `admitted_share_min` of its rows, because a row
            outside is quarantined by itself. Everything else must hold for every row.
        docs_folder: receives the site; `index.html` in it lists the reports.

    Raises:
        InputError: a table is missing, or one is not known here.
    """
    suites = _suites(params)
    wrong = sorted((set(suites) - OPTIONAL_TABLES - set(tables)) | (set(tables) - set(suites)))
    if wrong:
        raise InputError(f"tables {', '.join(wrong)} are missing or unknown; the data gate checks {', '.join(suites)}")
    context = _context(docs_folder)
    failures: list[str] = []
    for name, frame in tables.items():
        failures += judged(name, len(suites[name]), _results(context, name, frame, suites[name]))
    context.build_data_docs(site_names=[_SITE])
    return ChecksReport(
        success=not failures,
        failures=tuple(failures),
        expectations=sum(len(suites[name]) for name in tables),
        docs_index=docs_folder / "index.html",
    )


def judged(table: str, expectations: int, results: Sequence[Result]) -> list[str]:
    """The failures among results, in words; that fewer or more came back than were asked for is a failure too."""
    failures = [_words(table, result) for result in results if result.success is not True]
    if len(results) != expectations:
        failures.append(f"{table}: {len(results)} of {expectations} checks gave a result")
    return failures


def _words(table: str, result: Result) -> str:
    config = result.expectation_config
    rule = config.type.removeprefix("expect_").removeprefix("column_").replace("_to_", " must ", 1).replace("_", " ")
    column = config.kwargs.get("column") or config.kwargs.get("column_A")
    what = f"{table}: column '{column}': {rule}" if column else f"{table}: {rule}"
    if "unexpected_count" in result.result:
        return f"{what} ({result.result['unexpected_count']} of {result.result['element_count']} rows are not so)"
    if "observed_value" in result.result:
        return f"{what} (found {result.result['observed_value']})"
    return f"{what} (it could not be checked)"


def _context(docs_folder: Path) -> EphemeralDataContext:
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    site = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(docs_folder.absolute()),
        },
    }
    config = DataContextConfig(
        # The default site of an ephemeral context lies in a temporary folder that nobody would find.
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        data_docs_sites={_SITE: site},
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def _results(
    context: EphemeralDataContext, table: str, frame: pd.DataFrame, expectations: Sequence[Expectation]
) -> list[Result]:
    import great_expectations as gx

    suite = context.suites.add(gx.ExpectationSuite(name=table, expectations=list(expectations)))
    asset = context.data_sources.add_pandas(table).add_dataframe_asset(table)
    batch = asset.add_batch_definition_whole_dataframe(table)
    validation = context.validation_definitions.add(gx.ValidationDefinition(name=table, data=batch, suite=suite))
    outcome = validation.run(batch_parameters={"dataframe": frame}, result_format=_RESULT_FORMAT)
    return list(outcome.results)


def _suites(params: QualityParams) -> dict[str, list[Expectation]]:
    return {
        "index": _index_suite(),
        "subjects": _subjects_suite(),
        "consents": _consents_suite(),
        "quality": _quality_suite(params),
    }


def _index_suite() -> list[Expectation]:
    from great_expectations import expectations as gxe

    columns = [field.name for field in fields(Sample)]
    return [
        *_structure(columns, filled=columns, unique=("sample_id", "sha256")),
        *_choices(kind=("image", "clip"), label=EMOTIONS, split=SPLITS),
        *_patterns(person=_PSEUDONYM, sha256=_SHA256),
        gxe.ExpectColumnValuesToBeBetween(column="frames", min_value=1),
        gxe.ExpectColumnValuesToBeBetween(column="fps", min_value=0),
    ]


def _subjects_suite() -> list[Expectation]:
    from great_expectations import expectations as gxe

    columns = [field.name for field in fields(SubjectRecord)]
    # A skin tone that nobody knows is left empty.
    return [
        *_structure(columns, filled=[name for name in columns if name != "skin_tone"], unique=("person",)),
        *_choices(age_band=AGE_BANDS, gender=GENDERS, self_reported=(True, False), evidence=("synthetic", "real")),
        *_patterns(person=_PSEUDONYM),
        gxe.ExpectColumnValuesToBeBetween(column="skin_tone", min_value=1, max_value=10),
    ]


def _consents_suite() -> list[Expectation]:
    from great_expectations import expectations as gxe

    return [
        *_structure(CONSENT_COLUMNS, filled=CONSENT_COLUMNS, unique=("event_id",)),
        *_choices(state=sorted(ADMITTING_STATES), purpose=PURPOSES, context=CONTEXTS),
        *_patterns(person=_PSEUDONYM, notice_sha256=_SHA256, valid_from=_UTC, valid_to=_UTC),
        # Times of one format and one zone: their texts sort as they do.
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="valid_to", column_B="valid_from"),
    ]


def _quality_suite(params: QualityParams) -> list[Expectation]:
    from great_expectations import expectations as gxe

    columns = ["sample_id", *QUALITY_COLUMNS]
    ranges: dict[str, dict[str, float]] = {
        "faces": {"min_value": params.faces, "max_value": params.faces},
        "eye_distance_px": {"min_value": params.eye_distance_px_min},
        "sharpness": {"min_value": params.sharpness_min},
        "brightness": {"min_value": params.brightness_min, "max_value": params.brightness_max},
        "yaw_deg": {"min_value": -params.yaw_deg_max, "max_value": params.yaw_deg_max},
    }
    return [
        *_structure(columns, filled=columns, unique=("sample_id",)),
        *(
            gxe.ExpectColumnValuesToBeBetween(column=name, mostly=params.admitted_share_min, **limits)
            for name, limits in ranges.items()
        ),
    ]


def _structure(columns: Sequence[str], *, filled: Sequence[str], unique: Sequence[str]) -> list[Expectation]:
    """What column rules alone would miss: they all hold of a table without rows."""
    from great_expectations import expectations as gxe

    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=1),
        gxe.ExpectTableColumnsToMatchSet(column_set=list(columns), exact_match=True),
        *(gxe.ExpectColumnValuesToNotBeNull(column=name) for name in filled),
        *(gxe.ExpectColumnValuesToBeUnique(column=name) for name in unique),
    ]


def _choices(**allowed: Sequence[object]) -> list[Expectation]:
    from great_expectations import expectations as gxe

    return [gxe.ExpectColumnValuesToBeInSet(column=name, value_set=list(values)) for name, values in allowed.items()]


def _patterns(**patterns: str) -> list[Expectation]:
    from great_expectations import expectations as gxe

    return [gxe.ExpectColumnValuesToMatchRegex(column=name, regex=regex) for name, regex in patterns.items()]

"""Runs the data gate's suites with Great Expectations, and keeps what it found as one page that opens anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from bitface.adapters.data_gate.great_expectations_suites import Suite, suites
from bitface.counted_words import some_of
from bitface.documents import Fields
from bitface.errors import InputError
from bitface.page_ports import CheckedTable, CheckRow, DataDocs
from bitface.params import QualityParams

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.data_context import EphemeralDataContext

OPTIONAL_TABLES: Final = frozenset({"consents"})
_SEEN_TABLES: Final = frozenset({"quality", "points"})
"""Of pictures, and of points without pictures: one of them at least."""
"""A run on licences alone has no consent to show and leaves the table out; an empty table fails."""
# Counts and no values: a report is kept and shown, and a bad value may be the very id that must not be in it.
_RESULT_FORMAT: Final = {"result_format": "BASIC", "partial_unexpected_count": 0}
WriteDocs = Callable[[DataDocs, Path], Path]


@dataclass(frozen=True, kw_only=True)
class ChecksReport:
    """The outcome of the suites. `failures` are sentences that name table, column, rule and number of rows; `advice` the same of rules
    that stop nothing.
    """

    success: bool
    failures: tuple[str, ...]
    advice: tuple[str, ...]
    expectations: int
    docs_index: Path


class Result(Protocol):
    """What one expectation answered, as Great Expectations gives it."""

    success: bool | None
    expectation_config: Any
    result: Fields
    exception_info: Fields


def check_tables(
    tables: Mapping[str, pd.DataFrame], params: QualityParams, docs_folder: Path, write: WriteDocs
) -> ChecksReport:
    """Runs the suite of every table and keeps a page of counts only under `docs_folder`.

    Great Expectations' own site is not made: its pages fetch what they show from 16 places elsewhere.

    Args:
        tables: `index` (columns of Sample), `subjects` (columns of SubjectRecord), `quality` (sample_id and
            QUALITY_COLUMNS) or `points` (sample_id and POINT_COLUMNS) or both, `labels`, `demographics`, `splits`,
            `schema` and, where there are consents, `consents` (columns as `great_expectations_suites` names them,
            times as ISO 8601 UTC text).
        params: the ranges of the quality suite; they must hold for `admitted_share_min` of its rows, because a row
            outside is quarantined by itself. Everything else must hold for every row.
        docs_folder: receives the page, `index.html`.
        write: writes the page.

    Raises:
        InputError: a table is missing, or one is not known here.
    """
    known = suites(params)
    seen = _SEEN_TABLES if _SEEN_TABLES & set(tables) else frozenset({"points"})
    wrong = sorted((set(known) - OPTIONAL_TABLES - seen - set(tables)) | (set(tables) - set(known)))
    if wrong:
        raise InputError(f"tables {', '.join(wrong)} are missing or unknown; the data gate checks {', '.join(known)}")
    context = _context()
    results = {name: _results(context, name, frame, known[name]) for name, frame in tables.items()}
    failures = [text for name, found in results.items() for text in judged(name, len(known[name].rules), found)]
    advice = [_words(name, one) for name, found in results.items() for one in found if _is_advice(one)]
    page = DataDocs(
        tables=[_checked(name, known[name].about, len(tables[name]), found) for name, found in results.items()]
    )
    return ChecksReport(
        success=not failures,
        failures=tuple(failures),
        advice=tuple(advice),
        expectations=sum(len(known[name].rules) for name in tables),
        docs_index=write(page, docs_folder / "index.html"),
    )


def judged(table: str, expectations: int, results: Sequence[Result]) -> list[str]:
    """The failures among results, in words; that fewer or more came back than were asked for is a failure too."""
    failures = [_words(table, result) for result in results if _is_failure(result)]
    if len(results) != expectations:
        failures.append(f"{table}: {len(results)} of {expectations} checks gave a result")
    return failures


def _is_failure(result: Result) -> bool:
    """Whether it stops the run: what could not be checked does, also where the rule only advises."""
    return result.success is not True and not _is_advice(result)


def _is_advice(result: Result) -> bool:
    was_checked = {"unexpected_count", "observed_value"} & set(result.result)
    return result.success is False and bool(was_checked) and result.expectation_config.severity == "warning"


def _checked(table: str, about: str, rows: int, results: Sequence[Result]) -> CheckedTable:
    return CheckedTable(
        name=table,
        about=about,
        rows=rows,
        checks=[
            CheckRow(
                table=table,
                rule=result.expectation_config.description,
                state="FAIL" if _is_failure(result) else "ADVICE" if _is_advice(result) else "PASS",
                found=_found(result),
                remedy=result.expectation_config.meta["remedy"],
            )
            for result in results
        ],
    )


def _words(table: str, result: Result) -> str:
    config = result.expectation_config
    if "column_A" in config.kwargs:  # of two columns the tool's name says neither which nor what of them
        return f"{table}: column '{config.kwargs['column_A']}': {config.description} ({_found(result)})"
    rule = config.type.removeprefix("expect_").removeprefix("column_").replace("_to_", " must ", 1).replace("_", " ")
    column = config.kwargs.get("column")
    what = f"{table}: column '{column}': {rule}" if column else f"{table}: {rule}"
    return f"{what} ({_found(result)})"


def _found(result: Result) -> str:
    if "unexpected_count" in result.result:
        wrong, rows = result.result["unexpected_count"], result.result["element_count"]
        return f"{some_of(wrong, rows, ('is', 'are'), what=('row', 'rows'))} not so" if wrong else "all rows"
    if "observed_value" in result.result:
        return f"found {result.result['observed_value']}"
    return "it could not be checked"


def _context() -> EphemeralDataContext:
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        # The default site of an ephemeral context lies in a temporary folder that nobody would find.
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        data_docs_sites={},
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def _results(context: EphemeralDataContext, table: str, frame: pd.DataFrame, asked: Suite) -> list[Result]:
    import great_expectations as gx

    suite = context.suites.add(gx.ExpectationSuite(name=table, expectations=list(asked.rules)))
    asset = context.data_sources.add_pandas(table).add_dataframe_asset(table)
    batch = asset.add_batch_definition_whole_dataframe(table)
    validation = context.validation_definitions.add(gx.ValidationDefinition(name=table, data=batch, suite=suite))
    outcome = validation.run(batch_parameters={"dataframe": frame}, result_format=_RESULT_FORMAT)
    return list(outcome.results)

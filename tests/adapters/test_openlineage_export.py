"""OpenLineage events: whole by the standard's classes and schemas, about no person, and never in a retrain's way."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from bitface.adapters import openlineage_export
from bitface.adapters.openlineage_export import CONSENT_FACET, FILE, SCHEMA, LineageExport
from bitface.consent.policy import EVIDENCE, TRAINING_PURPOSES
from bitface.consent.vocabulary import CONTEXTS
from bitface.ports import TracedModel, TracedRun

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
RUN = TracedRun(
    run_id="run1",
    dataset_version="d1",
    consent_snapshot_sha256="c" * 64,
    purpose="train",
    context="research",
    evidence="synthetic",
    people=3,
)
MODEL = TracedModel(version=7, bundle_sha256="b" * 64)


OWN = json.loads((Path(openlineage_export.__file__).parent / "consent_snapshot.schema.json").read_text())
URI, TEXT = {"type": "string", "format": "uri"}, {"type": "string"}


def facet(**fields: dict) -> dict:
    """What every facet of the standard has, with the fields that one must have besides."""
    return {
        "type": "object",
        "properties": {"_producer": URI, "_schemaURL": URI, **fields},
        "required": ["_producer", "_schemaURL", *fields],
    }


def dataset(own: str) -> dict:
    facets = {"version": facet(datasetVersion=TEXT), CONSENT_FACET: OWN}
    return {
        "type": "object",
        "properties": {
            "namespace": TEXT,
            "name": TEXT,
            "facets": {"type": "object", "properties": facets, "required": [*facets], "additionalProperties": facet()},
            own: {"type": "object", "additionalProperties": facet()},
        },
        "required": ["namespace", "name"],
        "additionalProperties": False,
    }


RUN_EVENT = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": {"type": "string", "format": "date-time"},
        "producer": URI,
        "schemaURL": URI,
        "run": {
            "type": "object",
            "properties": {
                "runId": {"type": "string", "format": "uuid"},
                "facets": {
                    "type": "object",
                    "properties": {"errorMessage": facet(message=TEXT, programmingLanguage=TEXT)},
                    "additionalProperties": facet(),
                },
            },
            "required": ["runId"],
            "additionalProperties": False,
        },
        "job": {
            "type": "object",
            "properties": {
                "namespace": TEXT,
                "name": TEXT,
                "facets": {
                    "type": "object",
                    "properties": {"jobType": facet(processingType=TEXT, integration=TEXT)},
                    "additionalProperties": facet(),
                },
            },
            "required": ["namespace", "name"],
            "additionalProperties": False,
        },
        "inputs": {"type": "array", "items": dataset("inputFacets")},
        "outputs": {"type": "array", "items": dataset("outputFacets")},
    },
    "required": ["eventTime", "producer", "schemaURL", "run", "job"],
    "additionalProperties": False,
}
"""What OpenLineage's run event and its facets of version, error message and job type demand, restated, and nothing beyond what we send."""
STANDARD = Draft202012Validator(RUN_EVENT, format_checker=FormatChecker())


def lines(home: Path) -> list[dict]:
    return [json.loads(line) for line in (home / FILE).read_text().splitlines()]


def test_a_run_is_told_from_its_dataset_to_its_model(tmp_path) -> None:
    told = []
    export = LineageExport(tmp_path, None, told.append)
    export.started(RUN, NOON)
    export.completed(RUN, MODEL, NOON)
    export.failed(RUN, "no face was found", NOON)
    first, second, third = lines(tmp_path)
    assert [event["eventType"] for event in (first, second, third)] == ["START", "COMPLETE", "FAIL"]
    assert len({event["run"]["runId"] for event in (first, second, third)}) == 1
    (read,), (made,) = second["inputs"], second["outputs"]
    assert read["facets"]["version"]["datasetVersion"] == "d1" and made["facets"]["version"]["datasetVersion"] == "7"
    consent = read["facets"][CONSENT_FACET]
    assert (consent["snapshotSha256"], consent["people"]) == ("c" * 64, 3)
    assert consent["_schemaURL"].startswith("urn:bitface") and consent["_producer"]
    assert third["run"]["facets"]["errorMessage"]["message"] == "no face was found"
    for event in (first, second, third):
        assert not [error.message for error in STANDARD.iter_errors(event)]
    assert not told


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("eventTime",), "noon"),
        (("eventType",), "DONE"),
        (("run", "runId"), "run1"),
        (("job", "facets", "jobType", "_schemaURL"), None),
        (("inputs", 0, "facets", "version", "datasetVersion"), 1),
        (("inputs", 0, "facets", CONSENT_FACET, "snapshotSha256"), "C" * 64),
        (("inputs", 0, "facets", CONSENT_FACET, "subject"), "s000000000000001"),
        (("inputs", 0, "facets", CONSENT_FACET, "_schemaURL"), "urn:other"),
        (("outputs", 0, "name"), None),
    ],
)
def test_the_schemas_find_what_is_wrong(tmp_path, path, wrong) -> None:
    LineageExport(tmp_path, None, lambda _: None).completed(RUN, MODEL, NOON)
    (event,) = lines(tmp_path)
    place = event
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = wrong
    assert list(STANDARD.iter_errors(event))


def test_our_own_facet_knows_the_words_of_consent() -> None:
    words = OWN["properties"]
    Draft202012Validator.check_schema(OWN)
    assert words["context"]["enum"] == list(CONTEXTS)
    assert words["evidence"]["enum"] == list(EVIDENCE)
    assert words["purpose"]["enum"] == list(TRAINING_PURPOSES)
    assert OWN["$id"] == SCHEMA


def test_a_server_that_is_configured_gets_them_too(tmp_path) -> None:
    got: list[dict] = []

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return None

    server = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        told: list[str] = []
        LineageExport(tmp_path, f"http://127.0.0.1:{server.server_port}", told.append).started(RUN, NOON)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert [event["eventType"] for event in got] == ["START"] and got == lines(tmp_path) and not told


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense"])
def test_a_server_that_does_not_answer_is_told_and_hinders_nothing(tmp_path, url) -> None:
    told: list[str] = []
    LineageExport(tmp_path, url, told.append).started(RUN, NOON)
    assert len(lines(tmp_path)) == 1 and "rejected an event" in told[0]

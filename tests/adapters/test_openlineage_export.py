"""OpenLineage events: whole by the standard's own classes, about no person, and never in a retrain's way."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bitface.adapters.openlineage_export import CONSENT_FACET, FILE, LineageExport
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
        assert {"eventTime", "producer", "schemaURL", "job", "run"} <= set(event)
        for facet in event["inputs"][0]["facets"].values():
            assert {"_producer", "_schemaURL"} <= set(facet)
    assert not told


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
    assert len(lines(tmp_path)) == 1 and "did not take an event" in told[0]

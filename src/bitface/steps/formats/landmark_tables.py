"""Tables of points of faces, without any picture: rows that say whose they are, or tables beside a manifest that says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath
from typing import Final

from bitface.dataset.incoming.import_rows import ImportRow, QuarantinedRow, manifest_table
from bitface.dataset.incoming.manifest_columns import REQUIRED_COLUMNS, Columns
from bitface.dataset.incoming.oddities import SAYS, findings_of
from bitface.dataset.incoming.text_files import Table, TableRow
from bitface.dataset.points.point_columns import ABOUT_PEOPLE, OF_FRAMES
from bitface.dataset.points.point_rows import PointRow
from bitface.dataset.points.point_samples import TimedPoints, of_rows
from bitface.dataset.points.point_tables import AskedTable, PointTable, frame_size_of, read_point_table
from bitface.errors import InputError
from bitface.steps.people.brought_consents import BroughtConsents
from bitface.steps.people.sources import BESIDE, Brought, FolderFiles, FormatReader, Here, Source, source_of

OF_TABLES: Final = Columns(
    names=("path", *ABOUT_PEOPLE, "input", "frame", "face_id", "start_s", "end_s"),
    example="path,subject_id,label,age,start_s,end_s and points/anna.csv,anna,happiness,34,0,2.5",
)
"""A row of a manifest is one frame of a table, some seconds of it, or all of it; of one file, where a table has rows of several."""
_OWN_EXAMPLE: Final = "subject_id,label,age,x_0,y_0,z_0,... and anna,happiness,34,0.51,0.40,-0.02,..."
_FRAMES_AT_ONCE: Final = 50_000


def tables_of(files: FolderFiles) -> Brought:
    """The rows of the table, or those of the manifest that names it and others.

    Raises:
        InputError: a table or the manifest cannot be read, lacks a column or has one that is unknown.
    """
    beside = files.folder / "manifest.csv"
    if files.manifest is None and files.table is not None and not beside.is_file():
        return _of_own_rows(files, files.table)
    return _of_manifest(files, files.manifest or beside)


def _of_own_rows(files: FolderFiles, path: Path) -> Brought:
    asked = AskedTable(
        read=(*ABOUT_PEOPLE, *OF_FRAMES), ignored=files.ignored_columns, frame_size=frame_size_of(files.frame_size)
    )
    table = read_point_table(path, asked, _whose)
    whole = [row for row in table.rows if row.fault != "damaged_row"]
    damaged = [row for row in table.rows if row.fault == "damaged_row"]
    columns = tuple(name for name in (*ABOUT_PEOPLE, "clip") if name in whole[0].values)
    missing = [name for name in REQUIRED_COLUMNS if name != "path" and name not in columns]
    if missing:
        raise InputError(
            f"{path.name}: column '{missing[0]}' is missing; a table of points says whose each row is in columns subject_id and label, or "
            f"a manifest does (--manifest): {OF_TABLES.example}"
        )
    return Brought(
        table=Table(
            name=path.name,
            columns=("path", *columns),
            separator=",",
            rows=tuple(
                TableRow(
                    number=row.number,
                    line=row.line,
                    values={"path": f"row {row.number}", **{name: row.values[name] for name in columns}},
                    fault=None,
                )
                for row in whole
            ),
        ),
        refused=tuple(_refused(row) for row in damaged),
        findings=(*table.findings, *findings_of((row.remark, row.number) for row in whole if not row.fault)),
        find=Path,
        points=_OwnRows(table={row.number: row for row in whole}, of=table),
    )


@dataclass(frozen=True, kw_only=True)
class _OwnRows:
    """Each row of the import is one of the table."""

    table: dict[int, PointRow]
    of: PointTable

    def __call__(self, row: ImportRow) -> TimedPoints:
        found = of_rows(self.of, [self.table[row.row]])
        return replace(found, remarks=())


def _of_manifest(files: FolderFiles, manifest: Path) -> Brought:
    named = manifest_table(manifest, (), OF_TABLES)
    if files.table is not None and files.table.name not in {Path(row.values["path"]).name for row in named.rows}:
        raise InputError(
            f"{named.name} names other tables than {files.table.name}; add a row with it as path, or import the folder"
        )
    asked = AskedTable(read=OF_FRAMES, ignored=files.ignored_columns, frame_size=frame_size_of(files.frame_size))
    rows = {row.number: row.values for row in named.rows}
    is_face_named = any(said.get("face_id") for said in rows.values())
    return Brought(
        table=named,
        points=_NamedTables(asked=asked, rows=rows, group_of=_face_of if is_face_named else _any_face),
    )


@dataclass(kw_only=True)
class _NamedTables:
    """Each row of the import names a table and, where it says so, a frame, a face or some seconds of it.

    The last tables are kept: rows of one mostly follow each other, and all tables of a set may be larger than memory.
    """

    asked: AskedTable
    rows: dict[int, dict[str, str]]
    group_of: Callable[[PointRow], str]
    kept: dict[Path, PointTable] = field(default_factory=dict)

    def __call__(self, row: ImportRow) -> TimedPoints:
        table, said = self._table(row.path), self.rows[row.row]
        found = of_rows(table, self._meant(table, row, said))
        return replace(found, remarks=(*found.remarks, *(one.name for one in table.findings)))

    def _meant(self, table: PointTable, row: ImportRow, said: dict[str, str]) -> Iterable[PointRow]:
        face, frame = said.get("face_id", ""), said.get("frame", "")
        of_file = [one for one in table.rows if _is_of(one.input, said.get("input", ""))]
        first_s = min((one.time_s for one in of_file), default=0.0)
        for one in of_file:
            is_face = not face or _same_number(one.values.get("face_id", ""), face)
            is_frame = not frame or _same_number(one.values.get("frame", ""), frame)
            at_s = one.time_s - first_s
            if is_face and is_frame and row.span.start_s <= at_s and row.span.reaches(at_s):
                yield one

    def _table(self, path: Path) -> PointTable:
        if path not in self.kept:
            while self.kept and sum(len(table.rows) for table in self.kept.values()) > _FRAMES_AT_ONCE:
                self.kept.pop(next(iter(self.kept)))
            self.kept[path] = read_point_table(path, self.asked, self.group_of)
        return self.kept[path]


def _whose(row: PointRow) -> tuple[str, ...]:
    return tuple(row.values.get(name, "") for name in ("subject_id", "clip", "label"))


def _face_of(row: PointRow) -> str:
    return row.values.get("face_id", "")


def _any_face(row: PointRow) -> str:  # noqa: ARG001 - whichever it is
    return ""


def _is_of(file: str, named: str) -> bool:
    """Whether a table's file is the one that a manifest names, by its path as the table has it or by its name alone."""
    return not named or named in (file, PureWindowsPath(file).name)


def _same_number(one: str, other: str) -> bool:
    """Whether `7` and `7.0` are meant alike."""
    try:
        return one == other or float(one) == float(other)
    except ValueError:
        return False


def _refused(row: PointRow) -> QuarantinedRow:
    return QuarantinedRow(row=row.number, reason=SAYS[row.fault], line=row.line, finding=row.fault)


def _source(files: FolderFiles, consents: BroughtConsents, here: Here) -> Source:
    found = source_of(tables_of, files, consents, here)
    is_named = files.manifest is not None or (files.folder / "manifest.csv").is_file()
    return replace(found, intake=replace(found.intake, example=OF_TABLES.example if is_named else _OWN_EXAMPLE))


READER = FormatReader(
    source=_source,
    takes=frozenset({"file", "folder"}),
    reads=BESIDE | {"manifest", "ignore-column", "frame-size"},
)

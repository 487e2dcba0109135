"""Every row of a manifest is either usable or quarantined with its number and reason; counts add up."""

from __future__ import annotations

import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitface.dataset.incoming.import_rows import ancestry_of, gender_of, grouped
from bitface.dataset.incoming.london import monk_of_ita, read_london
from bitface.dataset.incoming.source_paths import SourceFolder
from bitface.errors import InputError
from tests.builders import read_manifest

HEADER = "path,subject_id,label,age,gender,skin_tone,ethnicity,clip,frame,split\n"


def source(tmp_path: Path, rows: str, header: str = HEADER) -> Path:
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "b.png").write_bytes(b"y")
    (tmp_path / "manifest.csv").write_text(header + rows)
    return tmp_path / "manifest.csv"


def test_a_usable_row_becomes_our_vocabulary(tmp_path: Path) -> None:
    (row,), rejected = read_manifest(source(tmp_path, "a.png,p1,Happy,31,F,4,White,,,\n"), tmp_path)
    assert not rejected
    assert (row.label, row.age_band, row.gender, row.skin_tone, row.ancestry) == (
        "happiness",
        "30_44",
        "female",
        4,
        "white",
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("../a.png,p1,fear,,,,,,,", "leaves the folder"),
        ("/etc/passwd,p1,fear,,,,,,,", "absolute"),
        ("sub/../../a.png,p1,fear,,,,,,,", "leaves the folder"),
        ("gone.png,p1,fear,,,,,,,", "missing"),
        ("a.png,p1,joyful,,,,,,,", "unknown label"),
        ("a.png,p 1;drop,fear,,,,,,,", "subject id"),
        ("a.png,p1,fear,17,,,,,,", "under 18"),
        ("a.png,p1,fear,old,,,,,,", "not a number"),
        ("a.png,p1,fear,12 years,,,,,,", "not a number"),
        ("a.png,p1,fear,twelve,,,,,,", "not a number"),
        ("a.png,p1,fear,25-30,,,,,,", "not a number"),
        ("a.png,p1,fear,1e2,,,,,,", "not a number"),
        ("a.png,p1,fear,nan,,,,,,", "not a number"),
        ("a.png,p1,fear,1_2,,,,,,", "not a number"),
        ("a.png,p1,fear,1985,,,,,,", "over 120"),
        ("a.png,p1,fear,-3,,,,,,", "outside"),
        ("a.png,p1,fear,17.9,,,,,,", "under 18"),
        ("a.png,p1,fear,\uff11\uff12,,,,,,", "under 18"),
        ("a.png,p1,fear,,girl,,,,,", "gender"),
        ("a.png,p1,fear,,,4.5,,,,", "Monk"),
        ("a.png,p1,fear,,,,,c,1.5,", "whole number"),
        ("a.png,p1,fear,30", "4 of 10 fields"),
        ("a.png,p1,fear,,,,,,,,12", "field 11"),
        ("faces\\a.png,p1,fear,,,,,,,", "backslash"),
        (f"{'a' * 5000}.png,p1,fear,,,,,,,", "missing"),
        ("a.png,p1,fear,,,11,,,,", "Monk"),
        ("a.png,p1,fear,,,,,,,holdout", "split"),
        ("a.png,p1,fear,,robot,,,,,", "gender"),
    ],
)
def test_a_faulty_row_is_quarantined_with_its_number_and_reason(tmp_path: Path, row: str, reason: str) -> None:
    usable, rejected = read_manifest(source(tmp_path, f"b.png,p0,neutral,,,,,,,\n{row}\n"), tmp_path)
    assert len(usable) == 1
    assert [(bad.row, bad.line, reason in bad.reason) for bad in rejected] == [(2, 3, True)]
    assert (rejected[0].finding == "missing_picture") == (reason == "missing")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("F", "female"),
        ("m.", "male"),
        (" FEMALE ", "female"),
        ("\uff2d", "male"),
        ("Non-Binary", "other"),
        ("", "unknown"),
    ],
)
def test_gender_is_read_as_people_write_it(written: str, meant: str) -> None:
    assert gender_of(written) == meant


@pytest.mark.parametrize(
    ("age", "band"), [("31.5", "30_44"), ("18", "18_29"), ("unknown", "unknown"), ("\uff13\uff10", "30_44")]
)
def test_ages_in_digits_become_bands(tmp_path: Path, age: str, band: str) -> None:
    (row,), _ = read_manifest(source(tmp_path, f"a.png,p1,fear,{age},,,,,,\n"), tmp_path)
    assert row.age_band == band


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("path,subject_id,label,Age", "unknown column 'Age'; did you mean 'age'"),
        ("path,subject_id,label,dob", "unknown column 'dob'; did you mean 'age'"),
        ("path,subject_id,label,AGE (years)", r"unknown column 'AGE \(years\)'; did you mean 'age'"),
        ("path,subject_id,label,Alter,notes", r"unknown column 'Alter' \(and 1 more\); did you mean 'age'"),
        ("path,subject_id,label,agent", r"unknown column 'agent'; the columns are"),
        ("Path,Subject_ID,Label", "unknown column 'Path'.*did you mean 'path'"),
        ("path,subject,label", "unknown column 'subject'; did you mean 'subject_id'"),
        ("path,subject_id,label,label", "'label' occurs twice"),
        ("path,subject_id", "column 'label' is missing"),
        ("a.png,p1,fear", "first line has none"),
    ],
)
def test_a_column_that_is_not_known_refuses_the_manifest_and_is_named(tmp_path: Path, header: str, says: str) -> None:
    """An age of 12 in a column of another name would be no age at all."""
    with pytest.raises(InputError, match=says):
        read_manifest(source(tmp_path, "a.png,p1,fear,12\n", f"{header}\n"), tmp_path)


def test_a_column_is_left_aside_only_where_somebody_says_so(tmp_path: Path) -> None:
    manifest = source(tmp_path, "a.png,p1,fear,blurred\n", "path,subject_id,label,notes\n")
    with pytest.raises(InputError, match="--ignore-column 'notes'"):
        read_manifest(manifest, tmp_path)
    (row,), rejected = read_manifest(manifest, tmp_path, ["notes"])
    assert row.subject_id == "p1" and not rejected
    with pytest.raises(InputError, match="no column 'nots' to ignore"):
        read_manifest(manifest, tmp_path, ["nots"])


@pytest.mark.parametrize("column", ["age", "Age", " AGE", "\uff21\uff47\uff45"])
def test_what_could_be_the_age_is_not_ignored(tmp_path: Path, column: str) -> None:
    manifest = source(tmp_path, "a.png,p1,fear,12\n", f"path,subject_id,label,{column}\n")
    with pytest.raises(InputError, match="'age' is a known column and cannot be ignored"):
        read_manifest(manifest, tmp_path, [column])


def test_spaces_around_names_and_cells_say_nothing(tmp_path: Path) -> None:
    rows, rejected = read_manifest(
        source(tmp_path, 'a.png , "p1",fear , 31\n', "path, subject_id , label,age \n"), tmp_path
    )
    assert (rows[0].path.name, rows[0].age_band, rejected) == ("a.png", "30_44", ())


@pytest.mark.parametrize(
    ("kept", "named"),
    [
        ("Zoe\u0308.png", "Zo\u00eb.png"),
        ("Zo\u00eb.png", "Zoe\u0308.png"),
        ("b.JPG", "b.jpg"),
        ("sub\u00fc/b.png", "subu\u0308/b.PNG"),
    ],
)
def test_a_file_is_found_under_the_spelling_that_a_disk_keeps(tmp_path: Path, kept: str, named: str) -> None:
    """macOS keeps decomposed names, cameras write .JPG."""
    path = tmp_path / kept
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    assert SourceFolder(tmp_path).file(named) == path


@given(
    st.text(st.characters(categories=("L", "Mn", "Nd")), min_size=1, max_size=12), st.sampled_from([".jpg", ".PNG", ""])
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_every_name_meets_itself_in_every_normal_form(tmp_path: Path, stem: str, suffix: str) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        kept = Path(folder) / unicodedata.normalize("NFD", stem + suffix)
        kept.write_bytes(b"x")
        for form in ("NFC", "NFD"):
            assert SourceFolder(Path(folder)).file(unicodedata.normalize(form, stem) + suffix.swapcase()) == kept


def test_the_name_as_written_comes_first_and_a_doubtful_one_is_refused(tmp_path: Path) -> None:
    for name in ("b.jpg", "b.JPG"):
        (tmp_path / name).write_bytes(b"x")
    assert SourceFolder(tmp_path).file("b.JPG").name == "b.JPG"
    with pytest.raises(InputError, match="several files"):
        SourceFolder(tmp_path).file("b.Jpg")


def test_a_missing_column_is_one_line_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="column 'label' is missing"):
        read_manifest(source(tmp_path, "a.png,p1\n", "path,subject_id\n"), tmp_path)


def test_a_person_in_two_splits_is_quarantined_by_row_numbers(tmp_path: Path) -> None:
    rows = "a.png,p1,fear,,,,,,,train\nb.png,p1,fear,,,,,,,test\nc.png,p2,fear,,,,,,,test\n"
    (tmp_path / "c.png").write_bytes(b"z")
    usable, rejected = read_manifest(source(tmp_path, rows), tmp_path)
    assert [row.row for row in usable] == [3]
    assert [(row.row, "rows 1 and 2 put one person into two splits" in row.reason) for row in rejected] == [
        (1, True),
        (2, True),
    ]


@pytest.mark.parametrize("typed", ["p1", " p1", "\uff501"])
def test_a_child_comes_in_by_no_row(tmp_path: Path, typed: str) -> None:
    """One row says twelve and is refused; another leaves the age out, and is the same child's."""
    rows = f"a.png,p1,fear,,,,,,,\ngone.png,{typed},fear,12,,,,,,\nb.png,p2,fear,30,,,,,,\n"
    usable, rejected = read_manifest(source(tmp_path, rows), tmp_path)
    assert [row.subject_id for row in usable] == ["p2"]
    assert [row.row for row in rejected] == [1, 2] and "under 18" in rejected[0].reason


@pytest.mark.parametrize(
    ("age", "why"),
    [
        *(
            (said, "under 18")
            for said in ("16 years", "16yo", "12-17", "<18", "under 18", "child", "17,5", "\uff11\uff16 years")
        ),
        *((said, "unreadable") for said in ("twelve", "-5", "1998", "2010", "18+", "25-30", "adult?")),
    ],
)
@pytest.mark.parametrize("rest", ["", ",,,,,,,,"])
def test_an_age_that_is_no_adult_s_closes_the_person_and_a_blank_one_opens_nobody(tmp_path, age, why, rest) -> None:
    """Also where the row that says it cannot be taken for its length."""
    rows = f"a.png,p1,fear,,,,,,,\nb.png,p1,fear,{age!r},,,,,,{rest}\nb.png,p2,fear,30,,,,,,\n".replace("'", '"')
    usable, rejected = read_manifest(source(tmp_path, rows), tmp_path)
    assert [row.subject_id for row in usable] == ["p2"]
    assert [row.row for row in rejected] == [1, 2] and why in rejected[0].reason


def test_two_ages_of_one_person_close_it_whichever_row_could_be_taken(tmp_path: Path) -> None:
    rows = "a.png,p1,fear,25,,,,,,\ngone.png,p1,fear,50,,,,,,\nb.png,p2,fear,30,,,,,,\n"
    usable, rejected = read_manifest(source(tmp_path, rows), tmp_path)
    assert [row.subject_id for row in usable] == ["p2"]
    assert "rows 1 and 2 give one person two different ages (18_29, 45_59)" in rejected[0].reason


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real.png").write_bytes(b"x")
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    with pytest.raises(InputError, match="symbolic link"):
        SourceFolder(tmp_path).file("link.png")


@given(st.text(max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_path_escapes(tmp_path: Path, text: str) -> None:
    """Whatever a manifest names, what is returned lies below the folder."""
    try:
        path = SourceFolder(tmp_path).file(text)
    except (InputError, ValueError):
        return
    assert path.resolve().is_relative_to(tmp_path.resolve())


def test_frames_of_a_clip_stand_together_in_their_order(tmp_path: Path) -> None:
    rows = "b.png,p1,fear,,,,,c,2,\na.png,p1,fear,,,,,c,1,\n"
    usable, _ = read_manifest(source(tmp_path, rows), tmp_path)
    (clip,) = grouped(usable)["p1"].values()
    assert [row.path.name for row in clip] == ["a.png", "b.png"]


def test_two_ethnicities_are_mixed_and_none_is_unknown() -> None:
    assert (ancestry_of("East Asian/White"), ancestry_of(""), ancestry_of("Black")) == ("mixed", "unknown", "black")


def test_the_typology_angle_falls_over_the_monk_scale() -> None:
    assert [monk_of_ita(angle) for angle in (60, 50, 45, 38, 30, 25, 15, 0, -20, -60)] == list(range(1, 11))


@pytest.mark.parametrize(
    "people",
    [
        "face_id,face_age,face_sex,face_eth\nX001,24,female,east_asian/white\nX031,,male,white\n",
        "face_id,face_age,face_gender,face_eth\n001,24,female,east_asian/white\n031,,male,white\n",
    ],
    ids=["first versions", "later versions"],
)
def test_the_published_london_layout_is_read(tmp_path: Path, people: str) -> None:
    """The table's first versions number people X001 and its later ones 001, as pictures do; two of its 102 people have no age."""
    for picture in ("neutral_front/001_03.jpg", "smiling_front/001_08.jpg", "neutral_front/031_03.jpg"):
        (tmp_path / picture).parent.mkdir(exist_ok=True)
        (tmp_path / picture).write_bytes(b"x")
    (tmp_path / "london_faces_info.csv").write_text(people)
    rows, rejected = read_london(tmp_path)
    assert not rejected
    assert {(row.subject_id, row.label, row.age_band, row.gender, row.ancestry) for row in rows} == {
        ("london-001", "neutral", "18_29", "female", "mixed"),
        ("london-001", "happiness", "18_29", "female", "mixed"),
        ("london-031", "neutral", "unknown", "male", "white"),
    }


def test_a_picture_of_the_london_set_of_whom_the_table_says_nothing_is_not_taken(tmp_path: Path) -> None:
    """Not even an age: a table that was cut, or whose numbers are written otherwise."""
    (tmp_path / "neutral_front").mkdir()
    for name in ("001_03.jpg", "002_03.jpg"):
        (tmp_path / "neutral_front" / name).write_bytes(b"x")
    (tmp_path / "london_faces_info.csv").write_text("face_id,face_age,face_gender,face_eth\n001,24,female,white\n")
    rows, rejected = read_london(tmp_path)
    assert [row.subject_id for row in rows] == ["london-001"]
    assert [row.row for row in rejected] == [2] and "says nothing of this person" in rejected[0].reason


@pytest.mark.parametrize("said", ["16", "16.0", "about 30"])
def test_a_row_of_the_london_set_that_may_be_a_child_s_closes_the_person(tmp_path: Path, said: str) -> None:
    """The set states that all are adults, which a blank row would rest on."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(b"x")
    rows = f"1,a.jpg,neutral,{said}\n1,a.jpg,smiling,NA\n2,a.jpg,neutral,NA\n"
    (tmp_path / "manifest.csv").write_text(f"subject,file,label,age\n{rows}")
    usable, rejected = read_london(tmp_path)
    assert [row.subject_id for row in usable] == ["london-2"] and [row.row for row in rejected] == [1, 2]


def test_the_reduced_london_set_is_read_whole(london: Path) -> None:
    rows, rejected = read_london(london)
    assert (len(rows), len({row.subject_id for row in rows}), len(rejected)) == (204, 102, 0)

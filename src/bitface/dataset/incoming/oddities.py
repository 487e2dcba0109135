"""What is odd about a source, by name, with how often and where: none of it is dropped or repaired in silence."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

from bitface.errors import InputError

EXAMPLES: Final = 5

SAYS: Final = {
    "person_per_picture": "the source does not say who is on a picture, so each counts as a person of its own; one person may then be in "
    "two parts, and scores may flatter",
    "child": "the source says that the person is under 18; adults only",
    "unreadable_picture": "the file cannot be decoded as a picture",
    "unreadable_clip": "the video, or the seconds of it that the row names, cannot be read",
    "lfs_pointer": "the file is a line of text that Git LFS left in place of the video or picture; fetch it with `git lfs pull`",
    "broken_seconds": "a part of the clip cannot be read; taken without that part",
    "ends_early": "the video ends before end_s; taken up to its end",
    "still_clip": "the clip has one frame alone; taken as a picture",
    "hdr_video": "the video is made for screens with a high dynamic range; taken as others show it, duller than it was seen",
    "on_record_elsewhere": "the same pixels are on record for another person",
    "same_picture": "the same pixels as another row; kept once, in the training part where it is in one",
    "two_labels": "the same pixels under two labels; none of them is taken",
    "two_people": "the same pixels under two people; none of them is taken",
    "blank_picture": "every pixel has one grey level",
    "damaged_pixels": "the pixels are not whole numbers 0 to 255 that make a square of 16 to 512 a side",
    "damaged_row": "the row does not have the fields of the header",
    "unknown_label": "the label is not one of the known emotions",
    "unknown_part": "the part is none of training, validation and test",
    "no_part": "the source names no part for these rows",
    "outside_the_layout": "files that are not at [part/]label/file",
    "not_a_picture": "files that are not JPEG, PNG, WEBP or TIFF by their names",
    "missing_picture": "the source names a file that is not there",
    "unlisted_picture": "pictures that the set's list does not name; none of them is taken",
    "unknown_name": "the file is not named as the set names its files, so the person is not known",
    "other_view": "a face that is turned by 45 degrees or more; of this set only the straight view (S) is taken",
    "second_session": "session B shows the person of session A again; both are taken, as one person's",
    "age_not_told": "children are in the set, and the source does not say that this person is an adult; put the set's "
    "attribute files into the source",
    "damaged_attributes": "the file of attributes does not hold five points, gender, race and age group; adults only, "
    "and this does not show one",
    "children_among_them": "small children are in the set, and it gives no ages, so that these pictures may show some",
    "wide_age_group": "grown up by an age group that is wider than ours; the age stays unknown",
    "unsure_gender": "the set's makers were unsure of the gender; it stays unknown",
    "two_parts": "the name of the picture and its folder name two parts",
    "not_labelled": "the set has no label for it",
    "damaged_label": "the file of its label holds no number of an emotion",
    "label_without_pictures": "labels of which no picture is there",
    "frame_twice": "the same frame of a sequence lies in the source before; the first by its path is taken",
    "short_sequence": "a sequence of three frames or fewer, which has no first frame beside its last three",
    "apex_missing": "the last frame is not the one that the label is named after, so the emotion may not show",
    "onset_missing": "the first frame that is there is not number 1, so it may not be neutral; the last ones are taken",
    "between_first_and_apex": "a frame between the first, which is neutral, and the last three, which show the emotion",
    "near_copies_in_sequence": "frames of one sequence are near copies; they are one clip",
    "two_labels_in_sequence": "one sequence has two labels; none of it is taken",
    "no_emotion": "labelled as none of the set's emotions (8)",
    "uncertain_label": "whoever labelled it was uncertain (9)",
    "no_face": "labelled as no face (10)",
    "damaged_box": "the face box has a negative or empty side, or a side that is not a number",
    "box_beyond_picture": "the face box leaves the picture",
    "unrated_affect": "valence or arousal is -2, which says that it was not rated, under an emotion; neither is read",
    "validation_as_test": "the set's validation part serves as test, since its own test part was never published",
    "listed_twice": "an earlier row names the same picture",
    "bad_path": "the path is not that of a file in the source",
    "no_person_in_name": "the name does not match --subject-pattern",
    "missing_clip": "the set's table names a clip that is not here",
    "unlisted_clip": "the set's table does not name the clip; taken without votes",
    "unknown_person": "the set does not say who this is, nor how old",
    "bad_clip": "the makers of the set say that this file is damaged or shows something else",
    "second_file": "the clip is here in two files; the first by name is read",
    "same_take": "another file shows the same take; kept once",
    "sound_only": "a recording of sound without a face",
    "calm": "the clip shows calm, which is not one of the known emotions, and not neutral either",
    "strong_neutral": "the name says that a neutral face was acted strongly, which the set does not have",
    "other_person_in_path": "the folder and the name of the file say two people",
    "sung": "the clip is sung and not spoken; taken",
    "fewer_clips": "these people have fewer clips than others of the set; taken",
    "absent_emotion": "the set has no clip of these emotions; what is learned from it alone cannot know them",
    "stated_level": "the set says how strongly the emotion was to be acted, for this sentence alone; taken, and the level is not kept",
    "label_as_acted": "the label is the emotion that was to be acted; the share of the votes on the face that it has on average",
    "tied_face_votes": "two emotions have the most votes on the face; taken with the emotion that was to be acted",
    "other_face_vote": "most votes on the face name another emotion; taken with the emotion that was to be acted",
    "label_by_votes": "the label is the emotion with most votes; the share of the votes that it has on average",
    "not_a_face": "most votes say that this is not a face",
    "unknown_majority": "most votes say that the expression is unknown",
    "tied_votes": "two emotions have the most votes",
    "no_majority": "the label has half of the votes or fewer; taken with that label",
    "other_vote_count": "the row does not have 10 votes; taken with the label of most",
    "unnamed_by_votes": "the file of votes names no picture for the row",
    "spaced_header": "names of columns have space around them; read without it",
    "point_missing": "a coordinate of a point is empty or is not a number",
    "not_tracked": "the tool says that it did not find the face (success 0)",
    "unsure_points": "the tool is not sure of the points (confidence under 0.5)",
    "several_faces": "several faces in one frame, and the source does not say which one is meant; write a row for each person, or name "
    "the face in a column face_id of the manifest",
    "frame_again": "the same frame of the same face in an earlier row",
    "frame_missing": "the table has no row for this frame, face or time",
    "time_backwards": "an earlier row is of a later time; taken in the order of time",
    "one_timestamp": "one timestamp stands in every row; taken in the order of frame, 25 a second",
    "several_inputs": "the rows meant are of several files; name one in a column input of the manifest",
    "frames_far_apart": "no other frame of the clip lies within a second of its apex, which is taken alone; timestamp is read in seconds",
    "other_unit": "x and y have another unit than in most rows, pixels or shares of width and height",
    "other_depth_unit": "z has another unit than x, so that the face is flat; where it is a share of the frame's width, name its size with "
    "--frame-size",
    "eyes_at_one_point": "the corners of the eyes lie at one point",
    "turned_over": "the mouth lies above the eyes: the points are mirrored, or y runs upwards",
    "no_face_shape": "the points lie in no order that a face has; check that each column holds what its name says",
    "unreadable_table": "the table of the row cannot be read",
    "other_label_by_votes": "the votes give another label than the source; taken with the label of the votes",
}
"""What each finding means, in words of the report and of docs/datasets.md."""


class OddRowError(InputError):
    """What keeps one row out: the name of its finding and, as the message, the reason."""

    def __init__(self, finding: str, why: str = "") -> None:
        super().__init__(why or SAYS[finding])
        self.finding = finding


def finding_of(error: Exception) -> str:
    """The name of the finding that an error is; empty where it is none."""
    return error.finding if isinstance(error, OddRowError) else ""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An oddity: its name in `SAYS`, on how many rows it is, and the first of these, counted as in the report."""

    name: str
    count: int
    rows: tuple[int, ...]
    detail: str = ""

    @property
    def text(self) -> str:
        """One line of the report."""
        where = f", first rows {', '.join(map(str, self.rows))}" if self.rows else ""
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.name}: {self.count}{where}: {SAYS[self.name]}{detail}"


def found(name: str, rows: Iterable[int], detail: str = "") -> tuple[Finding, ...]:
    """A finding on some rows; none where there are none."""
    numbers = sorted(rows)
    if not numbers:
        return ()
    return (Finding(name=name, count=len(numbers), rows=tuple(numbers[:EXAMPLES]), detail=detail),)


def off_the_rows(name: str, named: Collection[str]) -> tuple[Finding, ...]:
    """A finding on what is in the source and is no row, with the first names of it; none where there is nothing."""
    first = ", ".join(sorted(named)[:EXAMPLES])
    return (Finding(name=name, count=len(named), rows=(), detail=f"first {first}"),) if named else ()


def merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One finding of each name, where an oddity keeps some rows out and is a part of others; details stay as they are."""
    by_name: dict[tuple[str, str], Finding] = {}
    for one in findings:
        known = by_name.get((one.name, one.detail))
        if known is not None:
            rows = tuple(sorted({*known.rows, *one.rows})[:EXAMPLES])
            one = replace(one, count=known.count + one.count, rows=rows)
        by_name[one.name, one.detail] = one
    return tuple(by_name.values())


def findings_of(rows: Iterable[tuple[str, int]]) -> tuple[Finding, ...]:
    """The findings of rows that have one, in the order of `SAYS`; a row without a name has none."""
    by_name: dict[str, list[int]] = {}
    for name, row in rows:
        if name:
            by_name.setdefault(name, []).append(row)
    return tuple(one for name in SAYS if name in by_name for one in found(name, by_name[name]))

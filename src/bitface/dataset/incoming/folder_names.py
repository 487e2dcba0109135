"""What folders and file names say of pictures: the person, the label and the part, each where it is clear and empty where it is not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from bitface.counted_words import counted
from bitface.dataset.incoming.label_folders import PARTS
from bitface.dataset.incoming.spreadsheets import is_formula
from bitface.dataset.incoming.subject_ids import folded_id, id_or_none, suggested_ids
from bitface.errors import InputError
from bitface.faces.emotions import emotion_of

_PARTS: Final = MappingProxyType({**PARTS, "gate": "gate"})
_GENERIC: Final = frozenset(
    {
        *(
            "img",
            "image",
            "images",
            "pic",
            "pics",
            "picture",
            "pictures",
            "photo",
            "photos",
            "foto",
            "fotos",
            "dsc",
            "dscn",
        ),
        *(
            "face",
            "faces",
            "portrait",
            "portraits",
            "frame",
            "frames",
            "shot",
            "take",
            "crop",
            "cropped",
            "raw",
            "data",
        ),
        *("jpg", "jpeg", "png", "webp", "screenshot", "selfie", "copy", "final", "edited", "session", "camera", "cam"),
        *("person", "people", "subject", "subjects", "participant", "participants", "emotion", "emotions", "dataset"),
    }
)
"""Words that cameras and people write beside a name; none is anybody's id."""
_SHORTEST: Final = 3
"""Of a word that is read as a label: `an` and `di` are codes in one set and names in another."""
_WHOLE_NAME: Final = r"^(.+)\."
_FIRST_FOLDER: Final = "^([^/]+)/"
_SIGNS: Final = " _-"
_WORDS: Final = re.compile(r"[\s_.,()+&-]+")


@dataclass(frozen=True, kw_only=True)
class Guess:
    """What is read off one picture's path, empty where it is not clear; `doubts` says why, one sentence for each field at most."""

    path: str
    subject_id: str = ""
    label: str = ""
    split: str = ""
    doubts: tuple[str, ...] = ()
    name: str = ""
    """Who it is in the path's own words, which `subject_id` spells as an id; empty where it is not clear."""


def subject_pattern_of(text: str | None) -> re.Pattern[str] | None:
    """The compiled expression that finds a person. Raises InputError for one that cannot be read, or that has several groups."""
    if text is None:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise InputError(
            f"--subject-pattern is not a regular expression ({error}); write one such as '^(S[0-9]+)_'"
        ) from error
    if pattern.groups > 1:
        raise InputError(
            f"--subject-pattern has {counted(pattern.groups, 'group')}; put one pair of parentheses around the person, as in '^(S[0-9]+)_'"
        )
    return pattern


def guesses_of(
    paths: Iterable[str], pattern: re.Pattern[str] | None = None, known: Mapping[str, str] = MappingProxyType({})
) -> tuple[Guess, ...]:
    """What is clear about each picture, in the order of the paths, which are relative and have `/` between folders.

    A folder or a word of a file's name that is an emotion is the label; a folder `train`, `validation`, `test` or `gate` the part. The
    person is the folder that is left, or the one word that is left in the file's name; where both are there and differ, nobody is
    guessed: two people under one id cannot be taken apart later. `pattern` finds the person in the file's name, else in the path.
    A word in the name of every file is nobody's id, and a person is in one part, or in none.
    A name that is no id gets one that is (`subject_ids.suggested_ids`), each its own. `known`: path -> id of pictures that a person has
    assigned already; who has one name there has one id.
    """
    found = list(paths)
    everywhere = _everywhere(found)
    return _in_one_part(_with_ids([_guess(path, pattern, everywhere) for path in found], known))


def alike_ids(subjects: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """The ids that differ in case, - and _ or letters that look like digits alone: one person may be under each of them."""
    groups: dict[str, set[str]] = {}
    for subject in subjects:
        groups.setdefault(folded_id(subject), set()).add(subject)
    return tuple(tuple(sorted(same)) for same in groups.values() if len(same) > 1)


def _everywhere(paths: Sequence[str]) -> frozenset[str]:
    """The words in the name of every file, where there are several folders that tell the files apart."""
    words = [frozenset(_words_of(path.rpartition("/")[2])) for path in paths]
    folders = {path.rpartition("/")[0] for path in paths}
    return frozenset.intersection(*words) if len(folders) > 1 else frozenset()


def _words_of(name: str) -> list[str]:
    return [word for word in _WORDS.split(name.rpartition(".")[0] or name) if word]


def _guess(path: str, pattern: re.Pattern[str] | None, everywhere: frozenset[str]) -> Guess:
    *folders, name = path.split("/")
    words = _words_of(name)
    parts = {_PARTS[folder.lower()] for folder in folders if folder.lower() in _PARTS}
    rest = [folder for folder in folders if folder.lower() not in _PARTS]
    labels = {label for word in (*rest, *words) if (label := _label(word))}
    subject, doubt = _subject(
        path, _nameless(rest), [word for word in _nameless(words) if word not in everywhere], pattern
    )
    doubts = [doubt] if doubt else []
    if len(labels) != 1:
        doubts.append(f"label: the path names {_listed(labels)}" if labels else "label: the path names no emotion")
    return Guess(
        path=path,
        name=subject,
        label=labels.pop() if len(labels) == 1 else "",
        split=parts.pop() if len(parts) == 1 else "",
        doubts=tuple(doubts),
    )


def _label(word: str) -> str:
    try:
        return emotion_of(word) if len(word) >= _SHORTEST else ""
    except InputError:
        return ""


def _nameless(words: Sequence[str]) -> list[str]:
    """The words that may be a person's id: no label, no number of a shot, nothing that a camera writes."""
    return [
        word
        for word in words
        if not _label(word) and not word.isdigit() and word.lower().rstrip("0123456789") not in _GENERIC
    ]


def _subject(
    path: str, folders: Sequence[str], words: Sequence[str], pattern: re.Pattern[str] | None
) -> tuple[str, str]:
    """The person's name and no doubt, or no name and why."""
    if pattern is not None:
        match = pattern.search(path.rpartition("/")[2]) or pattern.search(path)
        found = _name_of(match[match.re.groups] or "") if match else ""
        return (found, "") if found else ("", "subject_id: --subject-pattern finds nothing")
    candidates = list(dict.fromkeys([*folders, *words]))
    if not candidates:
        return "", "subject_id: neither folder nor file name says who it is"
    if len(candidates) > 1:
        use = _pattern_for(path, folders, words)
        return "", f"subject_id: it may be {_listed(candidates)}; use --subject-pattern{use}, or fill it in"
    return _name_of(candidates[0]), ""


def _pattern_for(path: str, folders: Sequence[str], words: Sequence[str]) -> str:
    """A pattern that finds one of the readings, tried on this very path: all words of the name as one, else the folder; or none."""
    name = path.rpartition("/")[2]
    if not folders:
        found = next((one for one in _patterns_of_names(len(words)) if _finds(one, name, words)), "")
        return f" '{found}' for the whole name" if found else ""
    is_first = len(set(folders)) == 1 and path.startswith(f"{folders[0]}/")
    return f" '{_FIRST_FOLDER}' for {folders[0][:40]}" if is_first else ""


def _patterns_of_names(words: int) -> Iterator[str]:
    """Patterns of a name of so many words: the file's whole name, or its beginning with one kind of sign between words."""
    yield _WHOLE_NAME
    for sign in _SIGNS:
        yield f"^({sign.join([f'[^{sign}.]+'] * words)})"


def _finds(pattern: str, name: str, words: Sequence[str]) -> bool:
    found = re.search(pattern, name)
    return found is not None and _words_of(f"{found[1]}.") == list(words)


def _name_of(text: str) -> str:
    """One spelling of a name: a file system may keep a letter and its mark apart."""
    return id_or_none(text) or " ".join(unicodedata.normalize("NFKC", text).split())


def _with_ids(found: Sequence[Guess], known: Mapping[str, str]) -> list[Guess]:
    ids = _ids_of(found, known)
    return [_with_id(one, *ids[one.name]) if one.name else one for one in found]


def _with_id(one: Guess, subject_id: str, doubt: str) -> Guess:
    return replace(one, subject_id=subject_id, doubts=(*((doubt,) if doubt else ()), *one.doubts))


def _ids_of(found: Sequence[Guess], known: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Name -> its id and no doubt, or no id and why. No two names have one id, save where a person wrote so."""
    assigned: dict[str, set[str]] = {}
    for one in found:
        if one.name and one.path in known:
            assigned.setdefault(one.name, set()).add(known[one.path])
    ids = {name: (own.copy().pop(), "") for name, own in assigned.items() if len(own) == 1}
    owners = {subject: name for name, (subject, _) in ids.items()}
    named = sorted({one.name for one in found if one.name} - ids.keys(), key=lambda name: (not id_or_none(name), name))
    for name in named:
        ids[name] = _own_id(name, owners, frozenset(known.values()) - owners.keys())
        owners.setdefault(ids[name][0], name)
    return ids


def _own_id(name: str, owners: Mapping[str, str], written: frozenset[str]) -> tuple[str, str]:
    """`written`: ids that a person gave to pictures whose paths say no name."""
    valid = id_or_none(name)
    if valid and is_formula(valid):
        return "", f"subject_id: '{valid[:40]}' begins as a formula of a spreadsheet"
    if valid:
        return (
            ("", f"subject_id: '{valid[:40]}' is the id of '{owners[valid][:40]}'") if valid in owners else (valid, "")
        )
    free = next((one for one in suggested_ids(name) if one not in owners), "")
    if free in written:
        return "", f"subject_id: '{name[:40]}' may be {free}, who is in the manifest already; fill it in"
    return free, ""


def _listed(names: Iterable[str]) -> str:
    return " or ".join(sorted(name[:40] for name in names))


def _in_one_part(found: Sequence[Guess]) -> tuple[Guess, ...]:
    parts: dict[str, set[str]] = {}
    for one in found:
        if one.subject_id:
            parts.setdefault(one.subject_id, set()).add(one.split)
    return tuple(one if _has_one(parts, one) else _without_part(one) for one in found)


def _has_one(parts: Mapping[str, set[str]], one: Guess) -> bool:
    return not one.split or not one.subject_id or len(parts[one.subject_id] - {""}) == 1


def _without_part(one: Guess) -> Guess:
    doubt = f"split: person {one.subject_id} lies in several parts, and a person is in one alone"
    return replace(one, split="", doubts=(*one.doubts, doubt))

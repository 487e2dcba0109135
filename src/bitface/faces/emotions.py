"""The closed list of labels, so that an unknown word is refused instead of becoming an eighth class."""

from __future__ import annotations

from typing import Final

from bitface.errors import InputError
from bitface.known_words import did_you_mean

EMOTIONS: Final = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt")
"""Ekman's basic emotions, neutral, and contempt where a source has it. The order is the order of every column."""

_SYNONYMS: Final = {
    **dict.fromkeys(("angry", "an", "ang"), "anger"),
    **dict.fromkeys(("disgusted", "di", "dis"), "disgust"),
    **dict.fromkeys(("fearful", "afraid", "fea", "af"), "fear"),
    **dict.fromkeys(("happy", "smiling", "joy", "ha", "hap"), "happiness"),
    **dict.fromkeys(("sad", "sa"), "sadness"),
    **dict.fromkeys(("surprised", "su"), "surprise"),
    **dict.fromkeys(("ne", "neu"), "neutral"),
}
"""Spellings and codes that published sets use. `calm` (RAVDESS) is not neutral: its actors played both."""
_CODE: Final = 3
"""Letters of the longest code, which no misspelt word is taken for."""


def emotion_of(label: str) -> str:
    """The canonical emotion of a source's label.

    Raises:
        InputError: the label is neither an emotion nor a known synonym of one.
    """
    word = label.strip().lower()
    emotion = _SYNONYMS.get(word, word)
    if emotion not in EMOTIONS:
        meant = did_you_mean(word, (*EMOTIONS, *(name for name in _SYNONYMS if len(name) > _CODE)))
        raise InputError(f"unknown label '{label}'; {meant}use one of {', '.join(EMOTIONS)}")
    return emotion

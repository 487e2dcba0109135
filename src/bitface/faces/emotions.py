"""The closed list of labels, so that an unknown word is refused instead of becoming an eighth class."""

from __future__ import annotations

from typing import Final

from bitface.errors import InputError

EMOTIONS: Final = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt")
"""Ekman's basic emotions, neutral, and contempt where a source has it. The order is the order of every column."""

_SYNONYMS: Final = {
    "angry": "anger",
    "disgusted": "disgust",
    "fearful": "fear",
    "afraid": "fear",
    "happy": "happiness",
    "smiling": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
    "calm": "neutral",
}


def emotion_of(label: str) -> str:
    """The canonical emotion of a source's label.

    Raises:
        InputError: the label is neither an emotion nor a known synonym of one.
    """
    word = label.strip().lower()
    emotion = _SYNONYMS.get(word, word)
    if emotion not in EMOTIONS:
        raise InputError(f"unknown label '{label}'; use one of {', '.join(EMOTIONS)}")
    return emotion

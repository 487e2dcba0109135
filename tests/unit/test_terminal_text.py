"""What people's texts may do to a terminal: nothing."""

from __future__ import annotations

import json

import pytest

from bitface.cli.output import emit
from bitface.terminal_text import printable, shown


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[2J",
        "\x1b]0;title\x07",
        "\x9b31m",
        "a\rb",
        "\x08\x08",
        "\u202egnp.exe",
        "\u2066x",
        "\x7f",
        "\udcff",
        "\x0b",
    ],
)
def test_no_sequence_of_a_text_reaches_a_terminal(text: str) -> None:
    """Escape sequences, C1 controls, carriage returns, backspaces, and marks that turn the direction of reading."""
    assert text not in shown(text) and shown(text).isascii() and "\\" in shown(text)
    assert printable(text).isprintable()


def test_words_of_all_languages_and_lines_stay_as_they_are() -> None:
    words = (
        "caf\u00e9",
        "\u5199\u771f",
        "\u0928\u092e\u0938\u094d\u0924\u0947",
        "\u0645\u06cc\u200c\u062e",
        "\U0001f469\u200d\U0001f52c",
        "5\u00a0%",
    )
    text = "\n\t".join(words)
    assert shown(text) == text


@pytest.mark.parametrize(
    ("name", "read_back"),
    [
        ("a\udcff.jpg", r"a\udcff.jpg"),
        ("\udc80\udcfe", r"\udc80\udcfe"),
        ("\U0001f600\udce9", "\U0001f600\\udce9"),
        ("\\\udcff", r"\\udcff"),
        (r"\udcff", r"\udcff"),
        ('\U0001f600 gr\u00fc\u00dfe\n"\\', '\U0001f600 gr\u00fc\u00dfe\n"\\'),
    ],
)
def test_a_name_is_one_text_in_a_document_and_on_a_terminal_and_every_reader_takes_it(
    name: str, read_back: str, capsys: pytest.CaptureFixture[str]
) -> None:
    emit({name: [name]}, "", as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document == {read_back: [read_back]}
    assert "\ufffd" not in str(document) and str(document).encode("utf-8")

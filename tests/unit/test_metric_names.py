"""Logged figures have the names of the contract, and no character that a tracking store refuses."""

from bitface.metric_names import metric_name, slice_metric, with_interval
from bitface.steps.versions.shown.tracked_run import params_by_name


def test_names_are_those_of_the_contract() -> None:
    """`<emotion>/<metric>`, `slice/<attribute>:<value>/<metric>`, and `.lo` `.hi` for the ends of an interval."""
    assert metric_name("happiness", "auc") == "happiness/auc"
    assert slice_metric("skin_tone", "monk_1_4", "accuracy") == "slice/skin_tone:monk_1_4/accuracy"
    assert with_interval("fear/f1", 0.5, 0.4, 0.6) == {"fear/f1": 0.5, "fear/f1.lo": 0.4, "fear/f1.hi": 0.6}


def test_a_source_s_own_words_cannot_break_a_name() -> None:
    """An ancestry may be any word of a source; a slash in it would open another level."""
    assert slice_metric("ancestry", "a/b (c)", "accuracy") == "slice/ancestry:a_b _c_/accuracy"


def test_a_variant_with_a_comma_in_its_name_can_be_tracked() -> None:
    """People name the variants of a study; a tracking store refuses what is no letter, digit or one of a few signs."""
    assert params_by_name({"study": {"variants": {"faces, alone": {"heads": "shared"}}}, "seed": 1}) == {
        "study.variants.faces_ alone.heads": "shared",
        "seed": 1,
    }

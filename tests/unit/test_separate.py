"""A network for each emotion: trained alone, answering as one."""

from __future__ import annotations

import numpy as np
import pytest

from bitface.errors import InputError
from bitface.models.separate import SeparateNets
from bitface.params import TrainingParams
from bitface.training.batches import apex_stills
from bitface.training.choice import macro_auc, targets_of
from bitface.training.loop import load_model, predict_scores, save_model, train_pair
from tests.unit.test_training import PARAMS, silent, toy

SEPARATE = PARAMS.model_copy(update={"heads": "separate", "epochs": 3})


@pytest.fixture(scope="module")
def pair():
    return train_pair(toy(), SEPARATE, 7, silent)


@pytest.mark.trains
def test_each_emotion_has_a_network_of_its_own(pair):
    for model in pair:
        assert model.network.name == "separate_landmark_net"
        assert len(model.network.members) == len(model.emotions) == len(model.thresholds) == 3
        weights = [one.heads.weight for one in model.network.members]
        assert {tuple(weight.shape) for weight in weights} == {(1, weights[0].shape[1])}
        assert len(model.history) == 3


@pytest.mark.trains
def test_they_recognise_people_they_never_saw(pair):
    gate = apex_stills(toy().of_split("gate"))
    for model in pair:
        assert macro_auc(targets_of(gate, model.emotions), predict_scores(model, gate)) > 0.85


@pytest.mark.trains
def test_a_saved_set_answers_the_same_after_loading(pair, tmp_path):
    for name, model in zip(("one-bit", "float"), pair, strict=True):
        save_model(model, tmp_path / name)
        loaded = load_model(tmp_path / name)
        assert np.array_equal(predict_scores(loaded, toy()), predict_scores(model, toy()))


@pytest.mark.trains
def test_one_column_is_what_its_own_network_says(pair):
    network = pair[0].network
    inputs, lengths = network.inputs_of(toy().of_split("gate"))
    alone = network.members[1](inputs, lengths)
    assert np.array_equal(network(inputs, lengths)[:, [1]].detach(), alone.detach())


@pytest.mark.trains
def test_networks_of_several_outputs_are_no_set(pair):
    with pytest.raises(InputError, match="are not a set"):
        SeparateNets([pair[0].network])


def test_closed_form_heads_are_not_separated():
    """They would be the same numbers."""
    with pytest.raises(ValueError, match=r"training\.heads: shared"):
        TrainingParams.model_validate({**PARAMS.model_dump(), "heads": "separate", "variant": "R-EMO"})

"""Two stages of training: real weights first, signs afterwards, and only signs are kept."""

from __future__ import annotations

import pytest
import torch

from bitface.binarize.images import BinaryConv, BinaryReadout
from bitface.binarize.layers import BinaryTemporalConv
from bitface.training.loop import train_pair
from tests.unit.test_training import PARAMS, silent, toy


def test_real_weights_have_the_mean_size_of_a_sign_and_signs_come_back():
    torch.manual_seed(0)
    for layer in (BinaryTemporalConv(4, 8, 3, 1.5), BinaryConv(4, 8, 1, 64, 1.5), BinaryReadout(4, 8, 1.5)):
        signs = layer.effective_weight()
        layer.is_real = True
        real = layer.effective_weight()
        assert torch.equal(real.sign(), layer.weight.sign())
        assert torch.isclose(real.abs().mean(), torch.tensor(1.0))
        assert len(real.unique()) > 2
        layer.is_real = False
        assert torch.equal(layer.effective_weight(), signs)


@pytest.mark.trains
def test_the_kept_epoch_is_one_of_signs():
    params = PARAMS.model_copy(update={"epochs": 4, "real_weights_share": 0.5})
    one_bit, twin = train_pair(toy(), params, 7, silent)
    assert one_bit.best_epoch > 2
    assert len(one_bit.history) == len(twin.history) == 4
    weights = one_bit.network.convolutions[0].effective_weight()
    assert set(weights.unique().tolist()) == {-1.0, 1.0}

"""Modules put in the place of others, wherever these stand."""

from torch import nn

from segedu.profile.exchange import exchange


def test_every_name_of_a_module_gets_the_other():
    old, new, kept = nn.ReLU(), nn.Tanh(), nn.Sigmoid()
    model = nn.Sequential(old, nn.Sequential(kept, old), old)
    model.register_module("none", None)
    exchange(model, {old: new})
    assert [model[0], model[1][0], model[1][1], model[2]] == [new, kept, new, new]
    assert model.none is None

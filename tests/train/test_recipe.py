"""Recipes: what they refuse, and the schedule and optimiser that they define."""

import json
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from segedu.train.recipe import Recipe


def test_json_round_trip():
    recipe = Recipe(steps=7, class_weights=(1, 2.5), clip_norm=1.0, compile="inductor", precision="bfloat16")
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_an_unknown_field_is_named():
    with pytest.raises(ValueError, match="no field 'learning_rate'; its fields are steps, batch_size, lr"):
        Recipe.from_dict({"learning_rate": 0.1})


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"steps": 0}, ValueError, "steps is 0; it must be at least 1"),
        ({"steps": 2.0}, TypeError, "steps is 2.0; it must be an integer"),
        ({"batch_size": True}, TypeError, "batch_size is True"),
        ({"lr": 0}, ValueError, "lr is 0; it must be above 0"),
        ({"lr": float("nan")}, ValueError, "lr is nan"),
        ({"lr": float("inf")}, ValueError, "lr is inf"),
        ({"lr": "0.1"}, TypeError, "lr is '0.1'; it must be a number"),
        ({"momentum": 1}, ValueError, "momentum is 1; it must be at least 0 and below 1"),
        ({"weight_decay": -1e-4}, ValueError, "weight_decay is -0.0001"),
        ({"clip_norm": 0.0}, ValueError, "clip_norm is 0.0"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"warmup": 10, "steps": 10}, ValueError, "warmup is 10 and steps is 10"),
        ({"optimizer": "adam"}, ValueError, "optimizer is 'adam'; choose one of sgd, adamw"),
        ({"precision": "float16"}, ValueError, "precision is 'float16'; choose one of float32, bfloat16"),
        ({"channels_last": "no"}, TypeError, "channels_last is 'no'; it must be True or False"),
        ({"compile": True}, TypeError, "compile is True; name a torch.compile backend"),
        ({"class_weights": (1.0, -1.0)}, ValueError, "class_weights are (1.0, -1.0)"),
        ({"class_weights": (0, 0)}, ValueError, "class_weights are (0.0, 0.0)"),
        ({"class_weights": ()}, ValueError, "class_weights are ()"),
    ],
)
def test_errors_are_one_sentence_that_names_the_field(values, error, words):
    with pytest.raises(error, match=re.escape(f"recipe: {words}")) as caught:
        Recipe(**values)
    assert "\n" not in str(caught.value)


@given(steps=st.integers(1, 50), lr=st.floats(1e-4, 10))
def test_poly_is_that_of_torch(steps, lr):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, steps, power=0.9)
    recipe = Recipe(steps=steps, lr=lr)
    for step in range(steps):
        assert recipe.learning_rate(step) == pytest.approx(schedule.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        schedule.step()


@given(warmup=st.integers(1, 20), rest=st.integers(1, 20))
def test_warm_up_climbs_in_equal_steps_and_poly_follows(warmup, rest):
    recipe, plain = Recipe(steps=warmup + rest, warmup=warmup, lr=2.0), Recipe(steps=rest, lr=2.0)
    assert [recipe.learning_rate(t) for t in range(warmup)] == pytest.approx(
        [2.0 * (t + 1) / warmup for t in range(warmup)]
    )
    assert [recipe.learning_rate(warmup + t) for t in range(rest)] == [plain.learning_rate(t) for t in range(rest)]

"""The docstring contract: every public op says what goes in, what comes out, where it is from, and shows it."""

import inspect
import re

import pytest

from refnet.testing.hostile import public_functions

FUNCTIONS = {f.__name__: f for f in public_functions().values()}
# What is refnet's own, or needs no other source than its own words.
OWN = (
    "bernoulli",
    "clip_by_value",
    "dropout_mask",
    "global_norm",
    "slice_inputs_gradient",
    "take_x_gradient",
)


def text_of(function):
    return inspect.getdoc(function) or ""


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_the_contract(name):
    text = text_of(FUNCTIONS[name])
    summary, _, rest = text.partition("\n")
    assert summary.endswith((".", ":")) and len(summary) < 125
    assert re.search(r"^Args(:|, Returns)", rest, re.M), "says nothing of its arguments"
    assert re.search(r"^Returns:|^Args, Returns", rest, re.M), "says nothing of its result"
    assert ">>>" in rest, "shows no example"
    assert "Source" in rest or name in OWN, "names no source"


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_argument_is_told(name):
    """Each parameter by name, unless the text refers to another function for them."""
    text = text_of(FUNCTIONS[name])
    if re.search(r"^Args, Returns|\bas in `|See `", text, re.M):
        return
    missing = [p for p in inspect.signature(FUNCTIONS[name]).parameters if not re.search(rf"\b{p}\b", text)]
    assert not missing, f"does not tell of {', '.join(missing)}"

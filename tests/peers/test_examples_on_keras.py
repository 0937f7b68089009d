"""The programs of the book are Keras programs: one of them trains under Keras as it stands."""

import os
import pathlib
import subprocess
import sys

import pytest

from refnet import random

pytestmark = pytest.mark.peers
DATA = pathlib.Path(os.environ.get("REFNET_DATA_DIR", "nowhere"))


def test_what_is_ours_on_both_sides_computes_on_the_same_engine():
    """Numbers drawn and photos turned by the definitions, in plain Python, would be counted as Keras's time."""
    code = """
from refnet_fast.examples.beside_keras import put_keras_behind
put_keras_behind()
import keras, refnet, refnet_fast
from refnet_fast import layers, random
from refnet_fast.preprocessing import image
assert layers is keras.layers and image is refnet.preprocessing.image
assert refnet.engine.current_engine().name == "cpu"
print(float(random.normal((3,), seed=random.SeedGenerator(1)).sum()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.splitlines()[-1]) == float(random.normal((3,), seed=random.SeedGenerator(1)).sum())


@pytest.mark.skipif(not (DATA / "pima-indians-diabetes.csv").exists(), reason="the data set is not in $REFNET_DATA_DIR")
def test_a_program_is_timed_here_and_on_keras():
    from refnet_fast.examples.beside_keras import in_a_process

    backend = os.environ.get("KERAS_BACKEND", "torch")
    for library in ("refnet_fast", backend):
        found = in_a_process("pima", library, 0.01)
        assert found["library"] == library and found["seconds"] > 0 and found["first"] > 0
    with pytest.raises(RuntimeError, match="no_program on refnet_fast: .*No module named"):
        in_a_process("no_program", "refnet_fast", 0.01)

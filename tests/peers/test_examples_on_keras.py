"""The programs of the book are Keras programs: one of them trains under Keras as it stands."""

import os
import pathlib

import pytest

pytestmark = pytest.mark.peers
DATA = pathlib.Path(os.environ.get("REFNET_DATA_DIR", "nowhere"))


@pytest.mark.skipif(not (DATA / "pima-indians-diabetes.csv").exists(), reason="the data set is not in $REFNET_DATA_DIR")
def test_a_program_is_timed_here_and_on_keras():
    from refnet_fast.examples.beside_keras import in_a_process

    backend = os.environ.get("KERAS_BACKEND", "torch")
    for library in ("refnet_fast", backend):
        found = in_a_process("pima", library, 0.01)
        assert found["library"] == library and found["seconds"] > 0 and found["first"] > 0
    with pytest.raises(RuntimeError, match="no_program on refnet_fast: .*No module named"):
        in_a_process("no_program", "refnet_fast", 0.01)

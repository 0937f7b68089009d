"""Programs in the style of the book's second and third edition, run as they are after changing their imports.

The texts in `later_editions/` import keras and know nothing of refnet, but for gradients: what those editions do with a tape, with
PyTorch or with JAX is written with `ops.gradients`, `keras.grad`, `keras.value_and_grad` and `keras.jit`. Networks are tiny, data are drawn.
They run on the definitions; where REFNET_PROFILE=deep, on the compiled engine as well.

Loads and copies are compared exactly. Where a text compares numbers that were computed in two ways it allows them 1e-5, relative, or
1e-6 of numbers up to 1: 160 or 16 roundings, of sums of fewer terms. A loss that has to fall is only asked whether it does.
"""

import os
import pathlib
import re

import pytest

import refnet_fast
from refnet_fast import utils

TEXTS = sorted((pathlib.Path(__file__).parent / "later_editions").glob("*.py"))
DEEP = os.environ.get("REFNET_PROFILE") == "deep"
ENGINES = ["reference", *(["cpu"] if DEEP else [])]

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning")


def with_imports_changed(text):
    """`import keras` and `from keras ...` of refnet_fast instead; the names of files, which end in .keras, stay."""
    return re.sub(
        r"^from keras\b",
        "from refnet_fast",
        re.sub(r"^import keras$", "import refnet_fast as keras", text, flags=re.M),
        flags=re.M,
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_it_runs_after_the_change_of_its_imports(path, engine, tmp_path, monkeypatch):
    for package in ("h5py", "PIL"):
        pytest.importorskip(package, reason="files need the extras `files` and `images`")
    monkeypatch.chdir(tmp_path)
    utils.set_random_seed(0)
    utils.clear_session()
    text = with_imports_changed(path.read_text(encoding="utf-8"))
    try:
        with refnet_fast.use_engine(engine):
            exec(compile(text, str(path), "exec"), {"__name__": "__main__"})
    finally:
        utils.clear_session()


def test_all_programs_are_there():
    assert len(TEXTS) == 12
    assert all("refnet" not in path.read_text(encoding="utf-8") for path in TEXTS)

"""Programs in the style of the book's first edition (Keras 2.0.8), run as they are after s/keras/refnet_fast/.

The texts in `first_edition/` import keras and know nothing of refnet; forms are those of the table of the API, data are drawn and tiny.
They run on the definitions; where REFNET_PROFILE=deep, on the compiled engine too.
"""

import os
import pathlib

import pytest

import refnet_fast
from refnet_fast import utils

TEXTS = sorted((pathlib.Path(__file__).parent / "first_edition").glob("*.py"))
ENGINES = ["reference", *(["cpu"] if os.environ.get("REFNET_PROFILE") == "deep" else [])]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore")  # old spellings warn, which is not what is tested here
def test_it_runs_after_the_change_of_one_word(path, engine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = path.read_text(encoding="utf-8").replace("keras", "refnet_fast")
    utils.set_random_seed(0)
    utils.clear_session()
    try:
        with refnet_fast.use_engine(engine):
            exec(compile(text, str(path), "exec"), {"__name__": "__main__"})
    finally:
        refnet_fast.backend.clear_session()


def test_all_chapters_that_have_programs_are_there():
    assert len(TEXTS) == 10
    assert all("refnet" not in path.read_text(encoding="utf-8") for path in TEXTS)

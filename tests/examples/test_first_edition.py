"""Programs in the style of the book's first edition (Keras 2.0.8), run as they are after s/keras/refnet_fast/.

The texts in `first_edition/` import keras and know nothing of refnet; forms are those of the table of the API, networks are tiny,
data are drawn or a few rows of the real ones, in a folder `data`. They run on the definitions; where REFNET_PROFILE=deep, those of
DEEPER too, all on the compiled engine as well, and there the texts of `first_edition/whole`, which have the book's own nets.
Those in `keras_2/` have the forms of well-known programs for Keras 2 by others: its examples, and layers of blogs.

What is read back from a file is compared exactly. A loss that a text writes out beside the one that `evaluate` gives may differ by
1e-4, relative: 1600 roundings. It is a mean of at most 120 samples, which is as many roundings, of logarithms of chances: the two
dozen that a chance has are two dozen of 1 in its logarithm, which is 240 of a loss of 0.1; and both sides make theirs. Outputs of
the same weights in another batch or net may differ by 1e-5 or 1e-6, 160 or 16 roundings of numbers up to 1.
"""

import json
import os
import pathlib

import pytest

import refnet_fast
from refnet_fast import applications, utils

FOLDER = pathlib.Path(__file__).parent / "first_edition"
DEEPER = {"digits", "habits", "houses", "raw_texts", "reviews"}
DEEPER_OF_KERAS_2 = {"kinds_together", "wider_and_deeper"}
DEEP = os.environ.get("REFNET_PROFILE") == "deep"
TEXTS = [path for path in sorted(FOLDER.glob("*.py")) if DEEP or path.stem not in DEEPER]
ALL_OF_KERAS_2 = sorted((FOLDER.parent / "keras_2").glob("*.py"))
KERAS_2 = [path for path in ALL_OF_KERAS_2 if DEEP or path.stem not in DEEPER_OF_KERAS_2]
WHOLE = {"transfer": "VGG16", "looking": "VGG16", "octaves": "InceptionV3", "painting": "VGG19"}
ENGINES = ["reference", *(["cpu"] if DEEP else [])]
DATA = pathlib.Path(os.environ.get("REFNET_DATA_DIR", "nowhere")).absolute()

pytestmark = pytest.mark.filterwarnings("ignore")  # old spellings warn, which is not what is tested here


def run(path, engine, folder, monkeypatch):
    """Runs a text in a folder, with the real data in its `data` if it reads some."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MPLBACKEND", "agg")
    text = path.read_text(encoding="utf-8")
    if "keras.datasets" in text or '"data"' in text:
        if not (DATA / "mnist.npz").exists():
            pytest.skip("the book's data sets are not in $REFNET_DATA_DIR")
        (folder / "data").symlink_to(DATA, target_is_directory=True)
    utils.set_random_seed(0)
    utils.clear_session()
    try:
        with refnet_fast.use_engine(engine):
            exec(compile(text.replace("keras", "refnet_fast"), str(path), "exec"), {"__name__": "__main__"})
    finally:
        utils.clear_session()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", [*TEXTS, *KERAS_2], ids=lambda path: path.stem)
def test_it_runs_after_the_change_of_one_word(path, engine, tmp_path, monkeypatch):
    run(path, engine, tmp_path, monkeypatch)


@pytest.mark.skipif(not DEEP, reason="the book's own nets: where REFNET_PROFILE=deep")
@pytest.mark.parametrize("name", sorted(WHOLE))
def test_whole_nets_with_the_files_that_they_ask_for(name, tmp_path, monkeypatch):
    """The files are made here, with random weights, and found by the names that Keras publishes them under."""
    kept = tmp_path / "kept"
    kept.mkdir()
    net = WHOLE[name]
    published = getattr(applications, {"InceptionV3": "inception_v3"}.get(net, net.lower())).PUBLISHED.names[1]
    utils.set_random_seed(0)
    made = kept / "any.weights.h5"
    getattr(applications, net)(weights=None, include_top=False).save_weights(made)
    made.rename(kept / published)
    index = {str(i): [f"n{i:08}", f"class_{i}"] for i in range(1000)}
    (kept / "imagenet_class_index.json").write_text(json.dumps(index))
    monkeypatch.setenv("REFNET_DATA_DIR", str(kept))
    run(FOLDER / "whole" / f"{name}.py", "cpu", tmp_path, monkeypatch)


def test_all_chapters_that_have_programs_are_there():
    names = {path.stem for path in FOLDER.glob("*.py")}
    assert len(names) == 18 and names > DEEPER
    assert {path.stem for path in (FOLDER / "whole").glob("*.py")} == set(WHOLE)
    assert all("refnet" not in path.read_text(encoding="utf-8") for path in [*FOLDER.rglob("*.py"), *ALL_OF_KERAS_2])
    assert len(ALL_OF_KERAS_2) == 13 and {path.stem for path in ALL_OF_KERAS_2} > DEEPER_OF_KERAS_2

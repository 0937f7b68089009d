"""ImageDataGenerator's batches of files: a folder for each class, or a table; what the targets are, what is refused."""

import numpy as np
import pytest

from refnet.errors import ArgumentError, MissingFileError
from refnet.preprocessing import image
from refnet.testing import close


@pytest.mark.api("....flow_from_directory")
def test_a_folder_for_each_class(tree, capsys):
    generator = image.ImageDataGenerator(rescale=1.0 / 255)
    flow = generator.flow_from_directory(tree, target_size=(3, 4), batch_size=2, class_mode="binary", shuffle=False)
    assert capsys.readouterr().out == "Found 5 images belonging to 2 classes.\n"
    assert flow.class_indices == {"cats": 0, "dogs": 1} and flow.classes.tolist() == [0, 0, 0, 1, 1]
    assert [name.replace("\\", "/") for name in flow.filenames][0] == "cats/cat.0.png" and flow.samples == 5
    x, y = next(flow)
    assert x.shape == (2, 3, 4, 3) and x.dtype == "float32" and y.tolist() == [0, 0]
    close(x[1], 10 / 255, 2)
    assert [len(next(flow)[1]) for _ in range(4)] == [2, 1, 2, 2]  # and on, without an end


def test_folders_without_an_image_are_told(tmp_path):
    for name in ("cats", "dogs"):
        (tmp_path / name).mkdir()
    with pytest.warns(UserWarning, match=r"no image in the folders of .*\(cats, dogs\)") as caught:
        flow = image.ImageDataGenerator().flow_from_directory(tmp_path, class_mode="binary")
    assert flow.samples == 0 and caught[0].filename == __file__


def test_what_the_targets_are(tree):
    generator = image.ImageDataGenerator(validation_split=0.4)
    how = {"target_size": (2, 2), "shuffle": False}
    assert next(generator.flow_from_directory(tree, **how))[1].tolist() == [[1, 0]] * 3 + [[0, 1]] * 2
    x, y = next(generator.flow_from_directory(tree, class_mode="input", **how))
    np.testing.assert_array_equal(x, y)
    assert next(generator.flow_from_directory(tree, class_mode=None, color_mode="grayscale", **how)).shape == (
        5,
        2,
        2,
        1,
    )
    chosen = generator.flow_from_directory(tree, classes=["dogs"], class_mode="sparse", **how)
    assert chosen.class_indices == {"dogs": 0} and chosen.samples == 2
    sizes = [generator.flow_from_directory(tree, subset=part, **how).samples for part in ("training", "validation")]
    assert sizes == [4, 1]
    assert next(generator.flow_from_directory(tree, class_mode="sparse", subset="validation", **how))[1].tolist() == [0]


def test_a_table_of_files(tree):
    table = {"filename": ["cats/cat.0.png", "cats/cat.1.png", "dogs/dog.0.png", "none.png"], "class": list("bbab")}
    table |= {"value": [0.5, 1.5, 2.5, 9.0], "weight": [1.0, 2.0, 3.0, 4.0]}
    generator = image.ImageDataGenerator()
    how = {"target_size": (2, 2), "shuffle": False}
    with pytest.warns(UserWarning, match="1 names"):
        flow = generator.flow_from_dataframe(table, tree, weight_col="weight", **how)
    x, y, weights = next(flow)
    assert flow.class_indices == {"a": 0, "b": 1} and y.tolist() == [[0, 1], [0, 1], [1, 0]] and x[2, 0, 0, 0] == 100
    assert weights.tolist() == [1, 2, 3]
    kept = {key: values[:3] for key, values in table.items()}
    assert next(generator.flow_from_dataframe(kept, tree, y_col="value", class_mode="raw", **how))[1].tolist() == [
        0.5,
        1.5,
        2.5,
    ]
    several = generator.flow_from_dataframe(kept, tree, y_col=["value", "weight"], class_mode="multi_output", **how)
    assert [v.tolist() for v in next(several)[1]] == [[0.5, 1.5, 2.5], [1, 2, 3]]
    many = {"filename": kept["filename"], "class": [["a", "b"], ["b"], "a"]}
    assert next(generator.flow_from_dataframe(many, tree, **how))[1].tolist() == [[1, 1], [0, 1], [1, 0]]
    with pytest.raises(ArgumentError, match="no column 'klass'"):
        generator.flow_from_dataframe(kept, tree, y_col="klass")
    with pytest.raises(ArgumentError, match="classes are strings; got 0.5"):
        generator.flow_from_dataframe(kept, tree, y_col="value")


def test_mistakes_with_folders(tree, tmp_path):
    generator = image.ImageDataGenerator()
    with pytest.raises(MissingFileError, match="there is no folder"):
        generator.flow_from_directory(tmp_path / "none")
    with pytest.raises(ArgumentError, match="Did you mean 'cats'"):
        generator.flow_from_directory(tree, classes=["cat"])
    with pytest.raises(ArgumentError, match="Did you mean 'binary'"):
        generator.flow_from_directory(tree, class_mode="binry")
    with pytest.raises(ArgumentError, match="two classes"):
        generator.flow_from_directory(tree, classes=["dogs"], class_mode="binary")
    with pytest.raises(ArgumentError, match="color_mode"):
        generator.flow_from_directory(tree, color_mode="bgr")
    with pytest.raises(ArgumentError, match="size is"):
        generator.flow_from_directory(tree, target_size=3)

"""Values of images spread out by how often they occur, by hand. The layers' tests hold them against Keras."""

import numpy as np

from refnet.ops.histograms import equalized, equalized_by_tiles


def test_values_by_rank():
    x = np.array([[10.0, 10, 20, 30], [7, 7, 7, 7]], "float32").reshape(1, 2, 1, 4)
    got = equalized(x, (0.0, 255.0), 256, 1, "float32")
    assert got.reshape(2, 4).tolist() == [[0, 0, 128, 255], [7, 7, 7, 7]]  # round(255 / 2), to even; one value stays


def test_each_tile_by_itself():
    x = np.array([[0.0, 1, 2, 100, 150, 200]], "float32").reshape(1, 1, 6, 1)
    got = equalized_by_tiles(np.repeat(x, 2, 3), (0.0, 255.0), 0, (1, 1))
    np.testing.assert_array_equal(got[0, 0, :, 0], 255 * np.arange(6) / 5)
    np.testing.assert_array_equal(got[..., 0], got[..., 1])
    two = equalized_by_tiles(x, (0.0, 255.0), 0, (1, 2))[0, 0, :, 0]
    assert two[0] == 0 and two[1] == 127.5 and two[-1] == 255  # before the first middle, and behind the last


def test_no_images():
    none = np.zeros((0, 4, 4, 3), "float32")
    assert equalized(none, (0.0, 255.0), 256, -1, "float32").shape == none.shape
    assert equalized_by_tiles(none, (0.0, 255.0), 4.0, (2, 2)).shape == none.shape

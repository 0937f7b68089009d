"""A second opinion that shares no code: Keras on image ops, in float32."""

import numpy as np
import pytest

from refnet import ops
from refnet.testing.closeness import close
from refnet.testing.conformance import agree

pytestmark = pytest.mark.peers

RNG = np.random.default_rng(0)
X = RNG.uniform(size=(2, 7, 6, 3)).astype("float32")
Y = RNG.uniform(size=(2, 7, 6, 3)).astype("float32")
POINTS = RNG.uniform(-6, 12, size=(3, 5, 4)).astype("float32")
CORNERS = np.array([[0, 0], [0, 7], [6, 0], [6, 7]], "float32")
MOVED = np.stack([CORNERS + RNG.uniform(-1, 1, (4, 2)) for _ in range(2)]).astype("float32")
MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
CALLS = [
    # With another height than width, or no data_format, Keras's PyTorch engine computes something else than its others.
    ("gaussian_blur", (X, (3, 3), (0.7, 0.7), "channels_last"), {}),
    ("gaussian_blur", (X, (5, 5), (0.7, 2.0), "channels_last"), {}),
    ("sobel_edges", (X,), {}),
    ("ssim", (X, Y), {"filter_size": 5, "max_val": 2.0}),
    ("extract_patches_3d", (X, (2, 3, 2)), {}),
    *[("map_coordinates", (X[0], POINTS, order, mode, 0.5), {}) for order in (0, 1) for mode in MODES],
    ("perspective_transform", (X, np.stack([CORNERS] * 2), MOVED), {}),
    ("perspective_transform", (X, MOVED, np.stack([CORNERS] * 2), "nearest", 0.5), {}),
    *[
        (
            "scale_and_translate",
            (
                X,
                (2, 5, 9, 3),
                np.array([0.6, 1.4], "float32"),
                np.array([0.3, -0.8], "float32"),
                (1, 2),
                kernel,
                smooth,
            ),
            {},
        )
        for kernel in ("linear", "cubic", "lanczos3", "lanczos5")
        for smooth in (False, True)
    ],
]


@pytest.mark.parametrize("name, arguments, keywords", CALLS)
def test_keras_agrees(name, arguments, keywords):
    import keras

    expected = keras.ops.convert_to_numpy(getattr(keras.ops.image, name)(*arguments, **keywords))
    result = getattr(ops.image, name)(*arguments, **keywords)
    assert result.shape == expected.shape
    # At most 45 terms of size 3, each weight ten operations deep: 2 * (45 + 10) roundings of 3 are 2e-5.
    close(result, expected, 2 * (45 + 10), 3)


def test_psnr():
    import keras

    agree(lambda x, y: ops.psnr(x, y, 2.0), float(keras.ops.psnr(X, Y, 2.0)), X, Y)

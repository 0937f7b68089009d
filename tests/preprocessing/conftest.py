"""Every test starts from the same seed, so that none passes or fails by its draws."""

import numpy as np
import pytest

from refnet import utils
from refnet.utils import save_img


@pytest.fixture(autouse=True)
def seeded():
    utils.set_random_seed(1)


@pytest.fixture
def tree(tmp_path):
    """Two classes: three cats of 6 x 8 pixels, two dogs, and a file that is none."""
    for kind, count in (("cats", 3), ("dogs", 2)):
        (tmp_path / "train" / kind).mkdir(parents=True)
        for i in range(count):
            values = np.full((6, 8, 3), 10 * i + (100 if kind == "dogs" else 0), np.uint8)
            save_img(tmp_path / "train" / kind / f"{kind[:-1]}.{i}.png", values, scale=False)
    (tmp_path / "train" / "cats" / "notes.txt").write_text("no image")
    return tmp_path / "train"

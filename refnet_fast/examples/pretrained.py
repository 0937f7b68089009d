"""What the programs with nets trained on ImageNet share: a net, with its weights if they are there; photos in and out."""

import pathlib

import numpy as np

from refnet_fast.applications.files import at_hand
from refnet_fast.datasets import files
from refnet_fast.errors import MissingFileError
from refnet_fast.examples.support import Job
from refnet_fast.preprocessing import image


def net(job: Job, make, names, **arguments):
    """A net without its top: with ImageNet's weights, or with random ones, which the results then say.

    Args:
        make: a function of `applications`.
        names: its published files, with and without the top; a quick run does not fetch the second if it is not at hand.
    """
    if not job.quick or at_hand(names[1]):
        try:
            return make(weights="imagenet", include_top=False, **arguments)
        except MissingFileError as error:
            job.say(str(error))
    job.note(
        f"RANDOM WEIGHTS: {names[1]} is not at hand, so the net has never seen a photo; this shows that the program runs, "
        "not what it can do, and the book's figures do not apply"
    )
    return make(weights=None, include_top=False, **arguments)


def photo_path(name: str) -> pathlib.Path:
    """photos/NAME in the folders of data."""
    return files.by_hand(f"photos/{name}", source="the book, or put any photo there under that name")


def photo(name: str, height: int) -> np.ndarray:
    """A photo of that height and its own proportions: (1, height, width, 3), from 0 to 255."""
    width, full = image.load_img(photo_path(name)).size
    return image.img_to_array(image.load_img(photo_path(name), target_size=(height, width * height // full)))[None]


def is_random(job: Job) -> bool:
    """Whether the net of the program has random weights."""
    return any(text.startswith("RANDOM WEIGHTS") for text in job.notes)


def randomly(job: Job) -> str:
    """What a picture's title says after the net's name."""
    return " with random weights" if is_random(job) else ""


def book(job: Job, figure: float) -> float | None:
    """The book's figure, which stands beside ours only where the net has seen what the book's has."""
    return None if is_random(job) else figure


def side_by_side(pictures, title, size=3.2):
    """A figure of pictures, by their titles, under one of its own."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(pictures), figsize=(size * 1.33 * len(pictures), size), layout="constrained")
    figure.suptitle(title, fontsize=13, fontweight="bold")
    for place, (name, picture) in zip(np.atleast_1d(axes), pictures.items()):
        place.imshow(picture)
        place.set_title(name, fontsize=10)
        place.set_axis_off()
    return figure

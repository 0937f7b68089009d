"""Data sets, with the names and the results of `keras.datasets`. How their files are found: `refnet.datasets.files`.

The book's other files have a module each too: `cats_and_dogs`, `jena_climate`, `nietzsche`, `pima`.
"""

from refnet.datasets import (
    boston_housing,
    california_housing,
    cats_and_dogs,
    cifar10,
    cifar100,
    fashion_mnist,
    imdb,
    jena_climate,
    mnist,
    nietzsche,
    pima,
    reuters,
)

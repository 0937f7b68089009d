"""Data sets, with the names and the results of `keras.datasets`. How their files are found: `refnet.datasets.files`.

The book's other files have a module each too: `acl_imdb`, `cats_and_dogs`, `glove`, `jena_climate`, `nietzsche`, `pima`.
"""

from refnet.datasets import (
    acl_imdb,
    boston_housing,
    california_housing,
    cats_and_dogs,
    cifar10,
    cifar100,
    fashion_mnist,
    glove,
    imdb,
    jena_climate,
    mnist,
    nietzsche,
    pima,
    reuters,
)

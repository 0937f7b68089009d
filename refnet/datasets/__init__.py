"""Data sets, with the names and the results of `keras.datasets`. How their files are found: `refnet.datasets.files`."""

from refnet.datasets import boston_housing, imdb, mnist, reuters

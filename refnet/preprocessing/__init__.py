"""Texts, sequences and images made ready for networks: the first edition's `keras.preprocessing`; newer names are in `utils`."""

from refnet.preprocessing import image, sequence, text
from refnet.utils import image_dataset_from_directory, text_dataset_from_directory, timeseries_dataset_from_array

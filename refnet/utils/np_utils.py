"""Where the first edition of Keras kept `to_categorical`."""

from refnet.utils import to_categorical as to_categorical

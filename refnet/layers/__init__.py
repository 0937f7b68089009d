"""Layers: what models are made of. `base.py` says what a layer is."""

from refnet.layers.base import Layer as Layer
from refnet.layers.core import Activation as Activation
from refnet.layers.core import Dense as Dense
from refnet.layers.core import Dropout as Dropout
from refnet.layers.core import Flatten as Flatten
from refnet.layers.core import Input as Input
from refnet.layers.core import InputLayer as InputLayer
from refnet.layers.core import Rescaling as Rescaling

"""Models: layers that are trained together. `functional.py` says what a graph of layer calls is."""

from refnet.layers.core import Input as Input
from refnet.models.model import Model as Model
from refnet.models.sequential import Sequential as Sequential

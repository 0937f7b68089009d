"""`refnet.random`, computing arrays on the current engine."""

from refnet import random as _definitions
from refnet_fast._eager import on_current_engine

__getattr__ = on_current_engine(_definitions)


def __dir__():
    return dir(_definitions)

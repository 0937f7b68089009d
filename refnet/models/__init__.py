"""Models: layers that are trained together. `functional.py` says what a graph of layer calls is."""

from refnet.layers.core import Input as Input
from refnet.models.cloning import clone_model as clone_model
from refnet.models.model import Model as Model
from refnet.models.sequential import Sequential as Sequential
from refnet.saving import load_model as load_model
from refnet.saving import model_from_json as model_from_json
from refnet.saving import save_model as save_model

"""Saving and loading: models in `.keras` files, weights in `.weights.h5`, configurations as JSON. Files hold no code."""

from refnet.old_names import serve
from refnet.registration import CustomObjectScope as CustomObjectScope
from refnet.registration import custom_object_scope as custom_object_scope
from refnet.registration import get_custom_objects as get_custom_objects
from refnet.registration import get_registered_name as get_registered_name
from refnet.registration import get_registered_object as get_registered_object
from refnet.registration import register_keras_serializable as register_keras_serializable
from refnet.saving.models import load_model as load_model
from refnet.saving.models import load_weights as load_weights
from refnet.saving.models import model_from_json as model_from_json
from refnet.saving.models import save_model as save_model
from refnet.saving.models import save_weights as save_weights
from refnet.saving.serialization import deserialized as deserialize_keras_object
from refnet.saving.serialization import serialized as serialize_keras_object

serve(__name__)

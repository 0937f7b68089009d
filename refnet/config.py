"""Settings, as Keras's `keras.config` names them."""

from refnet.backend import backend as backend
from refnet.backend import epsilon as epsilon
from refnet.backend import floatx as floatx
from refnet.backend import image_data_format as image_data_format
from refnet.backend import set_epsilon as set_epsilon
from refnet.backend import set_floatx as set_floatx
from refnet.backend import set_image_data_format as set_image_data_format
from refnet.mixed_precision import dtype_policy as dtype_policy
from refnet.mixed_precision import set_dtype_policy as set_dtype_policy

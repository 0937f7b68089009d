"""Settings, as Keras's `keras.config` names them. Those that cannot be changed here say so when they are."""

from refnet.backend import backend as backend
from refnet.backend import floatx as floatx
from refnet.backend import set_floatx as set_floatx
from refnet.errors import ArgumentError
from refnet.limits import max_epochs as max_epochs
from refnet.limits import max_steps_per_epoch as max_steps_per_epoch
from refnet.limits import set_max_epochs as set_max_epochs
from refnet.limits import set_max_steps_per_epoch as set_max_steps_per_epoch
from refnet.mixed_precision import dtype_policy as dtype_policy
from refnet.mixed_precision import set_dtype_policy as set_dtype_policy
from refnet.progress import disable_interactive_logging as disable_interactive_logging
from refnet.progress import enable_interactive_logging as enable_interactive_logging
from refnet.progress import is_interactive_logging_enabled as is_interactive_logging_enabled
from refnet.registration import enable_unsafe_deserialization as enable_unsafe_deserialization
from refnet.settings import epsilon as epsilon
from refnet.settings import image_data_format as image_data_format
from refnet.settings import set_epsilon as set_epsilon
from refnet.settings import set_image_data_format as set_image_data_format

_flash_attention: bool | None = None


def set_backend(backend: str) -> None:
    """For Keras's programs: there is no other framework underneath, so only "refnet" is taken.

    Args:
        backend: "refnet".
    Raises:
        ArgumentError: another name. Nothing is changed, as with "refnet".
    Source: Keras 3 `config.set_backend`.

    >>> set_backend("refnet")
    >>> set_backend("jax")
    Traceback (most recent call last):
    refnet.errors.ArgumentError: set_backend: refnet computes by itself; got 'jax'. use_engine chooses what it computes on ('cpu', 'cuda' ...).
    """
    if backend != "refnet":
        raise ArgumentError(
            f"set_backend: refnet computes by itself; got {backend!r}. use_engine chooses what it computes on ('cpu', 'cuda' ...)."
        )


def enable_flash_attention() -> None:
    """What `is_flash_attention_enabled` tells. It changes nothing else: attention never stores its logits, whatever this says."""
    global _flash_attention
    _flash_attention = None


def disable_flash_attention() -> None:
    """See `enable_flash_attention`.

    >>> disable_flash_attention()
    >>> is_flash_attention_enabled()
    False
    >>> enable_flash_attention()
    """
    global _flash_attention
    _flash_attention = False


def is_flash_attention_enabled() -> bool | None:
    """False after `disable_flash_attention`, else None (as in Keras: it may be used)."""
    return _flash_attention


def is_nnx_enabled() -> bool:
    """False: NNX is of JAX."""
    return False


def is_traceback_filtering_enabled() -> bool:
    """False: tracebacks show every frame."""
    return False


def disable_traceback_filtering() -> None:
    """Changes nothing: tracebacks show every frame."""


def enable_traceback_filtering() -> None:
    """For Keras's programs: tracebacks cannot be shortened here.

    Raises:
        ArgumentError: always.
    """
    raise ArgumentError("enable_traceback_filtering: tracebacks show every frame; the last line says what is wrong.")

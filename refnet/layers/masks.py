"""Masks: a tensor's `mask` says which of its steps hold something. How layers take and give them."""

import warnings
from typing import TYPE_CHECKING, Any

from refnet.graph import Tensor, as_tensor
from refnet.layers.returned import identity
from refnet.structure import flatten, mapped

if TYPE_CHECKING:
    from refnet.layers.base import Layer


def mask_of(x: Any) -> Tensor | None:
    """The mask that a tensor carries; None of anything else."""
    return x.mask if isinstance(x, Tensor) else None


def masks_of(structure: Any) -> Any:
    """The masks of a structure's tensors, in that structure; None if there is none at all."""
    masks = mapped(mask_of, structure)
    return masks if any(m is not None for m in flatten(masks)) else None


def with_mask(x: Tensor, mask: Tensor | None) -> Tensor:
    """A tensor with another mask, or with none: for layers inside another that sees to masks itself."""
    if x.mask is mask:
        return x
    y = identity(x)
    y.mask = mask
    return y


def spread(mask: Any, like: Any) -> Any:
    """A mask of few axes, with axes of length 1 behind until it has as many as another tensor."""
    from refnet import ops

    for _ in range(len(like.shape) - len(mask.shape)):
        mask = ops.expand_dims(mask, -1)
    return mask


def open_masks(layer: "Layer", args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The masks that `call` asks for, that the caller left open and that the arguments carry, by Keras 3's rule."""
    names = layer.call_parameters()
    given = {**dict(zip(names, args)), **kwargs}
    masks = {name: masks_of(x) for name, x in given.items() if any(isinstance(t, Tensor) for t in flatten(x))}
    found = {f"{name}_mask": mask for name, mask in masks.items()} if len(masks) > 1 else {}
    if len(masks) == 1:
        found["mask"] = next(iter(masks.values()))
    elif "mask" in names and given.get("mask") is None and args and masks.get(names[0]) is not None:
        warnings.warn(
            f"{layer.name} is called with several tensors ({', '.join(masks)}), so it does not read the mask that {names[0]} "
            "carries, as in Keras 3: give it as `mask=` too.",
            stacklevel=4,
        )
    wanted = {name for name in names if given.get(name) is None}
    return {name: mask for name, mask in found.items() if name in wanted and mask is not None}


def pass_masks(layer: "Layer", inputs: Any, mask: Any, outputs: list[Tensor]) -> None:
    """Gives the outputs their masks, unless `call` itself did."""
    if all(y.mask is not None for y in outputs):
        return
    masks = mask if mask is not None else mapped(mask_of, inputs)
    if layer.supports_masking:
        for y, own in zip(outputs, flatten(layer.compute_mask(inputs, masks))):
            if y.mask is None and own is not None:
                y.mask = as_tensor(own)
    elif any(mask_of(x) is not None for x in flatten(inputs)):  # one that was given to `call` alone may be for itself
        warnings.warn(
            f"{layer.name} ({type(layer).__name__}) does not support masks: the mask of its inputs ends here, and later "
            "layers take every step. Give the class `supports_masking = True` if the mask may go on as it is.",
            stacklevel=5,
        )

"""The graph of a model."""

from typing import Any

from refnet.utils.model_visualization import plot_model


def model_graph(model: Any, show_shapes: bool = True, to_file: Any = None, **more: Any) -> Any:
    """A model's layers as boxes, what flows between them as arrows.

    Args:
        model: a built Sequential or a functional model.
        show_shapes: whether the boxes say the shapes.
        to_file: a file to save the picture in.
        more: as in `utils.plot_model`.
    Returns:
        The matplotlib Figure.
    """
    return plot_model(model, to_file=to_file, show_shapes=show_shapes, **more)

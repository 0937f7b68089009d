"""Pictures of training and of what a network does: one line each, a matplotlib Figure as the result.

    figure = visualize.training_curves(model.fit(...))
    visualize.grad_cam(model, photo, "conv2d_3", to_file="why.png")

Every function takes `to_file` to save its picture too. Drawn by matplotlib, which the extra `viz` installs.
"""

from refnet.visualize.curves import bars, scatter_2d, series, training_curves
from refnet.visualize.images import confusion_matrix, image_grid
from refnet.visualize.inside import activation_grids, filter_patterns, grad_cam, gradient_ascent, heatmap, overlay
from refnet.visualize.latent import latent_manifold, manifold_codes
from refnet.visualize.models import model_graph

__all__ = [
    "activation_grids",
    "bars",
    "confusion_matrix",
    "filter_patterns",
    "grad_cam",
    "gradient_ascent",
    "heatmap",
    "image_grid",
    "latent_manifold",
    "manifold_codes",
    "model_graph",
    "overlay",
    "scatter_2d",
    "series",
    "training_curves",
]

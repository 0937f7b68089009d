"""Chollet 8.2: DeepDream: a photo changed until the layers of InceptionV3 answer it strongly.

python -m refnet_fast.examples.deep_dream
"""

import numpy as np

from refnet_fast import backend as K
from refnet_fast import ops
from refnet_fast.applications import inception_v3
from refnet_fast.examples.pretrained import book, net, photo, randomly, side_by_side
from refnet_fast.examples.support import Job, run_program

CONTRIBUTIONS = {"mixed2": 0.2, "mixed3": 3.0, "mixed4": 2.0, "mixed5": 1.5}  # of the layers to the loss
STEP, MAX_LOSS = 0.01, 10.0
OCTAVES, SCALE = 3, 1.4  # how many sizes, and the ratio between them
BOOK = ((0.672, 9.941), (2.177, 9.610), (2.312, 9.985))  # loss before and after, octave by octave


def dream_function(model):
    """A function of images: the loss, and its gradient in the pixels."""
    loss = K.variable(0.0)
    for name, coefficient in CONTRIBUTIONS.items():
        activation = model.get_layer(name).output
        scaling = K.prod(K.cast(K.shape(activation), "float32"))
        loss = loss + coefficient * K.sum(K.square(activation[:, 2:-2, 2:-2, :])) / scaling
    dream = model.input
    grads = K.gradients(loss, dream)[0]
    grads /= K.maximum(K.mean(K.abs(grads)), 1e-7)
    return K.function([dream], [loss, grads])


def gradient_ascent(fetch_loss_and_grads, x, steps):
    """The image after the steps, and the losses before each; it stops where the loss would run away."""
    losses = []
    for _ in range(steps):
        loss, grads = fetch_loss_and_grads([x])
        losses.append(float(loss))
        if losses[-1] > MAX_LOSS:
            break
        x = x + STEP * grads
    return x, losses


def resized(x, shape):
    return np.asarray(ops.image.resize(x, shape, interpolation="bilinear"))


def visible(x):
    """Pixels that were from -1 to 1, as a picture."""
    return np.clip((x[0] / 2 + 0.5) * 255, 0, 255).astype("uint8")


def main(job: Job) -> None:
    K.set_learning_phase(0)
    model = net(job, inception_v3.InceptionV3, inception_v3.PUBLISHED.names)
    fetch_loss_and_grads = dream_function(model)
    original = inception_v3.preprocess_input(photo("tubingen.jpg", job.pick(350, 148)))
    shapes = [tuple(int(d / SCALE**i) for d in original.shape[1:3]) for i in reversed(range(OCTAVES))]

    x = shrunk = resized(original, shapes[0])
    for octave, (shape, (before, after)) in enumerate(zip(shapes, BOOK), start=1):
        job.say(f"octave {octave}: {shape[0]} x {shape[1]} pixels")
        x, losses = gradient_ascent(fetch_loss_and_grads, resized(x, shape), job.pick(20, 8))
        sharp = resized(original, shape)
        x = x + (sharp - resized(shrunk, shape))  # what the small image had lost
        shrunk = sharp
        job.result(f"octave {octave}: loss before", losses[0], book(job, before))
        job.result(f"octave {octave}: loss after {len(losses) - 1} steps", losses[-1], book(job, after))
        job.result(f"octave {octave}: change per pixel, of 2", np.abs(x - sharp).mean())
    job.note("the book dreams of another photo, which is not at hand; this one is the river front of Tübingen")
    job.picture(
        "dream",
        side_by_side({"photo": visible(original), "dream": visible(x)}, f"DeepDream, InceptionV3{randomly(job)}"),
    )


if __name__ == "__main__":
    run_program(main)

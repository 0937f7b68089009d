"""Chollet 8.3: neural style transfer: the content of a photo in the style of a painting, found by L-BFGS in the pixels.

python -m refnet_fast.examples.style_transfer
"""

import numpy as np

from refnet_fast import backend as K
from refnet_fast.applications import vgg19
from refnet_fast.examples.pretrained import book, net, photo, randomly, side_by_side
from refnet_fast.examples.support import Job, needed, run_program

CONTENT_LAYER = "block5_conv2"
STYLE_LAYERS = [f"block{number}_conv1" for number in range(1, 6)]
VARIATION_WEIGHT, STYLE_WEIGHT, CONTENT_WEIGHT = 1e-4, 1.0, 0.025
MEANS_BGR = 103.939, 116.779, 123.68


def content_loss(base, combination):
    return K.sum(K.square(combination - base))


def gram_matrix(x):
    features = K.batch_flatten(K.permute_dimensions(x, (2, 0, 1)))
    return K.dot(features, K.transpose(features))


def style_loss(style, combination, pixels):
    difference = gram_matrix(style) - gram_matrix(combination)
    return K.sum(K.square(difference)) / (4.0 * 3**2 * pixels**2)


def total_variation_loss(x):
    down = K.square(x[:, :-1, :-1, :] - x[:, 1:, :-1, :])
    right = K.square(x[:, :-1, :-1, :] - x[:, :-1, 1:, :])
    return K.sum(K.pow(down + right, 1.25))


def total_loss(outputs, combination):
    """What the combined image is judged by; the batch holds photo, painting and combination."""
    pixels = combination.shape[1] * combination.shape[2]
    loss = K.variable(0.0)
    features = outputs[CONTENT_LAYER]
    loss = loss + CONTENT_WEIGHT * content_loss(features[0, :, :, :], features[2, :, :, :])
    for name in STYLE_LAYERS:
        features = outputs[name]
        one = style_loss(features[1, :, :, :], features[2, :, :, :], pixels)
        loss += (STYLE_WEIGHT / len(STYLE_LAYERS)) * one
    return loss + VARIATION_WEIGHT * total_variation_loss(combination)


class Evaluator:
    """Loss and gradients come from one run; SciPy asks for them one after the other."""

    def __init__(self, fetch_loss_and_grads, shape):
        self.fetch_loss_and_grads, self.shape = fetch_loss_and_grads, shape
        self.point = self.loss_value = self.grad_values = None

    def evaluate(self, x):
        if self.point is None or not np.array_equal(x, self.point):
            loss, grads = self.fetch_loss_and_grads([x.reshape(self.shape).astype("float32")])
            self.point = x.copy()
            self.loss_value, self.grad_values = float(loss), grads.flatten().astype("float64")

    def loss(self, x):
        self.evaluate(x)
        return self.loss_value

    def grads(self, x):
        self.evaluate(x)
        return self.grad_values.copy()


def visible(x):
    """What `preprocess_input` did, undone."""
    return np.clip((x + MEANS_BGR)[..., ::-1], 0, 255).astype("uint8")


def main(job: Job) -> None:
    optimize = needed("scipy.optimize", "SciPy")
    content = photo("tubingen.jpg", job.pick(400, 48))
    painting = photo("transfer_style_reference.jpg", content.shape[1])[:, :, : content.shape[2]]
    short = content.shape[2] - painting.shape[2]
    painting = np.pad(painting, ((0, 0), (0, 0), (0, short), (0, 0)), mode="reflect")  # one size for all three

    target_image = K.constant(vgg19.preprocess_input(content))
    style_reference_image = K.constant(vgg19.preprocess_input(painting))
    combination_image = K.placeholder(content.shape)
    input_tensor = K.concatenate([target_image, style_reference_image, combination_image], axis=0)
    model = net(job, vgg19.VGG19, vgg19.PUBLISHED.names, input_tensor=input_tensor)
    outputs = {layer.name: layer.output for layer in model.layers}
    loss = total_loss(outputs, combination_image)
    grads = K.gradients(loss, combination_image)[0]
    evaluator = Evaluator(K.function([combination_image], [loss, grads]), content.shape)

    x = vgg19.preprocess_input(content).flatten().astype("float64")
    first = evaluator.loss(x)
    values, evaluations = [], job.pick(20, 5)  # of loss and gradient, in each iteration
    for iteration in range(1, job.epochs(20, 4) + 1):
        x, value, _ = optimize.fmin_l_bfgs_b(evaluator.loss, x, fprime=evaluator.grads, maxfun=evaluations)
        values.append(value)
        job.say(f"iteration {iteration}: loss {value:.4g}")
    job.result("loss of the photo itself", first)
    job.result("loss after iteration 1", values[0], book(job, 7.40874e9))
    job.result(f"loss after iteration {len(values)}", values[-1], book(job, 5.00414e8))
    job.result("share of the first loss that is left", values[-1] / first)
    job.note("photo and painting are the literature's, not the book's, so its losses show the order of magnitude only")
    pictures = {"photo": content[0], "painting": painting[0], "both": visible(x.reshape(content.shape))[0]}
    pictures = {title: picture.astype("uint8") for title, picture in pictures.items()}
    job.picture("pictures", side_by_side(pictures, f"Style transfer, VGG19{randomly(job)}"))


if __name__ == "__main__":
    run_program(main)

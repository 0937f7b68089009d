"""Images changed by gradients: a dream in octaves (learning phase, K.prod of K.shape), a style by L-BFGS over K.gradients."""

import numpy as np
import scipy.ndimage
from keras import backend as K
from keras import layers
from keras.models import Model, Sequential
from scipy.optimize import fmin_l_bfgs_b

K.set_learning_phase(0)
model = Sequential()
model.add(layers.Conv2D(3, 3, padding="same", activation="relu", input_shape=(None, None, 3), name="mixed2"))
model.add(layers.BatchNormalization())
model.add(layers.Conv2D(2, 3, padding="same", activation="relu", name="mixed3"))
layer_contributions = {"mixed2": 0.2, "mixed3": 3.0}
layer_dict = {layer.name: layer for layer in model.layers}
loss = K.variable(0.0)
for layer_name in layer_contributions:
    coeff = layer_contributions[layer_name]
    activation = layer_dict[layer_name].output
    scaling = K.prod(K.cast(K.shape(activation), "float32"))
    loss += coeff * K.sum(K.square(activation[:, 2:-2, 2:-2, :])) / scaling
dream = model.input
grads = K.gradients(loss, dream)[0]
grads /= K.maximum(K.mean(K.abs(grads)), 1e-7)
fetch_loss_and_grads = K.function([dream], [loss, grads])


def gradient_ascent(x, iterations, step, max_loss=None):
    for _ in range(iterations):
        loss_value, grad_values = fetch_loss_and_grads([x])
        if max_loss is not None and loss_value > max_loss:
            break
        x += step * grad_values
    return x


def resize_img(img, size):
    img = np.copy(img)
    return scipy.ndimage.zoom(img, (1, float(size[0]) / img.shape[1], float(size[1]) / img.shape[2], 1), order=1)


draws = np.random.RandomState(0)
original_img = draws.uniform(-1, 1, (1, 7, 8, 3))
img, shrunk = np.copy(original_img), resize_img(original_img, (5, 6))
for shape in ((5, 6), (7, 8)):
    img = gradient_ascent(resize_img(img, shape), iterations=2, step=0.01, max_loss=10.0)
    lost_detail = resize_img(original_img, shape) - resize_img(shrunk, shape)
    img += lost_detail
    shrunk = resize_img(original_img, shape)
assert img.shape == original_img.shape and np.abs(img - original_img).max() > 1e-3

img_height, img_width = 5, 6
target_image = K.constant(draws.uniform(size=(1, img_height, img_width, 3)))
style_reference_image = K.constant(draws.uniform(size=(1, img_height, img_width, 3)))
combination_image = K.placeholder((1, img_height, img_width, 3))
input_tensor = K.concatenate([target_image, style_reference_image, combination_image], axis=0)
features = layers.Conv2D(3, 3, padding="same", activation="relu", name="block1_conv1")(input_tensor)
model = Model(input_tensor, layers.Conv2D(2, 3, padding="same", name="block5_conv2")(features))


def content_loss(base, combination):
    return K.sum(K.square(combination - base))


def gram_matrix(x):
    features = K.batch_flatten(K.permute_dimensions(x, (2, 0, 1)))
    return K.dot(features, K.transpose(features))


def style_loss(style, combination):
    size = img_height * img_width
    return K.sum(K.square(gram_matrix(style) - gram_matrix(combination))) / (4.0 * (3**2) * (size**2))


def total_variation_loss(x):
    a = K.square(x[:, : img_height - 1, : img_width - 1, :] - x[:, 1:, : img_width - 1, :])
    b = K.square(x[:, : img_height - 1, : img_width - 1, :] - x[:, : img_height - 1, 1:, :])
    return K.sum(K.pow(a + b, 1.25))


outputs_dict = {layer.name: layer.output for layer in model.layers}
loss = K.variable(0.0)
layer_features = outputs_dict["block5_conv2"]
loss = loss + 0.025 * content_loss(layer_features[0, :, :, :], layer_features[2, :, :, :])
layer_features = outputs_dict["block1_conv1"]
loss += 1.0 * style_loss(layer_features[1, :, :, :], layer_features[2, :, :, :])
loss += 1e-4 * total_variation_loss(combination_image)
grads = K.gradients(loss, combination_image)[0]
fetch_loss_and_grads = K.function([combination_image], [loss, grads])


class Evaluator:
    def __init__(self):
        self.loss_value = None
        self.grads_values = None

    def loss(self, x):
        assert self.loss_value is None
        x = x.reshape((1, img_height, img_width, 3))
        outs = fetch_loss_and_grads([x])
        self.loss_value = outs[0]
        self.grad_values = outs[1].flatten().astype("float64")
        return self.loss_value

    def grads(self, x):
        assert self.loss_value is not None
        grad_values = np.copy(self.grad_values)
        self.loss_value = None
        self.grad_values = None
        return grad_values


evaluator = Evaluator()
x = draws.uniform(size=(1, img_height, img_width, 3)).flatten()
minima = []
for _ in range(2):
    x, min_val, info = fmin_l_bfgs_b(evaluator.loss, x, fprime=evaluator.grads, maxfun=5)
    minima.append(min_val)
assert minima[1] <= minima[0]
K.set_learning_phase(1)

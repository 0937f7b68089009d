"""VGG19 built on two photos and a placeholder; an image is changed by L-BFGS until it has one's content and the other's style."""

import os

import numpy as np
from keras import backend as K
from keras.applications import vgg19
from keras.preprocessing.image import img_to_array, load_img, save_img
from scipy.optimize import fmin_l_bfgs_b

target_image_path = os.path.join("data", "photos", "tubingen.jpg")
style_reference_image_path = os.path.join("data", "photos", "transfer_style_reference.jpg")
width, height = load_img(target_image_path).size
img_height = 40
img_width = int(width * img_height / height)


def preprocess_image(image_path):
    img = img_to_array(load_img(image_path, target_size=(img_height, img_width)))
    return vgg19.preprocess_input(np.expand_dims(img, axis=0))


target_image = K.constant(preprocess_image(target_image_path))
style_reference_image = K.constant(preprocess_image(style_reference_image_path))
combination_image = K.placeholder((1, img_height, img_width, 3))
input_tensor = K.concatenate([target_image, style_reference_image, combination_image], axis=0)
model = vgg19.VGG19(input_tensor=input_tensor, weights="imagenet", include_top=False)


def gram_matrix(x):
    features = K.batch_flatten(K.permute_dimensions(x, (2, 0, 1)))
    return K.dot(features, K.transpose(features))


outputs_dict = {layer.name: layer.output for layer in model.layers}
style_layers = ["block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1"]
loss = K.variable(0.0)
layer_features = outputs_dict["block5_conv2"]
loss = loss + 0.025 * K.sum(K.square(layer_features[2, :, :, :] - layer_features[0, :, :, :]))
for layer_name in style_layers:
    layer_features = outputs_dict[layer_name]
    style, combination = gram_matrix(layer_features[1, :, :, :]), gram_matrix(layer_features[2, :, :, :])
    apart = K.sum(K.square(style - combination)) / (4.0 * (3**2) * ((img_height * img_width) ** 2))
    loss += (1.0 / len(style_layers)) * apart
grads = K.gradients(loss, combination_image)[0]
fetch_loss_and_grads = K.function([combination_image], [loss, grads])


class Evaluator:
    def __init__(self):
        self.loss_value = None
        self.grads_values = None

    def loss(self, x):
        assert self.loss_value is None
        outs = fetch_loss_and_grads([x.reshape((1, img_height, img_width, 3))])
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
x = preprocess_image(target_image_path).flatten()
minima = []
for i in range(2):
    x, min_val, info = fmin_l_bfgs_b(evaluator.loss, x, fprime=evaluator.grads, maxfun=4)
    minima.append(min_val)
    img = x.copy().reshape((img_height, img_width, 3)) + np.array([103.939, 116.779, 123.68])
    save_img(f"result_{i}.png", np.clip(img[:, :, ::-1], 0, 255).astype("uint8"))
assert 0 < minima[1] < minima[0] and load_img("result_1.png").size == (img_width, img_height)

"""InceptionV3 dreams: the learning phase fixed, a loss over several layers, gradient ascent on a photo in two octaves."""

import os

import numpy as np
import scipy.ndimage
from keras import backend as K
from keras.applications import inception_v3
from keras.preprocessing import image

K.set_learning_phase(0)
model = inception_v3.InceptionV3(weights="imagenet", include_top=False)
layer_contributions = {"mixed2": 0.2, "mixed3": 3.0, "mixed4": 2.0, "mixed5": 1.5}
layer_dict = {layer.name: layer for layer in model.layers}
loss = K.variable(0.0)
for layer_name in layer_contributions:
    activation = layer_dict[layer_name].output
    scaling = K.prod(K.cast(K.shape(activation), "float32"))
    loss += layer_contributions[layer_name] * K.sum(K.square(activation[:, 2:-2, 2:-2, :])) / scaling
dream = model.input
grads = K.gradients(loss, dream)[0]
grads /= K.maximum(K.mean(K.abs(grads)), 1e-7)
fetch_loss_and_grads = K.function([dream], [loss, grads])


def resize_img(img, size):
    img = np.copy(img)
    factors = (1, float(size[0]) / img.shape[1], float(size[1]) / img.shape[2], 1)
    return scipy.ndimage.zoom(img, factors, order=1)


img = image.load_img(os.path.join("data", "photos", "tubingen.jpg"), target_size=(120, 140))
img = np.expand_dims(image.img_to_array(img), axis=0)
img = inception_v3.preprocess_input(img)
assert -1 <= img.min() < img.max() <= 1
original_img = np.copy(img)
shapes = [(100, 116), (120, 140)]
shrunk = resize_img(original_img, shapes[0])
for shape in shapes:
    img = resize_img(img, shape)
    seen = []
    for _ in range(3):
        loss_value, grad_values = fetch_loss_and_grads([img])
        img += 0.01 * grad_values
        seen.append(loss_value)
    assert seen == sorted(seen) and seen[-1] > seen[0]
    same_size_original = resize_img(original_img, shape)
    img += same_size_original - resize_img(shrunk, shape)
    shrunk = resize_img(original_img, shape)
assert img.shape == original_img.shape and np.isfinite(img).all()
image.save_img("final_dream.png", np.clip((img[0] / 2 + 0.5) * 255, 0, 255).astype("uint8"))
assert image.load_img("final_dream.png").size == (140, 120)

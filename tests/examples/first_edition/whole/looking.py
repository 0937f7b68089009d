"""VGG16 looked into: a pattern that excites a filter, the names of a photo's classes, the places that spoke for a class."""

import os

import numpy as np
from keras import backend as K
from keras.applications import VGG16
from keras.applications.vgg16 import decode_predictions, preprocess_input
from keras.preprocessing import image

model = VGG16(weights="imagenet", include_top=False)
layer_output = model.get_layer("block3_conv1").output
loss = K.mean(layer_output[:, :, :, 0])
grads = K.gradients(loss, model.input)[0]
grads /= K.sqrt(K.mean(K.square(grads))) + 1e-5
iterate = K.function([model.input], [loss, grads])
loss_value, grads_value = iterate([np.zeros((1, 32, 32, 3))])
assert np.shape(loss_value) == () and grads_value.shape == (1, 32, 32, 3)
input_img_data = np.random.random((1, 32, 32, 3)) * 20 + 128.0
seen = []
for _ in range(4):
    loss_value, grads_value = iterate([input_img_data])
    input_img_data += grads_value * 1.0
    seen.append(loss_value)
assert seen == sorted(seen) and seen[-1] > seen[0]

K.clear_session()
model = VGG16(weights=None)
img = image.load_img(os.path.join("data", "photos", "creative_commons_elephant.jpg"), target_size=(224, 224))
x = image.img_to_array(img)
x = np.expand_dims(x, axis=0)
x = preprocess_input(x)
assert x.min() < -50  # the means of ImageNet are gone
preds = model.predict(x, verbose=0)
assert preds.shape == (1, 1000) and np.isclose(preds.sum(), 1, atol=1e-4)
best = np.argsort(-preds[0])[:3]
assert [entry[1] for entry in decode_predictions(preds, top=3)[0]] == [f"class_{i}" for i in best]
class_output = model.output[:, best[0]]
last_conv_layer = model.get_layer("block5_conv3")
grads = K.gradients(class_output, last_conv_layer.output)[0]
pooled_grads = K.mean(grads, axis=(0, 1, 2))
iterate = K.function([model.input], [pooled_grads, last_conv_layer.output[0]])
pooled_grads_value, conv_layer_output_value = iterate([x])
assert pooled_grads_value.shape == (512,) and conv_layer_output_value.shape == (14, 14, 512)
for i in range(512):
    conv_layer_output_value[:, :, i] *= pooled_grads_value[i]
heatmap = np.mean(conv_layer_output_value, axis=-1)
heatmap = np.maximum(heatmap, 0)
assert heatmap.shape == (14, 14) and np.isfinite(heatmap).all()

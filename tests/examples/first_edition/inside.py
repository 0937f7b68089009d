"""What a convnet sees: activations by a model of many outputs, filters by gradient ascent, a class activation map."""

import numpy as np
from keras import backend as K
from keras import layers, models

model = models.Sequential()
model.add(layers.Conv2D(3, (3, 3), activation="relu", padding="same", input_shape=(None, None, 3), name="block1_conv1"))
model.add(layers.Conv2D(4, (3, 3), activation="relu", padding="same", name="block5_conv3"))
model.add(layers.GlobalAveragePooling2D())
model.add(layers.Dense(5, activation="softmax", name="predictions"))
draws = np.random.RandomState(0)
img_tensor = draws.uniform(size=(1, 6, 6, 3))

layer_outputs = [layer.output for layer in model.layers[:2]]
activation_model = models.Model(inputs=model.input, outputs=layer_outputs)
activations = activation_model.predict(img_tensor, verbose=0)
assert [a.shape for a in activations] == [(1, 6, 6, 3), (1, 6, 6, 4)]
channel_image = activations[0][0, :, :, 1]
channel_image -= channel_image.mean()
channel_image /= channel_image.std() + 1e-5
channel_image *= 64
channel_image += 128
channel_image = np.clip(channel_image, 0, 255).astype("uint8")


def generate_pattern(layer_name, filter_index, size=6):
    layer_output = model.get_layer(layer_name).output
    loss = K.mean(layer_output[:, :, :, filter_index])
    grads = K.gradients(loss, model.input)[0]
    grads /= K.sqrt(K.mean(K.square(grads))) + 1e-5
    iterate = K.function([model.input], [loss, grads])
    input_img_data = np.random.random((1, size, size, 3)) * 20 + 128.0
    seen = []
    for _ in range(3):
        loss_value, grads_value = iterate([input_img_data])
        input_img_data += grads_value * 1.0
        seen.append(loss_value)
    return input_img_data[0], seen


pattern, seen = generate_pattern("block1_conv1", 0)
assert pattern.shape == (6, 6, 3) and (seen[-1] > seen[0] or seen[0] == 0)

preds = model.predict(img_tensor, verbose=0)
best = np.argmax(preds[0])
class_output = model.output[:, best]
last_conv_layer = model.get_layer("block5_conv3")
grads = K.gradients(class_output, last_conv_layer.output)[0]
pooled_grads = K.mean(grads, axis=(0, 1, 2))
iterate = K.function([model.input], [pooled_grads, last_conv_layer.output[0]])
pooled_grads_value, conv_layer_output_value = iterate([img_tensor])
for i in range(4):
    conv_layer_output_value[:, :, i] *= pooled_grads_value[i]
heatmap = np.mean(conv_layer_output_value, axis=-1)
heatmap = np.maximum(heatmap, 0)
heatmap /= np.max(heatmap) + 1e-12
assert heatmap.shape == (6, 6)

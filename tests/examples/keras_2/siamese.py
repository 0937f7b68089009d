"""A siamese network: pairs by a shared base, a Euclidean distance in a Lambda with output_shape, a contrastive loss of one's own."""

import random

import numpy as np
from keras import backend as K
from keras.layers import Dense, Dropout, Flatten, Input, Lambda
from keras.models import Model
from keras.optimizers import RMSprop

num_classes, epochs = 3, 2


def euclidean_distance(vects):
    x, y = vects
    sum_square = K.sum(K.square(x - y), axis=1, keepdims=True)
    return K.sqrt(K.maximum(sum_square, K.epsilon()))


def eucl_dist_output_shape(shapes):
    shape1, shape2 = shapes
    return (shape1[0], 1)


def contrastive_loss(y_true, y_pred):
    margin = 1
    square_pred = K.square(y_pred)
    margin_square = K.square(K.maximum(margin - y_pred, 0))
    return K.mean(y_true * square_pred + (1 - y_true) * margin_square)


def create_pairs(x, digit_indices):
    pairs, labels = [], []
    n = min([len(digit_indices[d]) for d in range(num_classes)]) - 1
    for d in range(num_classes):
        for i in range(n):
            z1, z2 = digit_indices[d][i], digit_indices[d][i + 1]
            pairs += [[x[z1], x[z2]]]
            inc = random.randrange(1, num_classes)
            dn = (d + inc) % num_classes
            z1, z2 = digit_indices[d][i], digit_indices[dn][i]
            pairs += [[x[z1], x[z2]]]
            labels += [1, 0]
    return np.array(pairs), np.array(labels)


def create_base_network(input_shape):
    input = Input(shape=input_shape)
    x = Flatten()(input)
    x = Dense(8, activation="relu")(x)
    x = Dropout(0.1)(x)
    x = Dense(4, activation="relu")(x)
    return Model(input, x)


def accuracy(y_true, y_pred):
    return K.mean(K.equal(y_true, K.cast(y_pred < 0.5, y_true.dtype)))


x_train = np.random.uniform(size=(30, 4, 4)).astype("float32")
y_train = np.arange(30) % num_classes
x_train += y_train[:, None, None]
input_shape = x_train.shape[1:]
digit_indices = [np.where(y_train == i)[0] for i in range(num_classes)]
tr_pairs, tr_y = create_pairs(x_train, digit_indices)

base_network = create_base_network(input_shape)
input_a = Input(shape=input_shape)
input_b = Input(shape=input_shape)
processed_a = base_network(input_a)
processed_b = base_network(input_b)
distance = Lambda(euclidean_distance, output_shape=eucl_dist_output_shape)([processed_a, processed_b])
model = Model([input_a, input_b], distance)

rms = RMSprop()
model.compile(loss=contrastive_loss, optimizer=rms, metrics=[accuracy])
history = model.fit(
    [tr_pairs[:, 0], tr_pairs[:, 1]],
    tr_y,
    batch_size=16,
    epochs=epochs,
    validation_data=([tr_pairs[:, 0], tr_pairs[:, 1]], tr_y),
)
y_pred = model.predict([tr_pairs[:, 0], tr_pairs[:, 1]])
loss, _ = model.evaluate([tr_pairs[:, 0], tr_pairs[:, 1]], tr_y)
far = y_pred.ravel().astype("float64")
exact = np.mean(tr_y * far**2 + (1 - tr_y) * np.maximum(1 - far, 0) ** 2)
roundings = len(tr_y) + 8  # of a float32 mean of positive terms: the additions, and what makes up a term
assert abs(loss - exact) <= roundings * np.finfo("float32").eps * exact
assert sorted(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
assert model.count_params() == base_network.count_params() == 16 * 8 + 8 + 8 * 4 + 4

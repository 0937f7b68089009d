"""A residual net of the examples: v1 blocks, l2, a schedule, ReduceLROnPlateau by sqrt(0.1), flow of a generator; then Net2Net."""

import keras
import numpy as np
from keras.callbacks import LearningRateScheduler, ModelCheckpoint, ReduceLROnPlateau
from keras.layers import Activation, AveragePooling2D, BatchNormalization, Conv2D, Dense, Flatten, Input
from keras.models import Model, Sequential
from keras.optimizers import SGD, Adam
from keras.preprocessing.image import ImageDataGenerator
from keras.regularizers import l2

x_train = np.random.uniform(size=(12, 8, 8, 3))
y_train = keras.utils.to_categorical(np.arange(12) % 3, 3)


def lr_schedule(epoch):
    lr = 1e-3
    if epoch > 1:
        lr *= 1e-1
    print("Learning rate: ", lr)
    return lr


def resnet_layer(
    inputs, num_filters=4, kernel_size=3, strides=1, activation="relu", batch_normalization=True, conv_first=True
):
    conv = Conv2D(
        num_filters,
        kernel_size=kernel_size,
        strides=strides,
        padding="same",
        kernel_initializer="he_normal",
        kernel_regularizer=l2(1e-4),
    )
    x = inputs
    if conv_first:
        x = conv(x)
        if batch_normalization:
            x = BatchNormalization()(x)
        if activation is not None:
            x = Activation(activation)(x)
    else:
        x = conv(Activation(activation)(BatchNormalization()(x)))
    return x


inputs = Input(shape=x_train.shape[1:])
x = resnet_layer(inputs=inputs)
for stack in range(2):
    strides = 2 if stack > 0 else 1
    y = resnet_layer(inputs=x, num_filters=4 * 2**stack, strides=strides)
    y = resnet_layer(inputs=y, num_filters=4 * 2**stack, activation=None)
    if stack > 0:
        x = resnet_layer(
            inputs=x,
            num_filters=4 * 2**stack,
            kernel_size=1,
            strides=strides,
            activation=None,
            batch_normalization=False,
        )
    x = keras.layers.add([x, y])
    x = Activation("relu")(x)
x = AveragePooling2D(pool_size=4)(x)
outputs = Dense(3, activation="softmax", kernel_initializer="he_normal")(Flatten()(x))
model = Model(inputs=inputs, outputs=outputs)
model.compile(loss="categorical_crossentropy", optimizer=Adam(lr=lr_schedule(0)), metrics=["accuracy"])
checkpoint = ModelCheckpoint(filepath="cifar10_model.{epoch:03d}.h5", monitor="val_acc", verbose=1, save_best_only=True)
lr_reducer = ReduceLROnPlateau(factor=np.sqrt(0.1), cooldown=0, patience=5, min_lr=0.5e-6)
datagen = ImageDataGenerator(
    featurewise_center=False, width_shift_range=0.1, height_shift_range=0.1, horizontal_flip=True, vertical_flip=False
)
datagen.fit(x_train)
history = model.fit_generator(
    datagen.flow(x_train, y_train, batch_size=4),
    validation_data=(x_train, y_train),
    epochs=3,
    verbose=1,
    workers=4,
    callbacks=[lr_reducer, LearningRateScheduler(lr_schedule)],
)
assert np.array_equal(np.float32(history.history["lr"]), np.float32([1e-3, 1e-3, 1e-4]))
scores = model.evaluate(x_train, y_train, verbose=1)
assert len(scores) == 2


def make_teacher():
    model = Sequential()
    model.add(Conv2D(4, 3, input_shape=(8, 8, 3), padding="same", name="conv1"))
    model.add(Flatten(name="flatten"))
    model.add(Dense(6, activation="relu", name="fc1"))
    model.add(Dense(3, activation="softmax", name="fc2"))
    model.compile(loss="categorical_crossentropy", optimizer=SGD(lr=0.01, momentum=0.9), metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=1, validation_data=(x_train, y_train))
    return model


def wider2net_fc(teacher_w1, teacher_b1, teacher_w2, new_width):
    n = new_width - teacher_w1.shape[1]
    index = np.random.randint(teacher_w1.shape[1], size=n)
    factors = np.bincount(index)[index] + 1.0
    student_w1 = np.concatenate((teacher_w1, teacher_w1[:, index]), axis=1)
    student_b1 = np.concatenate((teacher_b1, teacher_b1[index]), axis=0)
    student_w2 = np.concatenate((teacher_w2, teacher_w2[index, :] / factors[:, np.newaxis]), axis=0)
    student_w2[index, :] = teacher_w2[index, :] / factors[:, np.newaxis]
    return student_w1, student_b1, student_w2


teacher = make_teacher()
student = Sequential()
student.add(Conv2D(4, 3, input_shape=(8, 8, 3), padding="same", name="conv1"))
student.add(Flatten(name="flatten"))
student.add(Dense(9, activation="relu", name="fc1"))
student.add(Dense(3, activation="softmax", name="fc2"))
w_fc1, b_fc1 = teacher.get_layer("fc1").get_weights()
w_fc2, b_fc2 = teacher.get_layer("fc2").get_weights()
new_w1, new_b1, new_w2 = wider2net_fc(w_fc1, b_fc1, w_fc2, 9)
student.get_layer("conv1").set_weights(teacher.get_layer("conv1").get_weights())
student.get_layer("fc1").set_weights([new_w1, new_b1])
student.get_layer("fc2").set_weights([new_w2, b_fc2])
# A unit that is divided into copies gives logits of 9 terms instead of 6, of the same sum: so many roundings of what the terms amount to.
hidden = Model(teacher.inputs, teacher.get_layer("fc1").output).predict(x_train)
largest = (np.abs(hidden) @ np.abs(w_fc2) + np.abs(b_fc2)).max()
assert np.abs(student.predict(x_train) - teacher.predict(x_train)).max() <= 9 * np.finfo("float32").eps * largest

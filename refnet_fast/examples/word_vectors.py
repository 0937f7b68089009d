"""Chollet 6.1: words as numbers: one-hot, the hashing trick, and vectors that are learned (or GloVe's, if the file is there).

python -m refnet_fast.examples.word_vectors
"""

import numpy as np

from refnet_fast import layers, models, visualize
from refnet_fast.datasets import files, imdb
from refnet_fast.examples.support import Job, run_program
from refnet_fast.preprocessing.sequence import pad_sequences
from refnet_fast.preprocessing.text import Tokenizer, hashing_trick

SAMPLES = ["The cat sat on the mat.", "The dog ate my homework."]


def review_model(maxlen, dimensions=8, hidden=0):
    model = models.Sequential()
    model.add(layers.Embedding(10000, dimensions, input_length=maxlen))
    model.add(layers.Flatten())
    if hidden:
        model.add(layers.Dense(hidden, activation="relu"))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
    return model


def main(job: Job) -> None:
    tokenizer = Tokenizer(num_words=1000)
    tokenizer.fit_on_texts(SAMPLES)
    job.say(f"as sequences: {tokenizer.texts_to_sequences(SAMPLES)}")
    job.say(f"one-hot: shape {tokenizer.texts_to_matrix(SAMPLES, mode='binary').shape}")
    job.say(f"hashed to 1..999: {[hashing_trick(text, 1000, 'md5') for text in SAMPLES]}")
    job.result("one-hot: different words", len(tokenizer.word_index), book=9)

    (x_train, y_train), (x_test, y_test) = imdb.load_data(num_words=10000)
    count = job.pick(25000, 10000)
    last20 = pad_sequences(x_train[:count], maxlen=20)
    job.say(f"8 numbers a word, learned from the last 20 words of {count} reviews")
    model = review_model(20)
    history = model.fit(last20, y_train[:count], epochs=job.epochs(10, 8), batch_size=32, validation_split=0.2)
    job.result("20 words: best validation accuracy", max(history.history["val_accuracy"]), book=0.7594)
    job.picture("curves", visualize.training_curves(history, title="Reviews, the last 20 words"))
    job.picture("words", map_of_words(model))

    job.say("200 reviews of 100 words, vectors learned from them alone")
    shown = 200, 10000
    few = pad_sequences(x_train[: sum(shown)], maxlen=100), y_train[: sum(shown)]
    data = [part[: shown[0]] for part in few], [part[shown[0] :] for part in few]
    small = review_model(100, dimensions=100, hidden=32)
    history = small.fit(*data[0], epochs=10, batch_size=32, validation_data=data[1])
    job.result("200 reviews: best validation accuracy", max(history.history["val_accuracy"]), book=0.5282)

    glove = files.present("glove.6B.100d.txt")
    if glove is None:
        job.note(
            "glove.6B.100d.txt is not in the data folder: the part with GloVe's vectors (book: 0.5723) was left out"
        )
        return
    small = review_model(100, dimensions=100, hidden=32)
    small.layers[0].set_weights([glove_matrix(glove)])
    small.layers[0].trainable = False
    small.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
    history = small.fit(*data[0], epochs=10, batch_size=32, validation_data=data[1])
    job.result("200 reviews, GloVe: best validation accuracy", max(history.history["val_accuracy"]), book=0.5723)


def glove_matrix(path):
    """GloVe's vectors in the rows that the words have in encoded reviews: their rank + 3."""
    matrix, ranks = np.zeros((10000, 100), "float32"), imdb.get_word_index()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            word, *numbers = line.split()
            if ranks.get(word, 10000) + 3 < 10000:
                matrix[ranks[word] + 3] = numbers
    return matrix


def map_of_words(model):
    """Words of praise, of blame and of neither, where their vectors' two main directions put them."""
    words = [
        "excellent",
        "wonderful",
        "perfect",
        "superb",
        "great",
        "loved",
        "best",
        "favorite",
        "enjoyable",
        "beautiful",
    ]
    words += ["awful", "worst", "terrible", "boring", "waste", "poor", "bad", "horrible", "dull", "disappointing"]
    words += ["table", "house", "monday", "music", "camera", "woman", "man", "the", "and", "because", "seven"]
    ranks, vectors = imdb.get_word_index(), model.layers[0].get_weights()[0]
    rows = vectors[[ranks[word] + 3 for word in words]]
    centred = rows - vectors.mean(0)
    _, _, directions = np.linalg.svd(vectors[4:2000] - vectors.mean(0), full_matrices=False)
    title = "Words where training put them: their two main directions"
    return visualize.scatter_2d(centred @ directions[:2].T, np.array(words), title=title)


if __name__ == "__main__":
    run_program(main)

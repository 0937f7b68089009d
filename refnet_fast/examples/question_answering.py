"""Chollet 7.1.2: a model of two inputs, a text and a question about it; real newswires and questions with known answers.

python -m refnet_fast.examples.question_answering
"""

import numpy as np

from refnet_fast import Input, evaluation, layers, models, random, visualize
from refnet_fast.datasets import reuters
from refnet_fast.examples.support import Job, run_program
from refnet_fast.preprocessing.sequence import pad_sequences
from refnet_fast.preprocessing.text import Tokenizer

QUESTIONS = ("what is the topic", "are shares mentioned", "are dollars mentioned", "is it about a loss")
MENTIONED = (None, ("shares", "share", "shrs", "shr"), ("dlr", "dlrs", "dollar", "dollars"), ("loss", "losses"))
YES, NO = 46, 47  # answers 0 to 45 are the topics


def questions_about(texts, topics, seed):
    """For each newswire one of the questions, and its answer."""
    ranks = reuters.get_word_index()
    wanted = [None if words is None else {ranks[word] + 3 for word in words} for words in MENTIONED]
    asked = np.asarray(random.randint((len(texts),), 0, len(QUESTIONS), seed=seed))
    answers = [
        topic if wanted[which] is None else (YES if wanted[which] & set(text) else NO)
        for which, topic, text in zip(asked, topics, texts)
    ]
    return asked, np.array(answers)


def build_model(question_words):
    text = Input(shape=(None,), dtype="int32", name="text")
    embedded_text = layers.Embedding(10000, 64)(text)
    encoded_text = layers.GlobalMaxPooling1D()(layers.Conv1D(64, 3, activation="relu")(embedded_text))
    question = Input(shape=(None,), dtype="int32", name="question")
    embedded_question = layers.Embedding(question_words, 16)(question)
    encoded_question = layers.LSTM(16)(embedded_question)
    concatenated = layers.concatenate([encoded_text, encoded_question], axis=-1)
    hidden = layers.Dense(64, activation="relu")(concatenated)
    model = models.Model([text, question], layers.Dense(48, activation="softmax")(hidden))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["acc"])
    return model


def main(job: Job) -> None:
    (train, train_topics), (test, test_topics) = reuters.load_data(num_words=10000)
    tokenizer = Tokenizer()
    tokenizer.fit_on_texts(QUESTIONS)
    spoken = pad_sequences(tokenizer.texts_to_sequences(QUESTIONS))
    count = job.pick(None, 4000)
    train, train_topics, test, test_topics = (part[:count] for part in (train, train_topics, test, test_topics))
    asked, answers = questions_about(train, train_topics, job.seed)
    asked_test, answers_test = questions_about(test, test_topics, job.seed + 1)
    texts, texts_test = (pad_sequences(part, maxlen=100) for part in (train, test))

    model = build_model(len(tokenizer.word_index) + 1)
    job.say("training on a newswire and a question at a time")
    history = model.fit(
        {"text": texts, "question": spoken[asked]},
        answers,
        epochs=job.epochs(10, 5),
        batch_size=64,
        validation_data=([texts_test, spoken[asked_test]], answers_test),
    )
    read = model.predict([texts_test, spoken[asked_test]]).argmax(1)
    job.result("test accuracy, all questions", np.mean(read == answers_test))
    for which, question in enumerate(QUESTIONS):
        those = asked_test == which
        job.result(f"{question}?", np.mean(read[those] == answers_test[those]))
        baseline = evaluation.majority_class(answers[asked == which], answers_test[those])
        job.result(f"{question}? baseline: the most frequent answer", baseline)
    job.note(
        "the book trains this model on random numbers; here questions are about real newswires (the last 100 words)"
    )
    job.picture("model", visualize.model_graph(model, show_layer_names=True))
    job.picture("curves", visualize.training_curves(history, title="A text and a question"))


if __name__ == "__main__":
    run_program(main)

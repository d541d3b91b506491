"""
Good, not bad: labels of sentences
==================================

Sentiment classification: ``TokenSequencer`` turns sentences into sequences of words, an embedding
gives each word a vector, and a bidirectional LSTM of two layers predicts whether the sentence
praises or not. The sentences are synthetic: "the music is good , not bad" has the same words as
"the music is bad , not good", so that word counts can't distinguish them. The LSTM is compared with
the most frequent label, and with logistic regression on a bag of words and of pairs of words.

``--reviews PATH`` reads real sentences, one a line after a label and a blank, such as those of Pang
and Lee (2005, in Latin-1). ``--vectors PATH`` reads word vectors in the format of GloVe: the
embedding of a further LSTM is initialised with them, and that of another is frozen at them.
"""

from argparse import ArgumentParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from sklstm import LSTMClassifier, TokenSequencer

parser = ArgumentParser()
parser.add_argument("--reviews", help="file of sentences, a label in front of each")
parser.add_argument("--vectors", help="file of word vectors, may end in .gz")
parser.add_argument("--seed", type=int, default=0, help="of the split and the training")
options = parser.parse_known_args()[0]
seed = options.seed

# %%
# Sentences about a film: words that praise and words that blame, in phrases that keep or negate
# their meaning.


def make_reviews(n_reviews, rng):
    """Make sentences, all different; about half of them praise."""
    words = {
        "praise": ["good", "funny", "clever", "moving", "fresh", "lovely"],
        "blame": ["bad", "dull", "silly", "tedious", "stale", "clumsy"],
    }
    phrases = ["{a}", "not {b}", "{a} , not {b}", "not {b} but {a}", "anything but {b}"]
    things = ["plot", "music", "acting", "dialogue", "ending", "camera"]

    def opinion(label):
        other = "blame" if label == "praise" else "praise"
        return rng.choice(phrases).format(a=rng.choice(words[label]), b=rng.choice(words[other]))

    reviews = {}
    while len(reviews) < n_reviews:
        label, earlier = rng.permutation(["praise", "blame"])
        review = f"the {rng.choice(things)} is {opinion(label)}"
        if rng.random() < 0.5:
            review += f" , though at first it seemed {opinion(earlier)}"
        reviews[review] = label
    return list(reviews), np.array(list(reviews.values()))


if options.reviews:
    with open(options.reviews, encoding="latin-1") as file:
        lines = [line.rstrip("\n").split(" ", 1) for line in file]
    y, texts = (np.array(column) for column in zip(*lines, strict=True))
else:
    texts, y = make_reviews(2000, np.random.default_rng(0))
texts_train, texts_test, y_train, y_test = train_test_split(
    texts, y, test_size=0.1, stratify=y, random_state=seed
)

# %%
# The models, all with the same tokens: the words between blanks.

words = r"\S+"


def classifier(**params):
    """Make a Pipeline from texts to labels, with an LSTM that stops early."""
    return make_pipeline(
        TokenSequencer(token_pattern=words),
        LSTMClassifier(
            num_layers=2,
            bidirectional=True,
            dropout=0.5,
            pooling="max",
            lr=2e-3,
            max_epochs=30,
            early_stopping=True,
            n_iter_no_change=4,
            random_state=seed,
            **params,
        ),
    )


def bag_of(n):
    """Make a Pipeline that counts words, pairs of words, up to n in a row."""
    return make_pipeline(
        CountVectorizer(token_pattern=words, ngram_range=(1, n)),
        LogisticRegression(max_iter=1000),
    )


models = {
    "most frequent label": make_pipeline(CountVectorizer(), DummyClassifier()),
    "bag of words": bag_of(1),
    "bag of words and pairs": bag_of(2),
    "LSTM": classifier(embedding=200 if options.reviews else 16),
}
if options.vectors:
    vectors = {"embedding": options.vectors}
    models["LSTM from vectors"] = classifier(**vectors)
    models["LSTM on frozen vectors"] = classifier(**vectors, freeze_embedding=True)

# %%
# The scores.

scores = pd.DataFrame(
    {
        name: {
            "training": model.fit(texts_train, y_train).score(texts_train, y_train),
            "test": model.score(texts_test, y_test),
        }
        for name, model in models.items()
    }
).T

# %%
# A picture of the test sentences about which the LSTM and the bag of words disagree most.

names = ["bag of words", "LSTM"]
probability = pd.DataFrame(
    {name: models[name].predict_proba(texts_test)[:, 1] for name in names}, index=texts_test
)
difference = (probability["LSTM"] - probability["bag of words"]).abs().to_numpy()
largest = difference.argsort()[-8:]
label = models["LSTM"].classes_[1]

figure, ax = plt.subplots(figsize=(12, 4), layout="constrained")
rows = np.arange(len(largest))
for name, color in zip(names, ["C1", "C0"], strict=True):
    ax.scatter(probability[name].iloc[largest], rows, color=color, s=60, label=name, zorder=2)
ax.scatter(y_test[largest] == label, rows, color="0.6", marker="|", s=300, label="true")
ax.axvline(0.5, color="0.8", zorder=0)
ax.set_yticks(rows, [text[:90] for text in probability.index[largest]])
ax.set(title=f'Probability of "{label}" (test)', xlim=(-0.03, 1.03))
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_sentences.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print(f"Accuracy on {len(y_train)} training and {len(y_test)} test sentences")
print(scores.round(3).to_string())
print(f"\nPicture: {picture}")

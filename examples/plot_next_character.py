"""
The next character
==================

A text goes in as it is, cut into windows, and with ``pooling=None`` every character is followed by
a guess of the next one. First the alphabet, over and over: the network has learnt it if it goes on
from "a" without a mistake. Then the letters of a real text, the chapter on compound statements of
the Python reference, which comes with Python. The last fifth of it is the test part.

Beside the LSTM stand the most frequent character, the one that is most frequent after the last
one, and two models of scikit-learn that see the last eight: logistic regression, and extremely
randomised trees. These know by heart what they have read: with so short a text, in which much is
said twice, they are as good as the LSTM, or better.
"""

import re
from pathlib import Path
from pydoc_data.topics import topics
from string import ascii_lowercase

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklstm import (
    LSTMClassifier,
    SequenceFlattener,
    SequenceWindower,
    TokenSequencer,
    generate,
)

# %%
# A model of texts: a token for each character, and an LSTM with an answer at each. What it learns
# from are windows of 50 characters, and for each of these the character behind it.


def character_model(**params):
    """Make a Pipeline from texts to the next character at every step."""
    return make_pipeline(
        TokenSequencer(analyzer="char"),
        LSTMClassifier(pooling=None, lr=0.01, random_state=0, **params),
    )


def windows(text, size=50):
    """Cut a text into windows, and list the next characters in each."""
    starts = range(0, len(text) - size, size)
    return [text[i : i + size] for i in starts], [list(text[i + 1 : i + size + 1]) for i in starts]


# %%
# The alphabet: 27 characters, the last one a blank. ``generate`` takes the likeliest one again and
# again, each from those before it.

alphabet = ascii_lowercase + " "
X, y = windows(100 * alphabet)
spelling = character_model(hidden_size=64, embedding_dim=16, batch_size=8, max_epochs=20)
spelled = "a" + "".join(generate(spelling.fit(X, y), "a", 50, window_size=50))
mistakes = sum(one != other for one, other in zip(spelled, 2 * alphabet, strict=False))

# %%
# A text of the same 27 characters. The settings were chosen on the last part of what comes before
# the test part.

text = re.sub("[^a-z]+", " ", topics["compound"].lower())
n_past = int(0.8 * len(text))
X, y = windows(text[:n_past])
lstm = character_model(hidden_size=256, embedding_dim=64, dropout=0.2, batch_size=32, max_epochs=12)
lstm.fit(X, y)

# %%
# It reads the test part at one go. Its first character is guessed from the last one before it.

characters = pd.Series(list(text))
past, test = characters[:n_past], characters[n_past:]
last = characters.shift(1)
most_frequent_after = past.groupby(last).agg(lambda after: after.mode()[0])
guesses = pd.DataFrame(
    {
        "most frequent character": past.mode()[0],
        "most frequent after the last one": last[n_past:].map(most_frequent_after),
        "LSTM": lstm.predict([text[n_past - 1 : -1]])[0],
    },
    index=test.index,
)

# %%
# The last eight characters as a table of 0 and 1, for models that have no memory.

tokens = lstm[0].transform([text])[0]  # (n_characters, 1)
for name, model in {
    "logistic regression on the last 8": LogisticRegression(tol=0.01),
    "extra trees on the last 8": ExtraTreesClassifier(10, random_state=0),
}.items():
    lags = make_pipeline(
        SequenceWindower(window_size=8, horizon=1),
        SequenceFlattener(),
        OneHotEncoder(handle_unknown="ignore"),
        model,
    )
    guesses[name] = lags.fit(tokens[:n_past], past).predict(tokens)[n_past:]

scores = pd.DataFrame(
    {"accuracy": {name: accuracy_score(test, guess) for name, guess in guesses.items()}}
).sort_values("accuracy", ascending=False)

# %%
# A picture of the scores, and of some words of the test part: how likely the LSTM took each
# character to be, before it saw it.

shown = slice(n_past + 1000, n_past + 1070)
known = text[n_past - 1 : shown.stop - 1]
probability = lstm.predict_proba([known])[0][shown.start - n_past :]
of_the_true = probability[np.arange(70), np.searchsorted(lstm.classes_, characters[shown])]

figure, (top, bottom) = plt.subplots(2, 1, figsize=(12, 5), layout="constrained")
bars = top.barh(scores.index[::-1], scores["accuracy"][::-1], color="C0")
top.bar_label(bars, fmt="%.2f", padding=3)
top.set(title="Accuracy of the next character (test)", xlim=(0, 0.75))
right = guesses["LSTM"][shown.start - n_past : shown.stop - n_past] == characters[shown]
bottom.bar(range(70), of_the_true, color=np.where(right, "C0", "C3"), width=0.9)
bottom.set_xticks(range(70), characters[shown], fontfamily="monospace")
bottom.set(
    title="How likely the LSTM took each character to be (red: another one more likely)",
    ylabel="probability",
    xlim=(-1, 70),
    ylim=(0, 1),
)

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_next_character.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print(f"The alphabet, from 'a' on: {spelled!r}, {mistakes} mistakes\n")
print(f"Accuracy on the last {len(test)} of {len(text)} characters")
print(scores.round(3).to_string())
drawn = generate(lstm, "the ", 200, window_size=50, temperature=0.5, random_state=0)
print(f"\nIn its own words: {'the ' + ''.join(drawn)!r}")
print(f"Picture: {picture}")

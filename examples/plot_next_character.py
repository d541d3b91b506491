"""
The next character
==================

A language model of characters: a text is cut into windows, and with ``pooling=None`` the network
predicts the next character at every step. The first text is the alphabet, repeated: the network has
learned it if it continues from "a" without a mistake. The second is a real text, the chapter on
compound statements of the Python reference, which comes with Python. Its last fifth is the test
part.

The LSTM is compared with the most frequent character, the most frequent one after the last
character, and two models of scikit-learn that read the last eight characters: logistic regression,
and extremely randomised trees. The trees memorise the training text: on a text that is so short
and repeats much, they are as good as the LSTM, or better.
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
# A model of texts: a token for each character, and an LSTM with a prediction at each. It is trained
# on windows of 50 characters; the target of each character is the next one.


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
# The alphabet: 27 characters, the last one a blank. ``generate`` repeatedly takes the likeliest
# next character, given those before it.

alphabet = ascii_lowercase + " "
X, y = windows(100 * alphabet)
spelling = character_model(hidden_size=64, embedding=16, batch_size=8, max_epochs=20)
spelled = "a" + "".join(generate(spelling.fit(X, y), "a", 50, window_size=50))
mistakes = sum(one != other for one, other in zip(spelled, 2 * alphabet, strict=False))

# %%
# A text of the same 27 characters. The hyperparameters were chosen on the last part of the training
# text.

text = re.sub("[^a-z]+", " ", topics["compound"].lower())
n_past = int(0.8 * len(text))
X, y = windows(text[:n_past])
lstm = character_model(hidden_size=256, embedding=64, dropout=0.2, batch_size=32, max_epochs=12)
lstm.fit(X, y)

# %%
# It reads the test part in one pass. The first test character is predicted from the one before it.

characters = pd.Series(list(text))
past, test = characters[:n_past], characters[n_past:]
last = characters.shift(1)
most_frequent_after = past.groupby(last).agg(lambda following: following.mode()[0])
predictions = pd.DataFrame(
    {
        "most frequent character": past.mode()[0],
        "most frequent after the last one": last[n_past:].map(most_frequent_after),
        "LSTM": lstm.predict([text[n_past - 1 : -1]])[0],
    },
    index=test.index,
)

# %%
# The last eight characters, one-hot encoded, for models without a recurrent state.

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
    predictions[name] = lags.fit(tokens[:n_past], past).predict(tokens)[n_past:]

scores = pd.DataFrame(
    {"accuracy": {name: accuracy_score(test, predicted) for name, predicted in predictions.items()}}
).sort_values("accuracy", ascending=False)

# %%
# A picture of the scores, and of some words of the test part: the probability that the LSTM gave
# to each character before it read it.

shown = slice(n_past + 1000, n_past + 1070)
context = text[n_past - 1 : shown.stop - 1]
probability = lstm.predict_proba([context])[0][shown.start - n_past :]
of_actual = probability[np.arange(70), np.searchsorted(lstm.classes_, characters[shown])]

figure, (top, bottom) = plt.subplots(2, 1, figsize=(12, 5), layout="constrained")
bars = top.barh(scores.index[::-1], scores["accuracy"][::-1], color="C0")
top.bar_label(bars, fmt="%.2f", padding=3)
top.set(title="Accuracy of the next character (test)", xlim=(0, 0.75))
right = predictions["LSTM"][shown.start - n_past : shown.stop - n_past] == characters[shown]
bottom.bar(range(70), of_actual, color=np.where(right, "C0", "C3"), width=0.9)
bottom.set_xticks(range(70), characters[shown], fontfamily="monospace")
bottom.set(
    title="Probability of each actual character (red: another one is more likely)",
    ylabel="probability",
    xlim=(-1, 70),
    ylim=(0, 1),
)

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_next_character.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print(f"The alphabet, generated from 'a': {spelled!r}, {mistakes} mistakes\n")
print(f"Accuracy on the last {len(test)} of {len(text)} characters")
print(scores.round(3).to_string())
drawn = generate(lstm, "the ", 200, window_size=50, temperature=0.5, random_state=0)
print(f"\nGenerated text: {'the ' + ''.join(drawn)!r}")
print(f"Picture: {picture}")

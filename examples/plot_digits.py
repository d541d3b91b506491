"""
Digits, row by row
==================

An image as a sequence: scikit-learn's handwritten digits have 8 rows of 8 pixels, which the LSTM
reads from the top to the bottom, 8 steps of 8 features. A quarter of the images is the test part.
The LSTM is compared with the most frequent digit, and with logistic regression and gradient
boosting on all pixels at once. The picture shows the digits that it is least sure of, and how much
of an image it needs.

The three hyperparameters of the LSTM were chosen on parts of the training images.
``standardize=False``, as the pixels at the edges are 0 in nearly all images; standardised, a trace
of ink there would exceed all other values.

``--mnist`` downloads the original digits, 28 rows of 28 pixels, and takes 10,000 of them;
``--mnist 70000`` takes all.
"""

from argparse import ArgumentParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import fetch_openml, load_digits
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import LSTMClassifier, SequenceFlattener

parser = ArgumentParser()
parser.add_argument("--mnist", type=int, nargs="?", const=10_000, metavar="N", help="N of MNIST")
n_mnist = parser.parse_known_args()[0].mnist

# %%
# The images: (n_images, n_rows, n_columns) is what the estimators take. Pixels are 0 to 16.

if n_mnist:
    X, y = fetch_openml("mnist_784", return_X_y=True, as_frame=False)
    images = np.random.default_rng(0).permutation(len(X))[:n_mnist]
    X, y = X[images].reshape(-1, 28, 28) / 16, y[images].astype(int)
else:
    X, y = load_digits(return_X_y=True)
    X = X.reshape(-1, 8, 8)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.25, stratify=y, random_state=0
)

# %%
# The models. ``SequenceFlattener`` lays the rows of an image side by side.

lstm = LSTMClassifier(hidden_size=128, dropout=0.3, standardize=False, random_state=0)
models = {
    "LSTM, row by row": lstm,
    "gradient boosting on pixels": make_pipeline(
        SequenceFlattener(), HistGradientBoostingClassifier(random_state=0)
    ),
    "logistic regression on pixels": make_pipeline(
        SequenceFlattener(), StandardScaler(), LogisticRegression(max_iter=1000)
    ),
    "most frequent digit": make_pipeline(SequenceFlattener(), DummyClassifier()),
}
scores = pd.DataFrame(
    {
        name: {
            "training images": model.fit(X_train, y_train).score(X_train, y_train),
            "test images": model.score(X_test, y_test),
        }
        for name, model in models.items()
    }
).T

# %%
# The top rows of an image are a shorter sequence, which the fitted network can classify too.

n_rows = np.arange(X.shape[1] + 1)
by_row = [accuracy_score(y_test, lstm.predict(X_test[:, :n])) for n in n_rows]

# %%
# A picture.

unsure = lstm.predict_proba(X_test).max(axis=1).argsort()[:10]
predicted = lstm.predict(X_test[unsure])

figure = plt.figure(figsize=(12, 4), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[3, 2])
left.suptitle("Test images that the LSTM is least sure of")
for ax, image, true, label in zip(
    left.subplots(2, 5).flat, X_test[unsure], y_test[unsure], predicted, strict=True
):
    ax.imshow(image, cmap="gray_r")
    ax.set_title(f"{true}, predicted {label}", color="black" if true == label else "C3")
    ax.set_axis_off()
right.suptitle("Accuracy on the first rows of the test images")
ax = right.subplots()
ax.plot(n_rows, by_row, marker="o", label="LSTM, trained on whole images")
most_frequent = scores.loc["most frequent digit", "test images"]
ax.axhline(most_frequent, color="C1", linestyle=":", label="most frequent digit")
ax.set(xlabel="rows seen, from the top", ylabel="accuracy", ylim=(0, 1.02))
ax.legend()

# %%
# The scores; the picture is kept in the folder ``pictures``.

picture = Path("pictures/plot_digits.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print(f"Accuracy on {len(X_train)} training and {len(X_test)} test images")
print(scores.round(3).to_string())
print(f"\nPicture: {picture}")

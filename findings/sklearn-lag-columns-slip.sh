#!/usr/bin/env bash
# Guess: a lag transformer that drops its first rows, beside one that keeps all rows, is refused: the row counts differ.
# What happens: with pandas the rows are joined by index and the first ones move to the end, with NaN; with Polars the lag column slides up by the dropped rows, nulls at the end.
# Why it matters: each row then carries a later row's lag (with Polars the lag is undone), or the rows are out of time order before windows are cut, all without a warning.
# Seen on: 2026-11-30, scikit-learn 1.9.1, pandas 3.1.1, polars 2.1.0; FeatureUnion and ColumnTransformer alike.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scikit-learn==1.9.1 pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import numpy as np
import pandas as pd
import polars as pl
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion

print("scikit-learn", sklearn.__version__, "pandas", pd.__version__, "polars", pl.__version__)


class Column(TransformerMixin, BaseEstimator):
    def __init__(self, lag):
        self.lag = lag

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        shifted = X.shift(self.lag) if self.lag else X
        return shifted.dropna() if isinstance(shifted, pd.DataFrame) else shifted.drop_nulls()

    def get_feature_names_out(self, input_features=None):
        return np.array([f"lag{self.lag}"], dtype=object)


def union():
    return FeatureUnion([("a", Column(2)), ("b", Column(0))])


def by_column():
    return ColumnTransformer([("a", Column(2), ["x"]), ("b", Column(0), ["x"])])


values = np.arange(10.0)
for make in (union, by_column):
    name = type(make()).__name__
    out = make().set_output(transform="pandas").fit_transform(pd.DataFrame({"x": values}))
    print(name, "pandas, order of the rows:", out.index.tolist(), "lag 2:", out["a__lag2"].tolist())
    assert out.index.tolist() == [2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert out["a__lag2"].isna().tolist() == [False] * 8 + [True] * 2
    out = make().set_output(transform="polars").fit_transform(pl.DataFrame({"x": values}))
    print(name, "polars, lag 2 beside the value:", list(zip(out["a__lag2"], out["b__lag0"], strict=True)))
    assert out["a__lag2"].to_list() == [0, 1, 2, 3, 4, 5, 6, 7, None, None]
    assert out["b__lag0"].to_list() == values.tolist()  # the "lag 2" of a row is its own value
EOF

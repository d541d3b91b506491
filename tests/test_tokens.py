"""Tokens against plain Python, the vocabulary against CountVectorizer's."""

import copy
import gzip
import pickle
import re

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

from sklstm import LSTMClassifier, LSTMRegressor, Sequences, TokenSequencer
from sklstm._tables.vectors import read_vectors

examples = settings(max_examples=60, deadline=None)

TEXTS = [
    "The cat sat on the mat.",
    "A dog, the DOG of the cat!",
    "",
    "the mat; the end",
    "?",
    "Ça va, naïve café_42?",
]


def tokens_of(sequences):
    return [sequence[:, 0].tolist() for sequence in sequences]


def plain_words(text):
    return [word for word in re.split(r"\W+", text.lower()) if len(word) > 1]


# Sequences.from_tokens


@examples
@given(st.lists(st.lists(st.integers(0, 2**31 - 1))))
def test_from_tokens_keeps_every_token(tokens):
    sequences = Sequences.from_tokens(tokens)
    assert tokens_of(sequences) == tokens
    assert sequences.dtype == np.int32
    assert sequences.shape == (len(tokens), max(map(len, tokens), default=0), 1)
    assert sequences.feature_names.tolist() == ["token"]
    assert (sequences.series == -1).all()


@pytest.mark.parametrize(
    "convert",
    [
        lambda rows: np.array(rows),
        lambda rows: np.array(rows, dtype=np.uint8),
        lambda rows: [np.array(row, dtype=np.uint64) for row in rows],
        lambda rows: map(tuple, rows),
        pd.DataFrame,
        pd.Series,
    ],
)
def test_from_tokens_takes_any_form(convert):
    tokens = [[3, 1, 2], [0, 5, 5]]
    assert Sequences.from_tokens(convert(tokens)) == Sequences.from_tokens(tokens)


def test_from_tokens_is_as_wide_as_its_tokens():
    assert Sequences.from_tokens([[2**31 - 1]]).dtype == np.int32
    wide = Sequences.from_tokens([[1], [2**31]])
    assert wide.dtype == np.int64
    assert tokens_of(wide) == [[1], [2**31]]


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([1, 2], r"Sequence 0 is the single value 1; .* One sequence is \[tokens\]"),
        (np.array([1, 2]), r"Sequence 0 is the single value 1; .* One sequence is \[tokens\]"),
        ([[1], "the cat"], "Sequence 1 is the single value 'the cat'; .* TokenSequencer splits"),
        ([[1], ["the", "cat"]], "Sequence 1 holds <U3; .* TokenSequencer numbers words"),
        ([[1], [2.5]], r"Sequence 1 holds float64; .* astype\(int\)"),
        (np.array([[1, np.nan]]), "Sequence 0 holds float64; .* without the NaN of a padding"),
        ([[True]], "Sequence 0 holds bool"),
        ([[1], [[2]]], r"Sequence 1 has the shape \(1, 1\); .* Sequences.from_arrays"),
        ([[1], [], [3, -2]], "Sequence 2 holds the token -2; .* Leave padding out"),
        (np.array([[1, 2], [-1, 3]]), "Sequence 1 holds the token -1"),
    ],
)
def test_from_tokens_names_a_bad_sequence(tokens, message):
    with pytest.raises(ValueError, match=message):
        Sequences.from_tokens(tokens)


# TokenSequencer: tokens and vocabulary


def test_tokens_are_those_of_plain_python():
    sequencer = TokenSequencer()
    sequences = sequencer.fit_transform(TEXTS)
    words = [plain_words(text) for text in TEXTS]
    known = sorted({word for text in words for word in text})
    assert list(sequencer.vocabulary_.items()) == [(w, known.index(w) + 1) for w in known]
    assert tokens_of(sequences) == [[known.index(w) + 1 for w in text] for text in words]
    assert sequences == sequencer.transform(TEXTS)
    assert sequences.dtype == np.int32


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"lowercase": False},
        {"preprocessor": str.upper},
        {"tokenizer": str.split, "token_pattern": None},
        {"token_pattern": r"\S+"},
        {"stop_words": "english"},
        {"stop_words": ["the", "dog"]},
        {"analyzer": "char"},
        {"analyzer": "char_wb"},
        {"analyzer": plain_words},
        {"min_df": 2},
        {"min_df": 0.2, "max_df": 0.4},
        {"max_features": 3},
        {"vocabulary": ["dog", "cat"]},
        {"vocabulary": {"dog", "cat"}},
    ],
)
def test_vocabulary_and_words_are_those_of_count_vectorizer(params):
    sequencer = TokenSequencer(**params)
    vectorizer = CountVectorizer(**params)
    sequences = sequencer.fit_transform(TEXTS)
    counts = vectorizer.fit_transform(TEXTS)
    assert list(sequencer.vocabulary_) == vectorizer.get_feature_names_out().tolist()
    assert list(sequencer.vocabulary_.values()) == [*range(1, counts.shape[1] + 1)]
    analyze = vectorizer.build_analyzer()
    assert sequences.lengths.tolist() == [len(analyze(text)) for text in TEXTS]
    counted = [np.bincount(t, minlength=counts.shape[1] + 1)[1:] for t in tokens_of(sequences)]
    np.testing.assert_array_equal(counted, counts.toarray())


def test_unknown_words_are_steps():
    sequencer = TokenSequencer(min_df=2).fit(["red rose", "red house", "blue house"])
    assert sequencer.vocabulary_ == {"house": 1, "red": 2}
    sequences = sequencer.transform(["red rose near red house", "violets"])
    assert tokens_of(sequences) == [[2, 0, 0, 2, 1], [0]]
    assert sequencer.inverse_transform(sequences)[1] == ["<unknown>"]


def test_stop_words_are_no_steps():
    sequencer = TokenSequencer(stop_words=["the"]).fit(["the red the rose"])
    assert tokens_of(sequencer.transform(["the rose the red the house"])) == [[2, 1, 0]]


def test_text_without_words_is_an_empty_sequence():
    sequences = TokenSequencer().fit_transform(["", "some words", "?!"])
    assert sequences.lengths.tolist() == [0, 2, 0]
    assert len(TokenSequencer().fit(["some words"]).transform([])) == 0


def test_max_length_keeps_the_first_words():
    texts = ["one two three", "four", ""]
    whole, cut = TokenSequencer().fit(texts), TokenSequencer(max_length=2).fit(texts)
    assert cut.vocabulary_ == whole.vocabulary_
    assert tokens_of(cut.transform(texts)) == [t[:2] for t in tokens_of(whole.transform(texts))]


def test_vocabulary_with_its_tokens():
    first = TokenSequencer().fit(TEXTS)
    again = TokenSequencer(vocabulary=first.vocabulary_).fit(["other texts"])
    assert again.vocabulary_ == first.vocabulary_
    assert again.transform(TEXTS) == first.transform(TEXTS)
    with pytest.raises(ValueError, match="must map its 2 words to the tokens 1 to 2"):
        TokenSequencer(vocabulary={"cat": 0, "dog": 1}).fit(TEXTS)


words = st.text("abcXYZ", min_size=2, max_size=4)


@examples
@given(st.lists(st.lists(words), min_size=1), st.sets(words), st.data())
def test_inverse_transform_undoes_transform(texts, more_words, data):
    vocabulary = {word for text in texts for word in text} | more_words | {"cab"}
    known = data.draw(st.sets(st.sampled_from(sorted(vocabulary)), min_size=1))
    sequencer = TokenSequencer(vocabulary=known, lowercase=False).fit([""])
    sequences = sequencer.transform(map(" ".join, texts))
    expected = [[word if word in known else "<unknown>" for word in text] for text in texts]
    assert sequencer.inverse_transform(sequences) == expected
    assert sequencer.inverse_transform(tokens_of(sequences)) == expected


def test_inverse_transform_names_a_foreign_token():
    sequencer = TokenSequencer().fit(["cat dog"])
    with pytest.raises(ValueError, match="Sequence 1 holds the token 3, .* end with 2"):
        sequencer.inverse_transform([[0, 1, 2], [1, 3]])
    with pytest.raises(ValueError, match="Sequence 0 holds float64"):
        sequencer.inverse_transform(Sequences.from_arrays([[[1.0]]]))


# TokenSequencer: input


@pytest.mark.parametrize(
    "convert",
    [
        tuple,
        iter,
        np.array,
        lambda texts: np.array(texts, dtype=object),
        lambda texts: np.array(texts, dtype=np.dtypes.StringDType()),
        lambda texts: pd.Series(texts, index=range(10, 16)),
        lambda texts: pd.Series(texts, dtype="category"),
        pd.Index,
    ],
)
def test_texts_may_come_in_any_form(convert):
    expected = TokenSequencer().fit_transform(TEXTS)
    sequencer = TokenSequencer()
    assert sequencer.fit_transform(convert(TEXTS)) == expected
    assert sequencer.transform(convert(TEXTS)) == expected


def test_lists_of_words():
    visits = [["home", "cart", "pay"], [], ["home", "help"]]
    sequencer = TokenSequencer(analyzer=list)
    assert tokens_of(sequencer.fit_transform(visits)) == [[3, 1, 4], [], [3, 2]]
    assert sequencer.inverse_transform(sequencer.transform(visits)) == visits
    assert tokens_of(sequencer.transform([["home", "search"]])) == [[3, 0]]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("a text", "string object received. One text is"),
        (pd.DataFrame({"text": ["a text"]}), r"DataFrame of shape \(1, 1\) .* X\['text'\]"),
        (["a text", None], r"row 1 \(counted from 0\) is missing: None"),
        (["a text", np.nan], r"row 1 \(counted from 0\) is missing: nan"),
        (pd.Series(["a text", pd.NA], dtype="string"), "row 1 .* is missing: <NA>"),
        (pd.Series(["a text", None]), "row 1 .* is missing: (nan|None). Fill it first"),
        (["a text", 3], "Row 1 .* of type int, expected str"),
        ([["a", "text"]], "Row 0 .* of type list, expected str. .* analyzer=list"),
        (np.array([["a text"]]), "Row 0 .* of type ndarray"),
        ([b"a text"], "Row 0 .* of type bytes"),
        ({"one": "a text"}, r"dict received: give list\(X\.values\(\)\)"),
        ({"a text"}, r"set received: give sorted\(X\)"),
    ],
)
def test_bad_texts_are_named(texts, message):
    with pytest.raises(ValueError, match=message):
        TokenSequencer().fit(texts)
    with pytest.raises(ValueError, match=message):
        TokenSequencer().fit(["some words"]).transform(texts)


def test_missing_list_of_words_is_named():
    with pytest.raises(ValueError, match="row 1 .* is missing"):
        TokenSequencer(analyzer=list).fit([["cat"], None])


@pytest.mark.parametrize(
    ("params", "texts", "message"),
    [
        ({"min_df": -1}, TEXTS, "'min_df' parameter of TokenSequencer"),
        ({"max_length": 0}, TEXTS, "'max_length' parameter of TokenSequencer"),
        ({"analyzer": "sentence"}, TEXTS, "'analyzer' parameter of TokenSequencer"),
        ({}, ["", "?"], "empty vocabulary"),
        ({}, [], "empty vocabulary"),
        ({"min_df": 7}, TEXTS, "max_df corresponds to < documents than min_df"),
        ({"vocabulary": ["cat", "cat"]}, TEXTS, "Duplicate term in vocabulary: 'cat'"),
    ],
)
def test_bad_parameters_are_named(params, texts, message):
    with pytest.raises(ValueError, match=message):
        TokenSequencer(**params).fit(texts)


# TokenSequencer: the scikit-learn around it


def test_pickles_as_it_is():
    for params in ({}, {"analyzer": "char"}, {"stop_words": "english"}, {"vocabulary": {"cat"}}):
        sequencer = TokenSequencer(**params).fit(TEXTS)
        again = pickle.loads(pickle.dumps(sequencer))
        assert again.transform(TEXTS) == sequencer.transform(TEXTS)
        assert again.vocabulary_ == sequencer.vocabulary_


def test_clone_forgets_the_vocabulary():
    sequencer = clone(TokenSequencer(min_df=2, max_length=5).fit(TEXTS))
    assert sequencer.get_params() == TokenSequencer(min_df=2, max_length=5).get_params()
    for method in (sequencer.transform, sequencer.inverse_transform, sequencer.embedding_weights):
        with pytest.raises(NotFittedError):
            method(TEXTS)


def count_tokens(sequences):
    """How often each token below 50 occurs in each sequence."""
    return pd.DataFrame([np.bincount(tokens, minlength=50) for tokens in tokens_of(sequences)])


def test_search_over_a_pipeline():
    texts = pd.Series(["fine film", "poor film"] * 12)
    labels = ["+", "-"] * 12
    model = make_pipeline(
        TokenSequencer(), FunctionTransformer(count_tokens), LogisticRegression()
    ).set_output(transform="pandas")
    search = GridSearchCV(model, {"tokensequencer__min_df": [1, 1.0]}, cv=3)
    search.fit(texts, labels)
    assert search.score(texts, labels) == 1
    scores = search.cv_results_["mean_test_score"]
    assert scores.tolist() == [1, 0.5]  # "film" alone tells nothing


def test_tells_what_it_takes_and_gives():
    sequencer = TokenSequencer().fit(TEXTS)
    assert get_tags(sequencer).input_tags == get_tags(CountVectorizer()).input_tags
    assert sequencer.get_feature_names_out().tolist() == ["token"]
    assert sequencer.set_output(transform="pandas") is sequencer
    assert not hasattr(sequencer, "set_transform_request")  # raw_documents are X, not metadata


class RowTokenSequencer(TokenSequencer):
    """Reads each row of a table as a text, so that the suite, which knows tables only, runs."""

    def fit(self, X, y=None):
        return super().fit(self._texts(X, reset=True))

    def fit_transform(self, X, y=None):
        return super().fit_transform(self._texts(X, reset=True))

    def transform(self, X):
        check_is_fitted(self)
        return super().transform(self._texts(X, reset=False))

    def _texts(self, X, *, reset):
        rows = validate_data(self, X, reset=reset)
        return [" ".join(f"{number:.2f}" for number in row) for row in rows]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


@parametrize_with_checks(
    [RowTokenSequencer()],
    xfail_strict=True,
)
def test_contract(estimator, check):
    check(estimator)


# Word vectors

VECTORS = {"cat": [1.0, 2.0], "dog": [3.0, -4.5], "The": [5.0, 6.0], "a b": [7.0, 8.0]}
EXPECTED = [[0, 0], [1, 2], [3, -4.5], [0, 0]]  # unknown, cat, dog, the
FRAME = pd.DataFrame.from_dict(VECTORS, orient="index")
LINES = "".join(f"{word} {x} {y}\n" for word, (x, y) in VECTORS.items())


@pytest.fixture
def sequencer():
    return TokenSequencer().fit(["the cat", "the dog"])


@pytest.fixture
def write(tmp_path):
    """Write a file of vectors."""

    def write(text, name="vectors.txt"):
        data = text.encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


@pytest.mark.parametrize(
    "vectors",
    [
        VECTORS,
        {word: np.array(vector, dtype=np.float16) for word, vector in VECTORS.items()},
        FRAME,
    ],
    ids=["lists", "arrays", "frame"],
)
def test_vectors_line_up_with_the_tokens(sequencer, vectors):
    weights = sequencer.embedding_weights(vectors)
    np.testing.assert_array_equal(weights, np.array(EXPECTED, dtype=np.float32), strict=True)


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.txt.gz", "vectors.vec"])
@pytest.mark.parametrize(
    "text",
    [
        LINES,
        f"4 2\n{LINES}",  # word2vec and fastText
        f"\ufeff4 2\n{LINES}",
        LINES.replace("\n", " \n"),  # word2vec ends lines so
        LINES.replace("\n", "\r\n"),
        LINES.removesuffix("\n"),
        f"{LINES}cat 9 9\n",
    ],
    ids=[
        "plain",
        "header",
        "byte order mark",
        "blanks at the end",
        "Windows",
        "no last newline",
        "word twice",
    ],
)
def test_vectors_of_a_file(sequencer, write, text, name):
    path = write(text, name)
    np.testing.assert_array_equal(sequencer.embedding_weights(path), EXPECTED)
    np.testing.assert_array_equal(sequencer.embedding_weights(str(path)), EXPECTED)


def test_odd_words_of_a_file_are_read_as_they_are(write):
    words = [
        '"',
        "'",
        "#",
        "NA",
        "null",
        ". . .",
        "\u00a0",
        "\u2028",
        "\x85",
        "\r",
        "1",
        ",",
        "naïve",
    ]
    path = write("".join(f"{word} {place} {-place}\n" for place, word in enumerate(words)))
    vectors = read_vectors(path, words)
    assert {word: vector.tolist() for word, vector in vectors.items()} == {
        word: [place, -place] for place, word in enumerate(words)
    }


def test_only_the_words_asked_for_are_kept(write):
    assert set(read_vectors(write(LINES), {"cat", "bird"})) == {"cat"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cat 1 2\ndog 3\n", r"vectors\.txt, line 2: .* 2 numbers .*, got 'dog 3"),
        ("2 2\ncat 1 2\nbird 3\n", r"line 3: .* 2 numbers"),
        ("cat 1 2\ndog 3 x\n", "line 2, word 'dog': could not convert string to float: 'x'"),
        ("cat 1 2 3\ndog 3 4\n", "line 2: .* 3 numbers"),
        ("cat\n", "line 1: .* some numbers"),
        ("cat\t1\t2\n", "line 1: .* single spaces"),
        ("cat 1 2\n\ndog 3 4\n", "line 2: .* got '.n'"),
        ("1 3000\ncat \x00\x01\x02\n", "line 2: .* Save binary files"),
    ],
)
def test_bad_line_of_a_file_is_named(sequencer, write, text, message):
    with pytest.raises(ValueError, match=message):
        sequencer.embedding_weights(write(text))


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ({"cat": [1, 2], "dog": [3]}, r"'dog' has the shape \(1,\), that of 'cat' \(2,\)"),
        ({"cat": [[1, 2]]}, r"'cat' has the shape \(1, 2\)"),
        ({"cat": 1.0}, r"'cat' has the shape \(\)"),
        ({"cat": [1, 2], "dog": [3, np.nan]}, "'dog' holds NaN or infinity"),
        ({}, "None of the 3 words .* such as 'cat', has a vector"),
        ({"Cat": [1, 2]}, "Words must match exactly: see lowercase"),
        (FRAME.reset_index(), "A DataFrame needs its words in the index"),
    ],
)
def test_bad_vectors_are_named(sequencer, vectors, message):
    with pytest.raises(ValueError, match=message):
        sequencer.embedding_weights(vectors)


@pytest.mark.parametrize("vectors", [np.zeros((4, 2)), [[1.0]], None])
def test_vectors_without_words_are_refused(sequencer, vectors):
    with pytest.raises(TypeError, match="dict, a DataFrame or a path, got "):
        sequencer.embedding_weights(vectors)


def test_empty_file_has_no_vectors(sequencer, write):
    with pytest.raises(ValueError, match="None of the 3 words"):
        sequencer.embedding_weights(write(""))


# Word vectors in a Pipeline


RNG = np.random.default_rng(0)
VALUES = {f"w{k:02d}": value for k, value in enumerate(RNG.normal(size=60).tolist())}
REVIEWS = [" ".join(RNG.choice(list(VALUES), size=5)) for _ in range(120)]
GOOD = [sum(VALUES[word] for word in text.split()) > 0 for text in REVIEWS]
MEANINGS = {word: [value, 1.0] for word, value in VALUES.items()}


def reader(vectors, **params):
    settings = {"pooling": "mean", "lr": 0.02, "max_epochs": 15, "random_state": 0} | params
    return LSTMClassifier(4, embedding=vectors, freeze_embedding=True, **settings)


def piped(vectors, sequencer=None, **params):
    return make_pipeline(sequencer or TokenSequencer(), reader(vectors, **params))


def quick(vectors, sequencer=None, **params):
    return piped(vectors, sequencer, max_epochs=1, **params)


def as_file(folder):
    lines = [f"{word} {x!r} {y!r}\n" for word, (x, y) in MEANINGS.items()]
    folder.joinpath("vectors.txt").write_text("".join(lines))
    return folder / "vectors.txt"


FORMS = {
    "dict": lambda folder: MEANINGS,
    "frame": lambda folder: pd.DataFrame.from_dict(MEANINGS, orient="index"),
    "path": as_file,
    "name of a file": lambda folder: str(as_file(folder)),
}


def embedding_of(model):
    return model[-1].net_.module_.embedding.weight.numpy(force=True)


@pytest.mark.parametrize("form", FORMS)
def test_vectors_are_lined_up_with_the_vocabulary_of_each_fit(form, tmp_path):
    model = quick(FORMS[form](tmp_path))
    for rows in (REVIEWS[:20], REVIEWS[20:50], ["unheard " + REVIEWS[0], "w01"]):
        labels = np.arange(len(rows)) % 2
        words = list(model.fit(rows, labels)[0].vocabulary_)
        expected = [MEANINGS.get(word, [0, 0]) for word in words]
        np.testing.assert_allclose(embedding_of(model), [[0, 0], *expected], rtol=1e-6)
        assert model[-1].n_tokens_ == len(words) + 1


def test_vectors_are_right_in_every_fold():
    scores = cross_val_score(piped(MEANINGS), REVIEWS, GOOD, cv=4)
    assert scores.mean() > 0.85
    known = TokenSequencer(vocabulary=list(VALUES)).fit([])
    fixed = piped(known.embedding_weights(MEANINGS), TokenSequencer(vocabulary=list(VALUES)))
    assert cross_val_score(fixed, REVIEWS, GOOD, cv=4).mean() > 0.85


def test_a_search_chooses_among_vectors():
    shuffled = dict(zip(MEANINGS, RNG.permutation(list(MEANINGS.values())), strict=True))
    grid = {
        "lstmclassifier__embedding": [shuffled, MEANINGS],
        "tokensequencer__max_features": [20, 60],
    }
    search = GridSearchCV(piped(None), grid, cv=2, error_score="raise").fit(REVIEWS, GOOD)
    assert search.best_params_["lstmclassifier__embedding"] is MEANINGS
    assert search.best_score_ > 0.8


def test_a_regressor_takes_vectors_too():
    regressor = LSTMRegressor(
        2, embedding=MEANINGS, max_epochs=1, freeze_embedding=True, early_stopping=False
    )
    model = make_pipeline(TokenSequencer(), regressor).fit(REVIEWS[:9], np.arange(9.0))
    expected = model[0].embedding_weights(MEANINGS)
    np.testing.assert_array_equal(embedding_of(model), expected)


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: weights,
        copy.deepcopy,
        lambda weights: pickle.loads(pickle.dumps(weights)),
        lambda weights: weights / 2,
        lambda weights: weights.astype(np.float64).copy(),
        lambda weights: np.tanh(weights - weights.mean(axis=0)),
        lambda weights: weights[:, :1],
    ],
    ids=["as it is", "cloned", "pickled", "scaled", "cast", "centred", "fewer columns"],
)
def test_a_matrix_remembers_its_vocabulary(change):
    weights = change(TokenSequencer().fit(REVIEWS[:9]).embedding_weights(MEANINGS))
    model = quick(weights).fit(REVIEWS[:9], GOOD[:9])
    np.testing.assert_array_equal(embedding_of(model), weights)
    for texts in (REVIEWS[:8], [*REVIEWS[:8], "other words"]):
        with pytest.raises(ValueError, match="vectors of another vocabulary .* a path, a dict"):
            clone(model).fit(texts, GOOD[: len(texts)])
    other = TokenSequencer(vocabulary=[f"v{k}" for k in range(len(weights) - 1)])
    with pytest.raises(ValueError, match="vectors of another vocabulary"):
        quick(weights, other).fit(REVIEWS[:9], GOOD[:9])


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: weights[::-1],
        lambda weights: weights[np.r_[0, 2, 1, 3 : len(weights)]],
        lambda weights: weights.take(np.arange(len(weights))[::-1], axis=0),
        lambda weights: np.roll(weights, 1, axis=0),
        lambda weights: np.sort(weights, axis=0),
        lambda weights: weights.T.copy(),
    ],
)
def test_a_matrix_whose_rows_may_have_moved_has_no_vocabulary(change):
    weights = change(TokenSequencer().fit(REVIEWS[:9]).embedding_weights(MEANINGS))
    with pytest.raises(ValueError, match="without the words .* the words in its index"):
        quick(weights).fit(REVIEWS[:9], GOOD[:9])


def test_vectors_may_be_views_and_tensors():
    rows = np.arange(8.0).reshape(4, 2)
    model = reader(rows[::-1], max_epochs=1).fit([[1, 2], [2, 3]], [0, 1])
    found = model.net_.module_.embedding.weight.numpy(force=True)
    np.testing.assert_array_equal(found, rows[::-1])
    learned = {word: torch.tensor(v, requires_grad=True) for word, v in MEANINGS.items()}
    sequencer = TokenSequencer().fit(REVIEWS)
    expected = sequencer.embedding_weights(MEANINGS)
    np.testing.assert_array_equal(sequencer.embedding_weights(learned), expected)


def test_a_matrix_without_words_is_refused_where_tokens_have_them():
    weights = TokenSequencer().fit(REVIEWS[:9]).embedding_weights(MEANINGS)
    for matrix in (np.array(weights), weights.tolist(), np.vstack([weights, weights])):
        with pytest.raises(ValueError, match="without the words .* the words in its index"):
            quick(matrix).fit(REVIEWS[:9], GOOD[:9])
    with pytest.raises(ValueError, match=f"needs {len(weights)} vectors"):
        quick(weights[1:]).fit(REVIEWS[:9], GOOD[:9])


def test_words_are_needed_for_word_vectors():
    tokens = [[1, 2], [2, 3]]
    for vectors in (MEANINGS, pd.DataFrame.from_dict(MEANINGS, orient="index"), "vectors.txt"):
        with pytest.raises(ValueError, match=r"without a vocabulary: .* vocabulary=\.\.\."):
            reader(vectors).fit(tokens, [0, 1])
    known = Sequences.from_tokens(tokens, vocabulary={"w07": 3, "w01": 1, "w02": 2})
    model = reader(MEANINGS, max_epochs=1).fit(known, [0, 1])
    expected = [[0, 0], *(MEANINGS[word] for word in ("w01", "w02", "w07"))]
    found = model.net_.module_.embedding.weight.numpy(force=True)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    reader(np.ones((4, 2)), max_epochs=1).fit(tokens, [0, 1])


def test_vectors_that_do_not_fit_are_named_in_fit(tmp_path):
    for vectors, error, message in [
        ({"elsewhere": [1.0]}, ValueError, "None of the .* words .* has a vector"),
        (MEANINGS | {"w03": [1.0, np.nan]}, ValueError, "'w03' holds NaN"),
        (tmp_path / "nothing.txt", FileNotFoundError, r"nothing\.txt"),
        (3.0, ValueError, "'embedding' parameter"),
    ]:
        with pytest.raises(error, match=message):
            quick(vectors).fit(REVIEWS, GOOD)


# The vocabulary of a fit


def test_sequences_keep_their_vocabulary():
    sequencer = TokenSequencer().fit(TEXTS)
    tokens = sequencer.transform(TEXTS)
    assert tokens.vocabulary is sequencer.vocabulary_
    parts = [tokens[:3], tokens[np.array([2, 0])], tokens.compact()]
    parts += [Sequences.concat([tokens[:1], tokens[3:]]), pickle.loads(pickle.dumps(tokens))]
    assert all(part.vocabulary == sequencer.vocabulary_ for part in parts)
    other = TokenSequencer().fit(REVIEWS).transform(TEXTS)
    assert Sequences.from_tokens([[1]]).vocabulary is None
    with pytest.raises(ValueError, match="Part 1 holds tokens of another vocabulary"):
        Sequences.concat([tokens, other])
    with pytest.raises(ValueError, match="another vocabulary"):
        sequencer.inverse_transform(other)


@pytest.mark.parametrize(
    "ask",
    [
        lambda model, tokens: model.predict(tokens),
        lambda model, tokens: model.predict_proba(tokens),
        lambda model, tokens: model.score(tokens, GOOD[: len(tokens)]),
        lambda model, tokens: model.partial_fit(tokens, GOOD[: len(tokens)]),
        lambda model, tokens: clone(model).fit(
            TokenSequencer().fit_transform(REVIEWS), GOOD, X_val=tokens, y_val=GOOD[: len(tokens)]
        ),
    ],
    ids=["predict", "predict_proba", "score", "partial_fit", "X_val"],
)
def test_tokens_of_another_vocabulary_are_refused(ask):
    sequencer = TokenSequencer().fit(REVIEWS)
    model = LSTMClassifier(2, embedding=2, max_epochs=1, random_state=0)
    model.fit(sequencer.transform(REVIEWS), GOOD)
    same = pickle.loads(pickle.dumps(sequencer)).transform(REVIEWS[:40])
    ask(pickle.loads(pickle.dumps(model)), same)
    ask(model, Sequences.from_tokens(tokens_of(same)))  # what does not know its words
    other = TokenSequencer().fit(REVIEWS[:3]).transform(REVIEWS[:40])
    with pytest.raises(ValueError, match=r"vocabulary of \d+ words, .* fitted on one of 60"):
        ask(model, other)


def test_a_new_fit_has_a_new_vocabulary():
    model = LSTMClassifier(2, embedding=2, max_epochs=1, random_state=0)
    first, second = (TokenSequencer().fit(texts) for texts in (REVIEWS[:9], REVIEWS[9:19]))
    model.fit(first.transform(REVIEWS[:9]), GOOD[:9])
    model.fit(second.transform(REVIEWS[:9]), GOOD[:9]).predict(second.transform(REVIEWS))
    with pytest.raises(ValueError, match="another|fitted on one of"):
        model.predict(first.transform(REVIEWS))
    model.fit(tokens_of(first.transform(REVIEWS[:9])), GOOD[:9]).predict(first.transform(REVIEWS))


def test_a_word_in_several_rows_of_vectors_is_refused(sequencer):
    with pytest.raises(ValueError, match="stands in several rows of the DataFrame"):
        sequencer.embedding_weights(pd.concat([FRAME, FRAME + 1]))

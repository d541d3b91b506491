"""Word vectors from dicts, DataFrames and files."""

import gzip
import os
from collections.abc import Container, Mapping
from typing import Any

import numpy as np
import pandas as pd

from sklstm._data.arrays import plain_array

__all__ = [
    "WordVectors",
    "align_vectors",
    "read_vectors",
    "vectors_from_plain",
    "vectors_of_tokens",
    "vectors_to_plain",
]


class WordVectors(np.ndarray):
    """An array with a row for each token, and the vocabulary of its rows.

    Copies, columns and results of arithmetic keep the vocabulary. All else may have its rows in
    another order, and has none.

    Attributes
    ----------
    vocabulary : dict of str to int, or None
        Token of each word.

    Examples
    --------
    >>> align_vectors({"cat": [1.0, 2.0]}, {"cat": 1, "dog": 2}).vocabulary
    {'cat': 1, 'dog': 2}
    """

    vocabulary: dict[str, int] | None

    def __array_finalize__(self, source: Any) -> None:
        self.vocabulary = None

    def _with_the_same_rows(self, other: Any) -> Any:
        if isinstance(other, WordVectors) and other.ndim == self.ndim:
            other.vocabulary = self.vocabulary
        return other

    def __array_wrap__(self, array: Any, *context: Any) -> Any:
        return self._with_the_same_rows(super().__array_wrap__(array, *context))

    def __getitem__(self, key: Any) -> Any:
        rows = key[0] if isinstance(key, tuple) and key else key
        part = super().__getitem__(key)
        in_order = isinstance(rows, slice) and (rows.step is None or rows.step > 0)
        return self._with_the_same_rows(part) if in_order else part

    def __copy__(self) -> Any:
        return self._with_the_same_rows(super().__copy__())

    def __deepcopy__(self, memo: Any) -> Any:
        return self._with_the_same_rows(super().__deepcopy__(memo))

    def copy(self, *args: Any, **kwargs: Any) -> Any:
        return self._with_the_same_rows(super().copy(*args, **kwargs))

    def sort(self, *args: Any, **kwargs: Any) -> None:
        super().sort(*args, **kwargs)
        self.vocabulary = None

    def astype(self, *args: Any, **kwargs: Any) -> Any:
        return self._with_the_same_rows(super().astype(*args, **kwargs))

    def __reduce__(self) -> Any:
        return _with_vocabulary, (np.array(self), self.vocabulary)


def _with_vocabulary(rows: np.ndarray, vocabulary: dict[str, int] | None) -> WordVectors:
    vectors = rows.view(WordVectors)
    vectors.vocabulary = vocabulary
    return vectors


def vectors_to_plain(vectors: Any) -> Any:
    """Convert vectors for files of plain data.

    Parameters
    ----------
    vectors : object
        The value of `embedding`.

    Returns
    -------
    object
        A tuple that starts with the name of the type; plain data is returned unchanged.
    """
    if isinstance(vectors, WordVectors):
        return "WordVectors", np.array(vectors), vectors.vocabulary
    if isinstance(vectors, pd.DataFrame):
        return "DataFrame", vectors.to_numpy(), vectors.index.tolist(), vectors.columns.tolist()
    return vectors


def vectors_from_plain(plain: Any) -> Any:
    """Restore vectors.

    Parameters
    ----------
    plain : object
        From `vectors_to_plain`.

    Returns
    -------
    object
        The value of `embedding`.
    """
    make: dict[str, Any] = {"WordVectors": _with_vocabulary, "DataFrame": pd.DataFrame}
    if isinstance(plain, tuple) and plain and isinstance(plain[0], str):
        return make[plain[0]](*plain[1:])
    return plain


def vectors_of_tokens(vectors: Any, vocabulary: dict[str, int] | None) -> Any:
    """Make an array of the vectors passed by the user, for the tokens of the training data.

    Parameters
    ----------
    vectors : dict of str to array-like, DataFrame, str, path-like, or array-like
        Vectors of words; or a row for each token.
    vocabulary : dict of str to int, or None
        Token of each word, if it is known.

    Returns
    -------
    array-like of shape (n_tokens, n_dimensions)
        Vectors of the tokens of this vocabulary; without a vocabulary, a matrix is returned
        unchanged.

    Raises
    ------
    ValueError
        If only one of `vectors` and `vocabulary` names words, or both name different ones.
    """
    has_words = isinstance(vectors, (Mapping, pd.DataFrame, str, os.PathLike))
    if vocabulary is None:
        if has_words:
            raise ValueError(
                f"embedding is a {type(vectors).__name__} of word vectors, but X holds "
                "tokens without a vocabulary: make them with a TokenSequencer or with "
                "Sequences.from_tokens(tokens, vocabulary=...), or pass a matrix with a row for "
                "each token."
            )
        return vectors
    if has_words:
        return np.asarray(align_vectors(vectors, vocabulary))
    if not isinstance(vectors, WordVectors) or vectors.vocabulary is None:
        raise ValueError(
            f"embedding is a matrix of the shape {np.shape(vectors)} without the words "
            f"of its rows, but X holds tokens of a vocabulary of {len(vocabulary)} words, which "
            "can differ between fits. Pass the word vectors themselves: a path, a dict, or a "
            "DataFrame with the words in its index."
        )
    n_tokens = max(vocabulary.values(), default=0) + 1
    if vectors.vocabulary != vocabulary or len(vectors) != n_tokens:
        raise ValueError(
            f"embedding holds the {len(vectors)} vectors of another vocabulary than that "
            f"of X, which has {len(vocabulary)} words and needs {n_tokens} vectors: its rows would "
            "belong to other words. Pass the word vectors themselves, a path, a dict or a "
            "DataFrame: each fit aligns them with its own vocabulary."
        )
    return np.asarray(vectors)


def align_vectors(vectors: Any, vocabulary: dict[str, int]) -> WordVectors:
    """Align word vectors with a vocabulary: the vector of each word in the row of its token.

    Parameters
    ----------
    vectors : dict of str to array-like, DataFrame, str or path-like
        As `TokenSequencer.embedding_weights` takes it.
    vocabulary : dict of str to int
        Token of each word.

    Returns
    -------
    WordVectors of float32, shape (n_tokens, n_dimensions)
        Zeros for words without a vector, and for token 0.

    Raises
    ------
    ValueError
        If no word has a vector, or vectors are of different lengths or not finite.
    """
    found = find_vectors(vectors, vocabulary)
    if not found:
        raise ValueError(
            f"None of the {len(vocabulary)} words of the vocabulary, such as "
            f"{next(iter(vocabulary), None)!r}, has a vector. Words must match exactly: see "
            "lowercase and token_pattern of the TokenSequencer. A DataFrame needs its words in the "
            "index."
        )
    first = next(iter(found))
    for word, vector in found.items():
        if vector.ndim != 1 or vector.shape != found[first].shape:
            raise ValueError(
                f"The vector of {word!r} has the shape {vector.shape}, that of {first!r} "
                f"{found[first].shape}; expected (n_dimensions,), the same for all words."
            )
        if not np.isfinite(vector).all():
            raise ValueError(f"The vector of {word!r} holds NaN or infinity: leave it out.")
    n_tokens = max(vocabulary.values()) + 1
    rows = np.zeros((n_tokens, len(found[first])), dtype=np.float32)
    for word, vector in found.items():
        rows[vocabulary[word]] = vector
    return _with_vocabulary(rows, vocabulary)


def find_vectors(vectors: Any, words: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Look up the vectors of some words.

    Parameters
    ----------
    vectors : dict of str to array-like, DataFrame, str or path-like
        As `TokenSequencer.embedding_weights` takes it.
    words : mapping with str as keys
        The words to look up.

    Returns
    -------
    dict of str to ndarray of float32
        Only the words that have a vector, in the order of `words`.

    Raises
    ------
    TypeError
        If `vectors` is of another type.
    ValueError
        If a DataFrame has several rows for a word.
    """
    if isinstance(vectors, (str, os.PathLike)):
        vectors = read_vectors(vectors, words)
    elif isinstance(vectors, pd.DataFrame):
        table = vectors[vectors.index.isin(list(words))]
        twice = table.index[table.index.duplicated()].tolist()
        if twice:
            raise ValueError(
                f"The word {twice[0]!r} stands in several rows of the DataFrame "
                "of vectors: give one row a word."
            )
        vectors = dict(zip(table.index, table.to_numpy(), strict=True))
    elif not isinstance(vectors, Mapping):
        raise TypeError(
            "vectors must name the word of each vector: a dict, a DataFrame or a path, got "
            f"{type(vectors).__name__}."
        )
    return {
        word: plain_array(vectors[word]).astype(np.float32) for word in words if word in vectors
    }


def read_vectors(path: str | os.PathLike, words: Container[str]) -> dict[str, np.ndarray]:
    """Read the vectors of some words from a text file in the format of GloVe or word2vec.

    Parameters
    ----------
    path : str or path-like
        UTF-8 text, with gzip if the name ends in ``.gz``: on each line a word and its numbers,
        separated by single spaces. A first line of two integers, the number of words and of
        dimensions, is optional.
    words : container of str
        The words to keep; the lines of all others are skipped.

    Returns
    -------
    dict of str to ndarray of float32, shape (n_dimensions,)
        If a word occurs twice, its first vector.

    Raises
    ------
    ValueError
        If a line has another number of values than the first one, or no numbers; the message
        names the line.
    """
    vectors = {}
    n_dimensions = None
    open_text = gzip.open if os.fspath(path).endswith(".gz") else open
    with open_text(path, "rt", encoding="utf-8-sig", errors="replace", newline="\n") as lines:
        for number, line in enumerate(lines, start=1):
            if n_dimensions is None:
                first, *others = line.rstrip().split(" ")
                is_header = len(others) == 1 and first.isdecimal() and others[0].isdecimal()
                n_dimensions = int(others[0]) if is_header else len(others)
                if is_header:
                    continue
            word, *numbers = line.rstrip().rsplit(" ", n_dimensions)  # words may contain spaces
            if not numbers or len(numbers) != n_dimensions:
                raise ValueError(
                    f"{path}, line {number}: expected a word and {n_dimensions or 'some'} numbers "
                    f"separated by single spaces, got {line[:60]!r}. Save binary files of word2vec "
                    "as text first."
                )
            if word in words and word not in vectors:
                try:
                    vectors[word] = np.array(numbers, dtype=np.float32)
                except ValueError as error:
                    raise ValueError(f"{path}, line {number}, word {word!r}: {error}.") from error
    return vectors

"""Word vectors: tables, dictionaries, and files of them."""

import gzip
import os
from collections.abc import Container, Mapping
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["find_vectors", "read_vectors"]


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
        If `vectors` is nothing of the above.
    """
    if isinstance(vectors, (str, os.PathLike)):
        vectors = read_vectors(vectors, words)
    elif isinstance(vectors, pd.DataFrame):
        table = vectors[vectors.index.isin(list(words)) & ~vectors.index.duplicated()]
        vectors = dict(zip(table.index, table.to_numpy(), strict=True))
    elif not isinstance(vectors, Mapping):
        raise TypeError(
            "vectors must tell the word of each vector: a dict, a DataFrame or a path, got "
            f"{type(vectors).__name__}."
        )
    return {word: np.asarray(vectors[word], dtype=np.float32) for word in words if word in vectors}


def read_vectors(path: str | os.PathLike, words: Container[str]) -> dict[str, np.ndarray]:
    """Read the vectors of some words from a text file of GloVe's or word2vec's format.

    Parameters
    ----------
    path : str or path-like
        UTF-8 text, with gzip if the name ends in ``.gz``: on each line a word and its numbers,
        divided by single blanks. A first line of two whole numbers, the count of words and of
        dimensions, is optional.
    words : container of str
        The words to keep; the lines of all others are skipped.

    Returns
    -------
    dict of str to ndarray of float32, shape (n_dimensions,)
        If a word comes twice, its first vector.

    Raises
    ------
    ValueError
        If a line does not hold as many numbers as the first one, or no numbers; the message
        names it.
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
            word, *numbers = line.rstrip().rsplit(" ", n_dimensions)  # words may hold blanks
            if not numbers or len(numbers) != n_dimensions:
                raise ValueError(
                    f"{path}, line {number}: expected a word and {n_dimensions or 'some'} numbers "
                    f"with single blanks between, got {line[:60]!r}. Binary files of word2vec "
                    "have to be saved as text first."
                )
            if word in words and word not in vectors:
                try:
                    vectors[word] = np.array(numbers, dtype=np.float32)
                except ValueError as error:
                    raise ValueError(f"{path}, line {number}, word {word!r}: {error}.") from error
    return vectors

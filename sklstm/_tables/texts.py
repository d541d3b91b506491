"""Texts and vocabularies, checked before words are numbered."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from sklstm._data.arrays import plain

__all__ = ["list_texts", "words_in_order"]


def list_texts(raw_documents: Iterable, *, any_type: bool) -> list[Any]:
    """Check texts, and return them as a list.

    Parameters
    ----------
    raw_documents : iterable
        The texts, as passed by the user.
    any_type : bool
        Whether items may be of other types than str.

    Returns
    -------
    list
        The texts, in the same order.

    Raises
    ------
    ValueError
        If texts are in a dict, whose keys would be read, or in a set, which has no order; if a text
        is missing, or is no str: the message names its row.
    """
    if isinstance(raw_documents, str):
        raise ValueError(
            "Iterable over raw text documents expected, string object received. One text is [text]."
        )
    if isinstance(raw_documents, (Mapping, set, frozenset)):
        kind = type(raw_documents).__name__
        cure = "list(X.values())" if isinstance(raw_documents, Mapping) else "sorted(X)"
        raise ValueError(
            f"Iterable over raw text documents expected, {kind} received: give {cure}."
        )
    if isinstance(raw_documents, pd.DataFrame):
        raise ValueError(
            f"Iterable over raw text documents expected, DataFrame of shape "
            f"{raw_documents.shape} received. Choose the column of the texts: X['text']."
        )
    texts = list(plain(raw_documents))
    for row, text in enumerate(texts):
        if pd.api.types.is_scalar(text) and pd.isna(text):
            raise ValueError(
                f"The text of row {row} (counted from 0) is missing: {text!r}. Fill it first, "
                "for example with '', which gives an empty sequence."
            )
        if not any_type and not isinstance(text, str):
            raise ValueError(
                f"Row {row} (counted from 0) is of type {type(text).__name__}, expected str. "
                "Lists of words need analyzer=list."
            )
    return texts


def words_in_order(vocabulary: Any) -> Any:
    """The words of a mapping, in the order of their tokens; anything else unchanged."""
    if not isinstance(vocabulary, Mapping):
        return vocabulary
    words = sorted(vocabulary, key=lambda word: vocabulary[word])
    if [vocabulary[word] for word in words] != list(range(1, len(words) + 1)):
        raise ValueError(
            f"vocabulary must map its {len(words)} words to the tokens 1 to {len(words)}; or "
            "pass a list of the words in order, without tokens."
        )
    return words

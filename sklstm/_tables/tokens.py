"""TokenSequencer: texts to sequences of tokens, and word vectors for these."""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.callback import with_callbacks
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils import Tags, metadata_routing
from sklearn.utils.validation import check_is_fitted

from sklstm._data.sequences import Sequences
from sklstm._data.sklearn_private import Interval
from sklstm._tables.sequence_transformer import SequenceTransformer
from sklstm._tables.texts import list_texts, words_in_order
from sklstm._tables.vectors import WordVectors, align_vectors

__all__ = ["TokenSequencer"]

UNKNOWN = "<unknown>"
"""The word shown for token 0."""


class TokenSequencer(SequenceTransformer):
    r"""Turn each text into the sequence of its tokens: the numbers of its words.

    It keeps in order what :class:`~sklearn.feature_extraction.text.CountVectorizer` counts. Both
    split texts in the same way and learn the same vocabulary; all parameters except `max_length`
    have the same meaning.

    Parameters
    ----------
    lowercase : bool, default=True
        Whether to convert texts to lowercase first.
    preprocessor : callable, default=None
        Applied to each text instead of `lowercase`.
    tokenizer : callable, default=None
        Splits a text into words instead of `token_pattern`, which must then be None.
    stop_words : {"english"} or list of str, default=None
        Words to drop from every sequence.
    token_pattern : str or None, default=r"(?u)\\b\\w\\w+\\b"
        Regular expression of a word. The default skips punctuation and words of one letter;
        ``r"\S+"`` splits at whitespace only, for texts that are already tokenised.
    analyzer : {"word", "char", "char_wb"} or callable, default="word"
        Whether tokens are words or characters. A callable turns each item into a list of words;
        `list` is for items that are lists of words.
    max_features : int, default=None
        Maximum size of the vocabulary: the most frequent words.
    min_df : float or int, default=1
        Minimum document frequency of a word, a share of the texts or a count; words below it are
        unknown.
    max_df : float or int, default=1.0
        Maximum document frequency of a word, a share of the texts or a count; words above it are
        unknown.
    vocabulary : mapping of str to int, or iterable of str, default=None
        The known words in the order of their tokens, or a mapping to tokens from 1, as in
        `vocabulary_`. `None`: learned in `fit`.
    max_length : int, default=None
        Maximum length of a sequence: longer texts are truncated after these tokens. The vocabulary
        is learned from whole texts.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        Token of each known word, from 1, in the order of the tokens. Learned words are sorted.

    See Also
    --------
    Sequences.from_tokens : Make sequences from existing tokens.

    Notes
    -----
    One text in, one sequence out. A word that is not in the vocabulary is token 0, a step of its
    own, so that the words around it keep their distance; only `stop_words` are dropped. A text
    without words is an empty sequence.

    ``set_output`` has no effect: the output is not a table.

    Examples
    --------
    >>> from sklstm import TokenSequencer
    >>> sequencer = TokenSequencer()
    >>> sequencer.fit_transform(["The cat sat", "The dog sat by the cat", "?"])
    Sequences: 3 independent sequences of 0 to 6 steps, 1 features (token), int32
    >>> sequencer.vocabulary_
    {'by': 1, 'cat': 2, 'dog': 3, 'sat': 4, 'the': 5}
    >>> seen = sequencer.transform(["The bird sat by the dog"])
    >>> seen[0][:, 0]
    array([5, 0, 4, 1, 5, 3], dtype=int32)
    >>> sequencer.inverse_transform(seen)
    [['the', '<unknown>', 'sat', 'by', 'the', 'dog']]

    Lists of words, such as the pages of a visit to a shop:

    >>> visits = [["home", "cart", "pay"], ["home", "help"]]
    >>> TokenSequencer(analyzer=list).fit(visits).vocabulary_
    {'cart': 1, 'help': 2, 'home': 3, 'pay': 4}
    """

    # raw_documents is the X of scikit-learn's text estimators, not metadata to route.
    __metadata_request__fit = {"raw_documents": metadata_routing.UNUSED}
    __metadata_request__transform = {"raw_documents": metadata_routing.UNUSED}

    _parameter_constraints: dict = {
        name: CountVectorizer._parameter_constraints[name]
        for name in (
            "lowercase",
            "preprocessor",
            "tokenizer",
            "stop_words",
            "token_pattern",
            "analyzer",
            "max_features",
            "min_df",
            "max_df",
            "vocabulary",
        )
    } | {"max_length": [Interval(Integral, 1, None, closed="left"), None]}

    def __init__(
        self,
        *,
        lowercase: bool = True,
        preprocessor: Callable | None = None,
        tokenizer: Callable | None = None,
        stop_words: str | list[str] | None = None,
        token_pattern: str | None = r"(?u)\b\w\w+\b",
        analyzer: str | Callable = "word",
        max_features: int | None = None,
        min_df: float = 1,
        max_df: float = 1.0,
        vocabulary: Mapping[str, int] | Iterable[str] | None = None,
        max_length: int | None = None,
    ):
        self.lowercase = lowercase
        self.preprocessor = preprocessor
        self.tokenizer = tokenizer
        self.stop_words = stop_words
        self.token_pattern = token_pattern
        self.analyzer = analyzer
        self.max_features = max_features
        self.min_df = min_df
        self.max_df = max_df
        self.vocabulary = vocabulary
        self.max_length = max_length

    @with_callbacks
    def fit(self, raw_documents: Iterable, y: Any = None) -> Self:
        """Learn the vocabulary.

        Fit it on the training texts only, for example in a Pipeline: words that occur only in other
        texts are then unknown in evaluation, as they will be in production.

        Parameters
        ----------
        raw_documents : iterable of str, length n_texts
            Texts: a list, a Series, an array.
        y : None
            Ignored.

        Returns
        -------
        TokenSequencer
            The fitted sequencer.

        Raises
        ------
        ValueError
            If a parameter is not valid, a text is missing, or there are no words.

        See Also
        --------
        embedding_weights : Pretrained word vectors for this vocabulary.

        Examples
        --------
        >>> from sklstm import TokenSequencer
        >>> texts = ["the cat sat", "the dog sat"]
        >>> TokenSequencer(min_df=2).fit(texts).vocabulary_
        {'sat': 1, 'the': 2}
        """
        self._fit(raw_documents, y)
        return self

    @with_callbacks
    def fit_transform(self, raw_documents: Iterable, y: Any = None) -> Sequences:
        """Learn the vocabulary, and turn each text into its tokens.

        The same as `fit` and `transform`, but it also takes texts that can be read only once, such
        as those of a generator.

        Parameters
        ----------
        raw_documents : iterable of str, length n_texts
            Texts: a list, a Series, an array.
        y : None
            Ignored.

        Returns
        -------
        Sequences
            One sequence for each text, in the same order.

        Raises
        ------
        ValueError
            If a parameter is not valid, a text is missing, or there are no words.

        See Also
        --------
        transform : Tokens of other texts.

        Examples
        --------
        >>> from sklstm import TokenSequencer
        >>> texts = (text for text in ["to be or not to be", "to see"])
        >>> TokenSequencer(max_length=3).fit_transform(texts).lengths
        array([3, 2], dtype=int32)
        """
        return self._number(self._fit(raw_documents, y), raw_documents)

    def transform(self, raw_documents: Iterable) -> Sequences:
        """Turn each text into its tokens.

        Words that are not in the vocabulary become token 0, and nothing is learned.

        Parameters
        ----------
        raw_documents : iterable of str, length n_texts
            Texts: a list, a Series, an array.

        Returns
        -------
        Sequences
            One sequence for each text, in the same order; empty for a text without words.

        Raises
        ------
        ValueError
            If a text is missing, or is no str; the message names its row.

        See Also
        --------
        inverse_transform : Show the words that the network reads.

        Examples
        --------
        >>> from sklstm import TokenSequencer
        >>> sequencer = TokenSequencer().fit(["cats sleep"])
        >>> sequencer.transform(["dogs sleep", ""])[0].ravel()
        array([0, 2], dtype=int32)
        """
        check_is_fitted(self)
        return self._number(self._read(raw_documents), raw_documents)

    def inverse_transform(self, X: Any) -> list[list[str]]:
        """Turn tokens back into words.

        To inspect what the network reads, or the tokens that a model predicts at each step. Unknown
        words, punctuation and words after `max_length` are not restored.

        Parameters
        ----------
        X : Sequences, or list of array-likes of int, shape (n_steps_i,)
            Sequences of tokens.

        Returns
        -------
        list of list of str
            The words of each sequence, ``"<unknown>"`` for token 0.

        Raises
        ------
        ValueError
            If a token is not in the vocabulary (the message names the sequence), or if X was made
            by another sequencer.

        See Also
        --------
        transform : Words to tokens.

        Examples
        --------
        >>> from sklstm import TokenSequencer
        >>> TokenSequencer().fit(["cats sleep"]).inverse_transform([[1, 2], [2, 0]])
        [['cats', 'sleep'], ['sleep', '<unknown>']]
        """
        check_is_fitted(self)
        if isinstance(X, Sequences):
            if X.vocabulary is not None and X.vocabulary != self.vocabulary_:
                raise ValueError(
                    "X holds tokens of another vocabulary: use the TokenSequencer that made them."
                )
            X = [sequence[:, 0] for sequence in X]
        words = [UNKNOWN, *self.vocabulary_]
        rows = [sequence[:, 0].tolist() for sequence in Sequences.from_tokens(X)]
        for row, tokens in enumerate(rows):
            if max(tokens, default=0) >= len(words):
                raise ValueError(
                    f"Sequence {row} holds the token {max(tokens)}, but the tokens of the "
                    f"vocabulary end with {len(words) - 1}: were they made by another sequencer?"
                )
        return [[words[token] for token in tokens] for tokens in rows]

    def embedding_weights(self, vectors: Any) -> WordVectors:
        """Align pretrained word vectors with the vocabulary.

        To inspect them, and to count the words without a vector, as below. The estimators do the
        same with the vocabulary of each fit if `vectors` is passed to them.

        Parameters
        ----------
        vectors : dict of str to array-like, DataFrame, str or path-like
            The vector of each word, shape (n_dimensions,); a DataFrame has the words in its
            index; a path is that of a text file in the format of GloVe or word2vec, a word and
            its numbers on each line, with gzip if its name ends in ``.gz``. Only the vectors of
            the vocabulary are kept in memory.

        Returns
        -------
        ndarray of float32, shape (n_words + 1, n_dimensions)
            Row ``i`` is the vector of token ``i``. The rows of token 0 and of words without a
            vector are zeros. The array keeps its vocabulary: estimators that get it refuse tokens
            of another one.

        Raises
        ------
        ValueError
            If no word of the vocabulary has a vector, vectors differ in length or are not finite,
            or a line of the file is not a word with its numbers; the message names it.
        TypeError
            If `vectors` is of another type.

        See Also
        --------
        LSTMClassifier : Takes `vectors`, or this array, as `embedding`;
            `freeze_embedding` keeps them fixed.

        Notes
        -----
        Words must match exactly, so `lowercase` and the splitting must suit the vectors. If a
        file has a word twice, its first vector is used; a DataFrame is refused. The
        ``KeyedVectors`` of gensim are ``pandas.DataFrame(keyed.vectors, keyed.index_to_key)``.

        Examples
        --------
        >>> from sklstm import TokenSequencer
        >>> sequencer = TokenSequencer().fit(["cat dog newt"])
        >>> weights = sequencer.embedding_weights({"cat": [1.0, 2.0], "dog": [3.0, 4.0]})
        >>> weights.tolist()
        [[0.0, 0.0], [1.0, 2.0], [3.0, 4.0], [0.0, 0.0]]

        Words with a vector, and words without:

        >>> int(weights.any(axis=1).sum())
        2
        >>> [word for word, token in sequencer.vocabulary_.items() if not weights[token].any()]
        ['newt']
        """
        check_is_fitted(self)
        return align_vectors(vectors, self.vocabulary_)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the one feature of a step; the words are in `vocabulary_`.

        A step has a single feature, its token.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of str, shape (1,)
            Always ``token``.

        See Also
        --------
        SequenceWindower.get_feature_names_out : Names of the columns of a table.

        Examples
        --------
        >>> from sklstm import TokenSequencer
        >>> TokenSequencer().fit(["cats sleep"]).get_feature_names_out()
        array(['token'], dtype=object)
        """
        check_is_fitted(self)
        return np.array(["token"], dtype=object)

    def _fit(self, raw_documents: Iterable, y: Any) -> list[Any]:
        """Fit, and return the texts as a list."""
        self._validate_params()
        context = self._init_callback_context()
        context.call_on_fit_task_begin(estimator=self, X=raw_documents, y=y)
        texts = self._read(raw_documents)
        params = self.get_params(deep=False) | {"vocabulary": words_in_order(self.vocabulary)}
        del params["max_length"]
        self._vectorizer = CountVectorizer(**params).fit(texts)
        position = self._vectorizer.vocabulary_
        words = sorted(position, key=position.get)
        self.vocabulary_ = {word: token for token, word in enumerate(words, start=1)}
        context.call_on_fit_task_end(estimator=self, X=raw_documents, y=y)
        return texts

    def _read(self, raw_documents: Iterable) -> list[Any]:
        any_type = callable(self.analyzer) or self.preprocessor is not None
        return list_texts(raw_documents, any_type=any_type)

    def _number(self, texts: list[Any], raw_documents: Iterable) -> Sequences:
        """Replace the words of each text by their tokens, unknown words by 0."""
        split = self._vectorizer.build_analyzer()
        token_of = self.vocabulary_.get
        rows = (
            [token_of(word, 0) for word in islice(split(text), self.max_length)] for text in texts
        )
        sequences = Sequences.from_tokens(rows, padding="keep", vocabulary=self.vocabulary_)
        if isinstance(raw_documents, pd.Series):
            sequences.index = raw_documents.index
        return sequences

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags

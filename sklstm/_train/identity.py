"""Descriptions of settings that are the same in every process, to find a training again."""

import copyreg
import functools
import json
import platform
import sys
import types
from collections.abc import Iterator
from hashlib import blake2b
from importlib import metadata
from typing import Any

import numpy as np
import torch

from sklstm._train.code_names import (
    NotDescribable,
    Parts,
    UsedModule,
    globals_of,
    is_installed,
    names_in,
    used,
)

__all__ = ["Describer"]

DIGEST_SIZE = 16
SIMPLE = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis), type(NotImplemented))
NAMED = (
    types.MemberDescriptorType,
    types.GetSetDescriptorType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
)
WITHOUT_EFFECT_IN_CLASS = {
    *("__dict__", "__weakref__", "__doc__", "__module__", "__qualname__", "__annotations__"),
    *("__annotate__", "__annotate_func__", "__annotations_cache__", "__slotnames__"),
    *("__firstlineno__", "__static_attributes__", "__classdictcell__", "_abc_impl"),
}
"""Attributes that Python adds to a class, some of them only when an instance is pickled."""

HEAP_TYPE = 1 << 9
"""Flag of classes that were made while Python ran."""


class Describer:
    """Writes settings as numbers and texts.

    Functions, classes and objects of the user are described by all of their parts: compiled code,
    defaults, closures, the state that a pickle would have, and the same of every object that they
    refer to. Those of an installed library are described by name and version.

    Parameters
    ----------
    strict : bool
        Whether to follow the globals that functions read, and to refuse what cannot be described.
        Otherwise such objects are described by name.

    Attributes
    ----------
    libraries : dict of str to str
        Versions of the libraries whose objects were described.
    """

    def __init__(self, *, strict: bool):
        self.strict = strict
        self.libraries: dict[str, str] = {}
        self._begin("")

    def describe(self, value: Any, name: str) -> Any:
        """Describe a setting.

        Parameters
        ----------
        value : object
            The value of a parameter.
        name : str
            The name of the parameter.

        Returns
        -------
        None, bool, int, float or str
            The value itself if it is simple, otherwise its name and a digest of its content.

        Raises
        ------
        ValueError
            If a part of it cannot be described and `strict`.
        """
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or type(value) in (bool, int, float, str):
            return value
        if isinstance(value, (list, tuple)) and all(type(x) in (int, float) for x in value):
            value = np.asarray(value)  # equal numbers in any container
        self._begin(name)
        try:
            return f"{_label(value)} {self._digest(value).hex()}"
        except RecursionError:
            if not self.strict:
                return _label(value)
            raise ValueError(
                f"checkpoint cannot describe {name}, which is nested too deeply: give arrays "
                "instead of lists in lists, or set checkpoint=None."
            ) from None

    def _begin(self, name: str) -> None:
        self._place = [name]
        self._open: dict[Any, int] = {}
        self._done: dict[Any, tuple[Any, bytes]] = {}
        self._lowest = sys.maxsize
        self._n_in_cycles = 0

    def _digest(self, value: Any) -> bytes:
        """Digest of an object and all its parts, each of which is visited once.

        An object in a reference cycle is described by its distance to the object that it refers
        back to, and later by a number: it has no content that would be the same elsewhere.
        """
        if type(value) in SIMPLE:
            return _hash(type(value).__name__, repr(value))
        key = (id(value.module), value.names) if isinstance(value, UsedModule) else id(value)
        if key in self._done:
            return self._done[key][1]
        if key in self._open:
            self._lowest = min(self._lowest, self._open[key])
            return _hash("up", len(self._open) - self._open[key])
        depth, lowest_before = len(self._open), self._lowest
        self._open[key], self._lowest = depth, sys.maxsize
        kind, parts = self._parts_or_name(value)
        digests = []
        for place, part in parts:
            self._place.append(place)
            digests.append(self._digest(part))
            self._place.pop()
        if isinstance(value, (set, frozenset)):
            digests.sort()
        digest = _hash(kind, [place for place, _ in parts], *digests)
        del self._open[key]
        in_cycle = self._lowest < depth
        if in_cycle:
            self._n_in_cycles += 1
        again = _hash("again", self._n_in_cycles) if in_cycle else digest
        self._done[key] = value, again  # a reference: ids of deleted objects are reused
        self._lowest = min(lowest_before, self._lowest if in_cycle else sys.maxsize)
        return digest

    def _parts_or_name(self, value: Any) -> tuple[str, Parts]:
        try:
            return self._parts(value)
        except NotDescribable as reason:
            if not self.strict:
                return _name_of(type(value)), []
            setting, *inside = self._place
            place = f"{setting}: {', '.join(inside)}" if inside else setting
            raise ValueError(
                "checkpoint finds a training by the content of its parameters and cannot describe "
                f"{reason} ({place}). Keep it out of there, make it where it is used, leave it out "
                "of the state by __getstate__, or set checkpoint=None."
            ) from None

    def _parts(self, value: Any) -> tuple[str, Parts]:
        """The kind of an object, and its parts."""
        match value:
            case np.ndarray() if type(value) in (np.ndarray, np.memmap):
                return _of_array(value)
            case np.generic():
                return f"number {value.dtype} {value.tobytes()!r}", []
            case torch.Tensor():
                return _of_tensor(value)
            case dict() | types.MappingProxyType() if type(value) in (dict, types.MappingProxyType):
                keys = [(f"key {k}", key) for k, key in enumerate(value)]
                return "dict", keys + [(f"[{_label(k)}]", x) for k, x in value.items()]
            case list() | tuple() if type(value) in (list, tuple):
                return type(value).__name__, [(f"[{k}]", x) for k, x in enumerate(value)]
            case set() | frozenset() if type(value) in (set, frozenset):
                return type(value).__name__, [("an element", x) for x in value]
            case types.FunctionType():
                return self._of_function(value)
            case types.CodeType():
                return _of_code(value)
            case types.MethodType():
                parts = [("__func__", value.__func__), ("__self__", value.__self__)]
                return "method", parts
            case types.BuiltinFunctionType() | types.MethodWrapperType():
                return self._of_builtin(value)
            case type():
                return self._of_class(value)
            case types.ModuleType() if is_installed(value.__name__):
                return self._named(value.__name__, value.__name__), []
            case types.ModuleType():
                return "module", UsedModule(value, None).parts()
            case UsedModule():
                return "module", value.parts()
            case property():
                return "property", [(k, getattr(value, k)) for k in ("fget", "fset", "fdel")]
            case staticmethod() | classmethod():
                return type(value).__name__, [("__func__", value.__func__)]
            case functools.cached_property():
                return "cached_property", [("func", value.func)]
            case functools._lru_cache_wrapper():
                return "lru_cache", [("__wrapped__", value.__wrapped__)]
            case _ if isinstance(value, NAMED):
                return f"descriptor {value.__name__}", [("__objclass__", value.__objclass__)]
        return self._of_state(value)

    def _of_function(self, function: types.FunctionType) -> tuple[str, Parts]:
        module = function.__globals__.get("__name__", "")
        ours = is_installed(module)
        if ours and is_installed(function.__module__ or "") and _is_found(function):
            return self._named(module, f"{function.__module__}.{function.__qualname__}"), []
        kind, code = "function", function.__code__
        parts: Parts = [("code", code), ("attributes", function.__dict__)]
        parts += [("defaults", function.__defaults__), ("defaults", function.__kwdefaults__)]
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                parts.append((f"enclosed {name}", used(cell.cell_contents, names_in(code))))
            except ValueError:  # not assigned yet
                parts.append((f"enclosed {name}", "empty"))
        if ours:
            kind = self._named(module, f"function of {module}")
        elif self.strict:
            parts += globals_of(function)
        return kind, parts

    def _of_builtin(self, function: Any) -> tuple[str, Parts]:
        owner = getattr(function, "__self__", None)
        if owner is None or isinstance(owner, types.ModuleType):
            module = function.__module__ or getattr(owner, "__name__", "builtins")
            return self._named(module, f"{module}.{function.__qualname__}"), []
        return f"method {function.__name__}", [("__self__", owner)]

    def _of_class(self, cls: type) -> tuple[str, Parts]:
        if is_installed(cls.__module__) and not _has_no_module(cls):
            return self._named(cls.__module__, _name_of(cls)), []
        inside = {k: x for k, x in vars(cls).items() if k not in WITHOUT_EFFECT_IN_CLASS}
        inside = {k: x for k, x in inside.items() if not isinstance(x, types.MemberDescriptorType)}
        parts: Parts = [("metaclass", type(cls)), ("bases", cls.__bases__)]
        return "class", parts + [(f"attribute {k}", inside[k]) for k in sorted(inside)]

    def _of_state(self, value: Any) -> tuple[str, Parts]:
        """What a pickle would have, which the author of the class has said if it is not all."""
        of_library = is_installed(type(value).__module__)
        reduce = copyreg.dispatch_table.get(type(value))
        try:
            if of_library and isinstance(value, Iterator):
                raise TypeError("what it gave is gone")
            reduced = reduce(value) if reduce else value.__reduce_ex__(4)
        except Exception as error:
            raise NotDescribable(f"an object of {_name_of(type(value))}") from error
        if isinstance(value, np.ufunc) and not _is_in_a_module(value):
            raise NotDescribable("a function of np.frompyfunc")
        if isinstance(reduced, str):
            module = getattr(value, "__module__", None) or type(value).__module__
            inside = {} if is_installed(module) else getattr(value, "__dict__", {})
            return self._named(module, f"{module}.{reduced}"), list(inside.items())
        make, args, state, items, pairs = (*reduced, None, None, None, None)[:5]
        parts: Parts = [("made by", make)]
        parts += [("made of", x) for x in args or ()]
        states = state if isinstance(state, tuple) and len(state) == 2 else [state]
        for some in states:  # attributes, and those in slots
            if isinstance(some, dict) and all(isinstance(name, str) for name in some):
                parts += [(f"attribute {k}", x) for k, x in some.items()]
            else:
                parts.append(("state", some))
        parts += [("an item", x) for x in items or ()]
        parts += [(f"[{_label(pair[0])}]", pair) for pair in pairs or ()]
        return "object", parts

    def _named(self, module: str, name: str) -> str:
        """Name of an object of a library, whose version is recorded."""
        if is_installed(module):
            self.libraries.update(_version(module.partition(".")[0]))
        return name


def _hash(*parts: Any) -> bytes:
    made = blake2b(digest_size=DIGEST_SIZE)
    for part in parts:
        content = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
        made.update(len(content).to_bytes(8, "little") + content)
    return made.digest()


def _label(value: Any) -> str:
    """A short name for readers."""
    if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
        return _name_of(value)
    if isinstance(value, types.MethodType):
        return _name_of(value.__func__)
    if isinstance(value, functools.partial):
        return f"partial({_label(value.func)})"
    try:
        return json.dumps(value)[:100]
    except (TypeError, ValueError):
        return _name_of(type(value))


def _name_of(value: Any) -> str:
    module, name = value.__module__, value.__qualname__
    return name if module in (None, "builtins", "__main__", "__mp_main__") else f"{module}.{name}"


def _of_code(code: types.CodeType) -> tuple[str, Parts]:
    """Compiled code, independent of its file, lines and formatting."""
    counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
    names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    kind = f"code {counts} {names} {code.co_code!r} {code.co_exceptiontable!r}"
    return kind, [("constants", x) for x in code.co_consts]


def _of_array(array: np.ndarray) -> tuple[str, Parts]:
    kind = f"array {array.dtype!r} {array.shape}"
    if array.dtype.hasobject:
        return kind, [("an element", x) for x in array.ravel().tolist()]
    return f"{kind} {_hash(array.tobytes()).hex()}", []


def _of_tensor(tensor: torch.Tensor) -> tuple[str, Parts]:
    kind = f"tensor {tensor.dtype} {tuple(tensor.shape)} {tensor.requires_grad}"
    try:
        dense = tensor.detach().to_dense() if tensor.layout != torch.strided else tensor.detach()
        content = dense.cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    except (RuntimeError, NotImplementedError) as error:
        raise NotDescribable(f"a tensor of {tensor.layout} on {tensor.device}") from error
    return f"{kind} {_hash(content.tobytes()).hex()}", []


def _is_found(value: Any) -> bool:
    """Whether its name leads to it."""
    found: Any = sys.modules.get(value.__module__)
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is value


def _is_in_a_module(function: np.ufunc) -> bool:
    """Whether its name leads to it, in any module, as those of NumPy and SciPy do."""
    modules = [getattr(module, "__dict__", {}) for module in list(sys.modules.values())]
    return any(inside.get(function.__name__) is function for inside in modules)


def _has_no_module(cls: type) -> bool:
    """Whether a class was made without a module name: Python then gives it that of builtins."""
    return cls.__module__ == "builtins" and bool(cls.__flags__ & HEAP_TYPE) and not _is_found(cls)


@functools.cache
def _version(top: str) -> dict[str, str]:
    """Version of a library by its name, without the build, which depends on the machine."""
    if top in sys.stdlib_module_names:
        return {"python": platform.python_version()}
    version = getattr(sys.modules.get(top), "__version__", None)
    if version is None:
        names = metadata.packages_distributions().get(top, [])
        version = " ".join(metadata.version(name) for name in names)
    return {top: str(version).partition("+")[0]}

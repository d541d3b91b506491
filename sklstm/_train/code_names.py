"""What the code of a user reads: globals, modules, and names in them."""

import dis
import functools
import importlib
import sys
import sysconfig
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    *("NotDescribable", "Parts", "UsedModule"),
    *("globals_of", "is_installed", "names_in", "used"),
]

READ_BY_NAME = {"eval", "exec", "globals", "__import__", "open"}
"""Builtins by which a function may read globals that its code does not name, or files."""

READ_BY_NAME_OF = {
    ("importlib", "import_module"),
    *(("os", name) for name in ("environ", "getenv")),
    *(("sys", name) for name in ("argv", "modules")),
    ("pathlib", "Path"),
    *(("numpy", name) for name in ("fromfile", "genfromtxt", "load", "loadtxt", "memmap")),
    *(("pandas", name) for name in ("read_csv", "read_parquet", "read_pickle")),
    *((library, "load") for library in ("joblib", "torch")),
}
"""What does so in modules of Python, and the usual readers of files."""

Parts = list[tuple[str, Any]]
"""The parts of an object, each with its place."""


@dataclass(frozen=True)
class UsedModule:
    """A module of the user, and the names that code reads of it; None: all."""

    module: types.ModuleType
    names: frozenset[str] | None

    def parts(self) -> Parts:
        """The objects with these names."""
        inside = vars(self.module)
        names = [name for name in inside if not name.startswith("__")]
        if self.names is not None and "__getattr__" not in inside:
            names = [name for name in names if name in self.names]
        names += ["__getattr__"] if "__getattr__" in inside else []
        return [(name, used(inside[name], self.names)) for name in sorted(names)]


class NotDescribable(Exception):  # noqa: N818 - becomes an error with the place, or a name
    """Raised for an object that has no content to compare."""


def used(value: Any, names: frozenset[str] | None) -> Any:
    """A value as code of the user reads it: only some names of a module of the user."""
    if isinstance(value, types.ModuleType) and not is_installed(value.__name__):
        return UsedModule(value, names)
    return value


def globals_of(function: types.FunctionType) -> Parts:
    """Globals that a function reads from its module, and from modules that it imports itself."""
    code, inside = function.__code__, function.__globals__
    parts: Parts = []
    for instruction, level, attribute in _reading(code):
        name = instruction.argval
        names = None if attribute is None else names_in(code)  # None: the module goes anywhere
        if instruction.opname == "IMPORT_NAME":
            package = inside.get("__package__") if level else None
            tops = [] if level else [name.partition(".")[0]]  # the name that `import a.b` binds
            for imported in ["." * level + name, *tops]:
                parts.append((f"imported {imported}", used(_imported(imported, package), names)))
        elif name in inside:
            reached = _reached(inside[name], attribute)
            if reached in READ_BY_NAME_OF:
                raise NotDescribable(f"what {function.__qualname__} reads by {'.'.join(reached)}")
            parts.append((f"global {name}", used(inside[name], names)))
        elif name in READ_BY_NAME:
            raise NotDescribable(f"what {function.__qualname__} reads by {name}()")
    return sorted({place: (place, part) for place, part in parts}.values(), key=lambda x: x[0])


def _reached(value: Any, attribute: str | None) -> tuple[str, str]:
    """Module and name of a global, or of the attribute that is read of a module."""
    name = str(getattr(value, "__name__", ""))
    if isinstance(value, types.ModuleType):
        return name, attribute or ""
    return str(getattr(value, "__module__", "")).partition(".")[0], name


def _imported(name: str, package: str | None) -> types.ModuleType | None:
    try:
        return importlib.import_module(name, package)
    except ImportError:  # code may run without it
        return None


def _reading(code: types.CodeType) -> Iterator[tuple[dis.Instruction, int, str | None]]:
    """Instructions that read globals or import, also in nested code.

    With the level of an import, and the name of the attribute that is read of a global at once.
    """
    instructions = [x for x in dis.get_instructions(code) if x.opname != "EXTENDED_ARG"]
    for k, instruction in enumerate(instructions):
        if instruction.opname == "IMPORT_NAME":
            yield instruction, instructions[k - 2].argval, ""
        elif instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"):
            then = instructions[k + 1]
            of_module = then.opname in ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR")
            yield instruction, 0, then.argval if of_module else None
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _reading(constant)


def names_in(code: types.CodeType) -> frozenset[str]:
    """Names of globals and attributes, and texts by which `getattr` may find them."""
    texts = {x for x in code.co_consts if isinstance(x, str)}
    nested = [names_in(x) for x in code.co_consts if isinstance(x, types.CodeType)]
    return frozenset(code.co_names).union(texts, *nested)


@functools.cache
def is_installed(name: str) -> bool:
    """Whether a module belongs to Python or an installed library, which its version describes."""
    top = name.partition(".")[0]
    if top in ("__main__", "__mp_main__"):
        return False
    if top == "sklstm" or name in sys.builtin_module_names:
        return True
    module = sys.modules.get(name) or sys.modules.get(top)
    origin = getattr(getattr(module, "__spec__", None), "origin", None)
    file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", [])), None)
    if file is None:
        return origin in ("built-in", "frozen")
    path = Path(file)
    library = {Path(sysconfig.get_path(kind)) for kind in ("stdlib", "platstdlib")}
    in_packages = {"site-packages", "dist-packages"} & set(path.parts)
    return bool(in_packages or library & set(path.parents))

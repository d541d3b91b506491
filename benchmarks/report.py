"""The folder of results, the description of the machine, and Markdown tables."""

import datetime
import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def machine(device="cpu"):
    """Describe the machine, versions and date in one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [f"{_processor()}, {cores} cores", f"torch {version('torch')}"]
    if device == "cuda" and shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        gpu = subprocess.run(query, capture_output=True, text=True, check=True).stdout
        parts.insert(1, f"{gpu.splitlines()[0].replace(', ', ' (driver ')})")
    return "; ".join([*parts, f"Python {platform.python_version()}", f"{datetime.date.today()}"])


def _processor():
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", info.read_text()) if info.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def markdown(rows):
    """Format a list of dicts of texts as a table; all columns but the first are right-aligned."""
    names = list(rows[0])
    cells = [names, *([row[name] for name in names] for row in rows)]
    widths = [max(3, *(len(line[j]) for line in cells)) for j in range(len(names))]

    def lay_out(line):
        texts = [line[0].ljust(widths[0])]
        texts += [text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True)]
        return f"| {' | '.join(texts)} |"

    separator = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([lay_out(names), lay_out(separator), *map(lay_out, cells[1:])])

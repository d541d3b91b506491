"""A separate process for each system, which imports its library once, and no other one."""

import contextlib
import gc
import multiprocessing
import os
import re
import time
from pathlib import Path

import numpy as np
from systems import load

N_FEATURES = 8
SHORT = 1.0  # seconds: quicker predictions are repeated
THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


class Failure(Exception):  # noqa: N818 - a report, not an error of ours
    """One line with the reason why a system has no figures."""


class Worker:
    """A system in its own process, which computes only during `ask`.

    Parameters
    ----------
    name : str
        The system.
    device : {"cpu", "cuda"}
        Where it computes.
    threads : int
        Threads it may use on the CPU.

    Raises
    ------
    Failure
        If its library cannot be imported.
    """

    def __init__(self, name, device, threads):
        os.environ.update(dict.fromkeys(THREADS, str(threads)))
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, name, device), daemon=True)
        self.process.start()
        theirs.close()
        try:
            self._receive()
        except Failure:
            self.stop()
            raise

    def ask(self, task, size):
        """Run a method of `Bench` by its name, and return its figures, a dict."""
        with contextlib.suppress(BrokenPipeError):  # it has ended: _receive raises the reason
            self.connection.send((task, size))
        return self._receive()

    def stop(self):
        """End the process."""
        self.connection.close()
        self.process.join()

    def _receive(self):
        try:
            reply = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            raise Failure(f"the process ended with code {self.process.exitcode}") from None
        if isinstance(reply, Failure):
            raise reply
        return reply


def _serve(connection, name, device):
    """Run tasks until the connection is closed; output of the library is discarded."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    try:
        bench = Bench(load(name), device)
    except ImportError as error:
        connection.send(Failure(f"not installed: {error}"))
        return
    connection.send("ready")
    with contextlib.suppress(EOFError):
        while True:
            task, size = connection.recv()
            try:
                reply = getattr(bench, task)(size)
            except Exception as error:  # the other systems continue after any error
                first_line = next(iter(str(error).splitlines()), "")
                reply = Failure(f"{type(error).__name__}: {first_line}")
            connection.send(reply)


class Bench:
    """The tasks of a worker.

    Parameters
    ----------
    system : type
        The system's class.
    device : {"cpu", "cuda"}
        Where it computes.
    """

    def __init__(self, system, device):
        self.system = system
        self.device = device
        self.size = None

    def time(self, size):
        """Time a fit and a prediction; the table is prepared at the first call of a size."""
        if size != self.size:
            self.table, self.size = make_table(size.rows), size
            self.ready = self.system(size, self.device)
            self.ready.prepare(self.table)
        gc.collect()
        clock = CudaClock() if self.device == "cuda" else Clock()
        cpu_begin = time.process_time()
        fit = clock.seconds(self.ready.fit)
        cpu = time.process_time() - cpu_begin
        predict = [clock.seconds(self._predict)]
        while sum(predict) < SHORT:
            predict.append(clock.seconds(self._predict))
        error = np.sqrt(np.mean((self.outputs - self.table[size.window :, 0]) ** 2))
        return {
            "fit_s": fit,
            "predict_s": float(np.median(predict)),
            "error": float(error),
            "fit_cores": cpu / fit,
            "gpu_mb": clock.peak_mb(),
        }

    def peak_memory(self, size):
        """Peak resident memory of preparation, fit and prediction, above that of a tiny warm-up."""
        self.time(size._replace(window=8, hidden=8, batch=32, rows=200, epochs=1))
        table = make_table(size.rows)
        gc.collect()
        before = _memory_mb("VmRSS")
        _forget_peak()
        self.ready = self.system(size, self.device)
        self.ready.prepare(table)
        self.ready.fit()
        self.ready.predict()
        return {"memory_mb": _memory_mb("VmHWM") - before}

    def _predict(self):
        self.outputs = self.ready.predict()


class Clock:
    """Wall time."""

    def seconds(self, call):
        """Time a call."""
        begin = time.perf_counter()
        call()
        return time.perf_counter() - begin

    def peak_mb(self):
        """Peak memory of the device: not measured on the CPU."""
        return


class CudaClock:
    """Time between two events on an idle GPU, and the memory that torch allocated there."""

    def __init__(self):
        import torch

        self.cuda = torch.cuda
        self.cuda.init()
        self.cuda.reset_peak_memory_stats()

    def seconds(self, call):
        """Time a call until the GPU is done with it."""
        begin, end = (self.cuda.Event(enable_timing=True) for _ in range(2))
        self.cuda.synchronize()
        begin.record()
        call()
        end.record()
        self.cuda.synchronize()
        return begin.elapsed_time(end) / 1000

    def peak_mb(self):
        """Most memory allocated at once."""
        return self.cuda.max_memory_allocated() / 2**20


def make_table(n_rows):
    """Waves in noise, each column standardised; column 0 follows column 1 a row later."""
    rng = np.random.default_rng(0)
    phase = 2 * np.pi * np.arange(n_rows)[:, None] / np.linspace(12, 60, N_FEATURES)
    table = np.sin(phase) + 0.5 * rng.standard_normal(phase.shape)
    table[1:, 0] += table[:-1, 1]
    return ((table - table.mean(axis=0)) / table.std(axis=0)).astype(np.float32)


def _memory_mb(name):
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{name}:\s*(\d+) kB", status)[1]) / 1024


def _forget_peak():
    """Reset the peak of resident memory (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")

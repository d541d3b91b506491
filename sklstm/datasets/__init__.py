"""Example data, and readers and writers of MATLAB files."""

from sklstm.datasets._mat_load import load_mat
from sklstm.datasets._mat_save import save_mat
from sklstm.datasets._weather import load_weather

__all__ = ["load_mat", "load_weather", "save_mat"]

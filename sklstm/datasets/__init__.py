"""Example data, and readers and writers of MATLAB files."""

from sklstm.datasets._mat import load_mat, save_mat
from sklstm.datasets._weather import load_weather

__all__ = ["load_mat", "load_weather", "save_mat"]

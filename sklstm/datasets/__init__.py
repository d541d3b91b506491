"""Data to try things with."""

from sklstm.datasets._weather import load_weather

__all__ = ["load_weather"]

"""GLAND: instruction-tuning datasets, built incrementally from a declared taxonomy of knowledge."""

__version__ = "0.1.0"

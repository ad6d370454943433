"""Sluice's model server: scikit-learn models saved as skops behind the Open Inference Protocol V2 (REST)."""

__version__ = "0.1.0"

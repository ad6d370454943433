"""Predictions without scikit-learn's overhead per call, where they are bit for bit scikit-learn's own."""

from sluice_model_server.compiled.choose import Compiled, compile_model

__all__ = ["Compiled", "compile_model"]

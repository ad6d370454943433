"""Sluice's model server: scikit-learn models saved as skops behind the Open Inference Protocol V2 (REST).

`pack` makes a folder of a fitted estimator that this server serves.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["pack"]

if TYPE_CHECKING:
    from sluice_model_server.packing import pack


def __getattr__(name: str) -> Any:
    # On demand: the init container imports this package too and needs neither numpy nor scikit-learn.
    if name == "pack":
        from sluice_model_server.packing import pack  # noqa: PLC0415

        return pack
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

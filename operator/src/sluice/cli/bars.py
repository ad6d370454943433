"""How is a share drawn?"""

from typing import Final

WIDTH: Final = 20
"""Characters of a full bar."""


def bar(share: float, width: int = WIDTH) -> str:
    """0.5 -> half of a bar. A share above 0 is never drawn as nothing, one below 1 never as all."""
    full = round(min(max(share, 0.0), 1.0) * width)
    if share > 0:
        full = max(full, 1)
    if share < 1:
        full = min(full, width - 1)
    return "█" * full + "·" * (width - full)

"""What a check of a part of a model file raises."""


class Refusal(Exception):
    """What is wrong with one part of a model."""


def demand(holds: bool, otherwise: str) -> None:
    """Raises Refusal with that text unless it holds."""
    if not holds:
        raise Refusal(otherwise)

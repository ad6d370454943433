"""The state of a rollout's evidence as one string, from which a restarted operator goes on.

What a judge knows is a function of the samples that it has read, and which those are is part of its state: the newest
one of each series, and up to when each metric was read. So a judge that goes on from a checkpoint counts each sample
once, as the one that took the checkpoint would have done, and comes to the same numbers, to the last bit.

A checkpoint is worth nothing to anybody but the same code with the same question: it says what it was made with (its
`basis`), and where that is not what is asked now it is not used. The history is then read from the rollout's start.

On the wire: `1.` (the format), and in base64 16 bytes of sha256 and what they are the sha256 of: a zlib stream of the
length of a JSON document (4 bytes), the document (basis, words, names and shapes of the arrays) and the arrays,
float64. All their first bytes come first, then all their second ones: exponents are alike, so that compresses better.
Numbers are little-endian.
"""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from math import prod
from typing import Final

import numpy as np

from sluice.api.status import CHECKPOINT_LIMIT
from sluice.core.analysis.judge import Judge
from sluice.core.analysis.questions import Subject
from sluice.core.analysis.saved import Saved
from sluice.core.revision import digest

_FORMAT: Final = "1."
_SUM: Final = 16
"""Bytes of the checksum."""
_LENGTH: Final = 4
_INFLATED: Final = 4_000_000
"""Most bytes of the stream: nothing that fits into CHECKPOINT_LIMIT is as large, unless somebody made it so."""

Basis = Mapping[str, str]
"""What evidence is made with, by what people call it."""


class NotUsable(Exception):
    """The evidence cannot go on from this checkpoint. The message says why."""


class TooLarge(Exception):
    """The checkpoint of this rollout has more than CHECKPOINT_LIMIT characters. The message says how many."""


def taken(judge: Judge, engine: str) -> str | None:
    """The checkpoint of a rollout; None while its history is still being read. engine: version of the code.

    Raises TooLarge; TypeError where a state cannot be saved.
    """
    saved = judge.save()
    if saved is None:
        return None
    text = encoded(saved, basis_of(judge.subject, engine))
    if len(text) > CHECKPOINT_LIMIT:
        raise TooLarge(f"it has {len(text)} characters, at most {CHECKPOINT_LIMIT} fit")
    return text


def resumed(subject: Subject, joined: float, checkpoint: str, engine: str) -> Judge:
    """A judge that goes on from a checkpoint. joined: see Judge. Raises NotUsable."""
    saved, basis = decoded(checkpoint)
    wanted = basis_of(subject, engine)
    if other := [name for name in wanted if basis.get(name) != wanted[name]]:
        raise NotUsable(f"it was taken with another {', another '.join(other)}")
    judge = Judge(subject, joined)
    try:
        judge.restore(saved)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise NotUsable(f"its contents do not fit: {error!r}") from error
    return judge


def basis_of(subject: Subject, engine: str) -> Basis:
    """What the evidence on this rollout is made with."""
    presets = (subject.preset, subject.baseline_preset)
    return {
        "engine": engine,
        "object": f"{subject.namespace}/{subject.name}",
        "revision": subject.candidate,
        "stable": subject.stable or "",
        "start": subject.started_at.isoformat(),
        "set of checks": digest([check.model_dump(mode="json") for check in subject.checks]),
        "runtime table": digest([preset.model_dump(mode="json") for preset in presets]),
        "falseRollback": repr(subject.alpha),
        "largest weight": repr(subject.largest_share),
    }


def encoded(saved: Saved, basis: Basis) -> str:
    """The wire format, see above."""
    shapes = {name: array.shape for name, array in saved.numbers.items()}
    document = json.dumps([dict(basis), saved.words, shapes], separators=(",", ":")).encode()
    numbers = np.concatenate([np.empty(0), *(array.ravel() for array in saved.numbers.values())]).astype("<f8")
    planes = numbers.view(np.uint8).reshape(-1, 8).T.tobytes()
    stream = zlib.compress(len(document).to_bytes(_LENGTH, "little") + document + planes, 9)
    return _FORMAT + b64encode(_sum(stream) + stream).decode()


def decoded(text: str) -> tuple[Saved, Basis]:
    """The contents again. Raises NotUsable."""
    if not text.startswith(_FORMAT):
        raise NotUsable("it is of another format")
    try:
        packed = b64decode(text.removeprefix(_FORMAT), validate=True)
        if packed[:_SUM] != _sum(packed[_SUM:]):
            raise NotUsable("its checksum is wrong")
        body = zlib.decompressobj().decompress(packed[_SUM:], _INFLATED)
        begin = _LENGTH + int.from_bytes(body[:_LENGTH], "little")
        basis, words, shapes = json.loads(body[_LENGTH:begin])
        planes = np.frombuffer(body[begin:], np.uint8).reshape(8, -1)
        numbers = np.ascontiguousarray(planes.T).view("<f8").ravel().astype(np.float64)
        cuts = np.cumsum([prod(shape) for shape in shapes.values()], dtype=int)[:-1]
        parts = zip(shapes.items(), np.split(numbers, cuts), strict=True)
        saved = Saved({name: part.reshape(shape) for (name, shape), part in parts})
        saved.words.update({name: tuple(some) for name, some in words.items()})
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
        raise NotUsable(f"it cannot be read: {error!r}") from error
    return saved, basis


def _sum(stream: bytes) -> bytes:
    return sha256(stream).digest()[:_SUM]

"""Would the server serve this folder?"""

from functools import partial
from pathlib import Path
from typing import Final

from sluice_model_server.errors import DigestMismatch
from sluice_model_server.formats import loader, memory_of
from sluice_model_server.isolation import check_in_child
from sluice_model_server.load import load_model
from sluice_model_server.manifest import check_digest, read_manifest

SECONDS: Final = 120
MAX_BYTES: Final = 2 << 30


def verify(folder: Path, digest: str | None = None) -> str:
    """Checks every byte, loads the model in a child process and lets it answer its probe; returns the digest.

    digest: what it must be. Raises a ModelServerError that says what is wrong.
    """
    manifest, found = read_manifest(folder)
    if digest is not None and check_digest(digest) != found:
        raise DigestMismatch(str(folder), digest, found)
    loader(manifest)
    load = partial(load_model, folder, max_bytes=MAX_BYTES)
    check_in_child(load, str(folder), seconds=SECONDS, memory=memory_of(folder, manifest))
    return found

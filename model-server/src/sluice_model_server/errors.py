"""Everything the model server raises on purpose.

ModelServerError
├── ManifestError        manifest.json is not what it must be
├── FetchError           an address does not give what was asked for
│   ├── DigestMismatch   ... or gives other bytes
│   └── Interrupted      ... or breaks off in the middle
├── UnsupportedFormat    pickle, joblib or an unknown format
├── UntrustedModel       the file holds types or structures that are not admitted
├── DataError            the data that a model is packed with does not fit it
├── PushError            a packed model cannot be written to its target
├── ModelBroken          the model cannot be loaded, crashes, or does not answer its probe
└── RequestError         the client's request cannot be served; carries the HTTP status
"""


class ModelServerError(Exception):
    """Its text is one line for a person: what is wrong with which thing, and what to do."""


class ManifestError(ModelServerError):
    """manifest.json is missing, too large, no JSON, or says something impossible."""


class FetchError(ModelServerError):
    """An address could not be read. Names the address."""


class DigestMismatch(FetchError):
    """Bytes came, but other ones than promised. Names the address, the expected and the actual digest."""

    def __init__(self, where: str, expected: str, actual: str) -> None:
        super().__init__(f"{where}: digest mismatch: expected {expected}, got {actual}")


class Interrupted(FetchError):
    """An answer broke off in the middle; another attempt may succeed."""


class UnsupportedFormat(ModelServerError):
    """The model is in a format this server refuses, with the way to a supported one."""


class UntrustedModel(ModelServerError):
    """The skops file holds a type outside the reviewed list or a tree that points outside itself."""


class ModelBroken(ModelServerError):
    """The model does not load or does not answer its probe row."""


class DataError(ModelServerError):
    """A table lacks a column, has no rows, or holds what no request can carry. Names the column."""


class PushError(ModelServerError):
    """The target cannot be written, or holds another model already. Names it."""


class RequestError(ModelServerError):
    """A request that cannot be served; `status` is the HTTP status (4xx, 503 while not ready, 504)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

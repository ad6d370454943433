"""What does profile.json say of the data that a model was packed with?

Everything in it is a sum over many rows, a bound or a name: no row of the data is kept.
"""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from sluice_model_server.errors import ManifestError
from sluice_model_server.manifest import Datatype, Manifest, first_error

PROFILE_FILE: Final = "profile.json"
MAX_PROFILE_BYTES: Final = 32 << 20
OTHER: Final = "__other__"
"""Label of all values that have no series of their own."""
MISSING: Final = "__missing__"

Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # a newer packer's profile still serves


class Numeric(_Part):
    """Numbers in bins.

    bounds: rising upper ends; a value equal to a bound lies below it, as in a Prometheus bucket (`le`).
    counts: one more than bounds: values in (-inf, b0], (b0, b1], ..., (bn, inf).
    minimum, maximum: of the finite values; what lies outside is counted as out of range. None without any value.
    """

    bounds: tuple[FiniteFloat, ...]
    counts: tuple[Count, ...]
    minimum: FiniteFloat | None = None
    maximum: FiniteFloat | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "Numeric":
        if list(self.bounds) != sorted(set(self.bounds)):
            raise ValueError("bounds must rise")
        if len(self.counts) != len(self.bounds) + 1:
            raise ValueError(f"{len(self.counts)} counts for {len(self.bounds)} bounds; there must be one more")
        return self


class Categorical(_Part):
    """Text values.

    counts: of the values that have a series of their own, most frequent first.
    other: rows of all other values. rare: these values, as far as they are known by name.
    complete: whether every value of the data stands in counts or rare; only then unseen ones can be told.
    """

    counts: dict[str, Count]
    other: Count = 0
    rare: tuple[str, ...] = ()
    complete: bool = True


class Feature(_Part):
    """One input column. missing: rows without a value. Exactly one of numeric and categorical."""

    name: str
    datatype: Datatype
    missing: Count
    numeric: Numeric | None = None
    categorical: Categorical | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "Feature":
        if (self.numeric is None) == (self.categorical is None):
            raise ValueError("must have one of numeric and categorical")
        return self


class Answers(_Part):
    """What the model answers to the data.

    score: a number for each row in bins; `score_of` says which: the probability of the second of two classes, of the
    answered class among more, or the number that a regression predicts. None for labels without probability.
    classes: rows for each class, as text; None for a regression.
    """

    score_of: str | None = None
    score: Numeric | None = None
    classes: dict[str, Count] | None = None


class Slice(_Part):
    """A column by which requests and baselines are told apart.

    live: whether the server can count it, that is, whether the column is an input.
    values: names of the slices. Exactly one of these says what lies in them: numbers (equal to), bounds (intervals, one
    fewer than values), or neither (text).
    """

    column: str
    live: bool
    values: Annotated[tuple[str, ...], Field(max_length=64)]
    numbers: tuple[FiniteFloat, ...] | None = None
    bounds: tuple[FiniteFloat, ...] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "Slice":
        if self.numbers is not None and (self.bounds is not None or len(self.numbers) != len(self.values)):
            raise ValueError("numbers must be as many as values, and bounds absent")
        if self.bounds is not None and len(self.bounds) + 1 != len(self.values):
            raise ValueError("bounds must be one fewer than values")
        return self


class SliceBaseline(_Part):
    """metrics: empty for slices of too few rows, which would say more about these rows than about the model."""

    column: str
    value: str
    rows: Count
    metrics: dict[str, FiniteFloat]


class Baselines(_Part):
    """How good the model was when it was packed. source: the data it was packed with, or data kept apart."""

    source: Literal["data", "evaluation"]
    rows: Count
    overall: dict[str, FiniteFloat]
    slices: tuple[SliceBaseline, ...] = ()


class Probe(_Part):
    """Rows made of quantiles and frequent values, and what the packed model answered to them."""

    rows: Annotated[tuple[tuple[float | int | str | None, ...], ...], Field(min_length=1, max_length=64)]
    label: tuple[bool | int | float | str, ...]
    probability: tuple[tuple[FiniteFloat, ...], ...] | None = None


class Profile(_Part):
    """profile.json. features: in the order of the model's columns. rows: of the data."""

    format: Literal[1] = 1
    rows: Count
    label: str | None = None
    features: tuple[Feature, ...]
    answers: Answers
    slices: Annotated[tuple[Slice, ...], Field(max_length=8)] = ()
    baselines: Baselines | None = None
    probe: Probe
    libraries: dict[str, str] = {}


def profile_text(profile: Profile) -> bytes:
    """The bytes of profile.json; equal profiles, equal bytes."""
    return (profile.model_dump_json(indent=1, exclude_none=True) + "\n").encode()


def read_profile(directory: Path, manifest: Manifest) -> Profile | None:
    """The profile of a fetched model, None when its manifest lists none. Raises ManifestError."""
    if all(file.path != PROFILE_FILE for file in manifest.files):
        return None
    path = directory / PROFILE_FILE
    if path.stat().st_size > MAX_PROFILE_BYTES:
        raise ManifestError(f"{path}: larger than {MAX_PROFILE_BYTES} bytes")
    try:
        return Profile.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ManifestError(f"{path}: {first_error(error.errors()[0])}; pack the model again") from error

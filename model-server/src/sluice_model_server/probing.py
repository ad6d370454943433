"""Does the model answer its probe as it did when it was packed?"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from sluice_model_server.errors import ManifestError, ModelBroken
from sluice_model_server.manifest import Column
from sluice_model_server.predictor import Prediction
from sluice_model_server.profile import PROFILE_FILE, Profile

RELATIVE: Final = 1e-5
"""Other processors and releases of numpy add in another order: 1e-12; another release of scikit-learn that computes
something else differs by far more than this."""
ABSOLUTE: Final = 1e-8


def check_profile(
    profile: Profile,
    columns: Sequence[Column],
    answer: Prediction,
    *,
    relative: float = RELATIVE,
    absolute: float = ABSOLUTE,
) -> None:
    """Raises ManifestError when the profile is of other columns, ModelBroken when the answers differ.

    answer: to the probe rows. relative, absolute: how far its numbers may lie from the packed ones.
    """
    names = [column.name for column in columns]
    if [feature.name for feature in profile.features] != names:
        raise ManifestError(f"{PROFILE_FILE}: features: are not the model's columns; pack the model again")
    for part in profile.slices:
        if part.live and part.column not in names:
            raise ManifestError(
                f"{PROFILE_FILE}: slices: {part.column} is no column of the model; pack the model again"
            )
    probe = profile.probe
    if probe.probability is not None and answer.probability is not None:
        packed, now = np.array(probe.probability), answer.probability
    else:
        packed, now = np.array(probe.label), answer.label
    if packed.shape != now.shape:
        raise ManifestError(f"{PROFILE_FILE}: probe: has not one answer for each probe row; pack the model again")
    same = np.isclose(packed, now, rtol=relative, atol=absolute) if now.dtype.kind == "f" else packed == now
    if not same.all():
        row = int(np.argwhere(~same)[0][0])
        packed_with = ", ".join(f"{name} {version}" for name, version in profile.libraries.items())
        raise ModelBroken(
            f"the model answers probe row {row} otherwise than when it was packed (with {packed_with}); "
            "serve it with the same libraries or pack it again"
        )

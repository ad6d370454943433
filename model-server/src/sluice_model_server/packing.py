"""How does a fitted estimator become a folder with a digest?"""

import hashlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sluice_model_server.errors import DataError, ManifestError, UnsupportedFormat
from sluice_model_server.manifest import (
    MANIFEST_FILE,
    PICKLE_ADVICE,
    PICKLE_SUFFIXES,
    Column,
    digest_of,
    parse_manifest,
)

if TYPE_CHECKING:
    from sluice_model_server.predictor import Predictor
    from sluice_model_server.profile import Profile

MODEL_FILE: Final = "model.skops"
MAX_BYTES: Final = 1 << 40
_COMPARED_ROWS: Final = 2_000


class PackingNote(UserWarning):
    """Said while packing; the model is packed all the same."""


def pack(
    model: Any,
    to: Path | str,
    *,
    data: Any = None,
    label: str | None = None,
    slices: Sequence[str] = (),
    evaluation: Any = None,
    name: str | None = None,
    version: str | None = None,
    columns: Sequence[Column | str] = (),
    probe: Sequence[Sequence[float | int | str | None]] = (),
) -> str:
    """Writes a fitted estimator, and what is known of its data, to a folder, and returns the digest `sha256:...`.

    to: the folder; without name and version its last two parts are these: `models/flight-delay/42`.
    data: what the model was trained on (a DataFrame, or the path of a parquet or csv file): with it the server can tell
        what goes in and comes out of the model. The model's inputs are found in it by name.
    label: the column that holds the truth, for baselines. slices: columns by which baselines are told apart; those that
        are inputs are also counted by the server. evaluation: data with labels that the model was not trained on:
        better baselines than the data itself.
    columns: the inputs in the order of the training, for models that know no names. probe: rows that the model must
        answer before it serves; found in the data by default.

    Equal inputs give equal bytes. The folder holds manifest.json, model.skops, and with data profile.json and card.md.
    It is loaded and probed as the server would before anything is written. Raises a ModelServerError.
    """
    # Heavy imports wait: whoever only packs a file needs none of them.
    from sluice_model_server.archive import dump  # noqa: PLC0415
    from sluice_model_server.load import load_model  # noqa: PLC0415

    to = Path(to)
    head = _head(to, name, version)
    named = [column if isinstance(column, Column) else Column(name=column) for column in columns]
    if probe:
        head["probe"] = [list(row) for row in probe]
    if data is None:
        if label is not None or slices or evaluation is not None:
            raise DataError("label, slices and evaluation say something of data; give data=...")
        if named:
            head["columns"] = [column.model_dump() for column in named]
        return _deliver(to, {MODEL_FILE: dump(model)}, head)

    from sluice_model_server.by_position import by_position  # noqa: PLC0415
    from sluice_model_server.card import CARD_FILE, card  # noqa: PLC0415
    from sluice_model_server.profile import PROFILE_FILE, profile_text  # noqa: PLC0415
    from sluice_model_server.profiling import probe_rows, profile_of  # noqa: PLC0415
    from sluice_model_server.tables import column_of, frame_of, input_names  # noqa: PLC0415

    frame = frame_of(data, "data")
    judged = None if evaluation is None else frame_of(evaluation, "evaluation")
    if label is not None and label not in frame.columns and judged is None:
        raise DataError(
            f"data: has no column {label}; label must name one of {', '.join(map(str, frame.columns[:20]))}"
        )
    inputs = [column.name for column in named] or input_names(model, frame, label, slices, "data")
    for column_name in inputs:
        if column_name not in frame.columns:
            raise DataError(f"columns: the data has no column {column_name}")
    head["columns"] = [column_of(column_name, frame[column_name]).model_dump() for column_name in inputs]
    head.setdefault("probe", probe_rows(frame, [Column(**column) for column in head["columns"]]))
    files = {MODEL_FILE: dump(by_position(model))}
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), files, head)
        served = load_model(Path(folder), max_bytes=MAX_BYTES)
    _compare(model, served.predictor, frame, inputs)
    profile = profile_of(
        served.predictor,
        frame,
        probe=head["probe"],
        label=label,
        slices=slices,
        evaluation=judged,
    )
    for note in _notes(profile):
        warnings.warn(note, PackingNote, stacklevel=2)
    files[PROFILE_FILE] = profile_text(profile)
    files[CARD_FILE] = card(served.manifest, profile, _described(model)).encode()
    return _deliver(to, files, head)


def pack_file(path: Path, to: Path, *, name: str | None = None, version: str | None = None, **more: Any) -> str:
    """As `pack`, from a skops file. Without data its bytes are taken as they are.

    Raises UnsupportedFormat for pickle and joblib.
    """
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise UnsupportedFormat(f"{path}: {PICKLE_ADVICE}")
    if more.get("data") is None and not any(more.values()):
        return _deliver(to, {MODEL_FILE: path.read_bytes()}, _head(to, name, version))
    from sluice_model_server.trust import load_trusted  # noqa: PLC0415

    return pack(load_trusted(path, max_bytes=MAX_BYTES), to, name=name, version=version, **more)


def _head(to: Path, name: str | None, version: str | None) -> dict[str, Any]:
    folder = to.resolve()
    return {"name": name or folder.parent.name, "version": version or folder.name}


def _compare(model: Any, predictor: "Predictor", frame: Any, inputs: list[str]) -> None:
    """Raises DataError unless the packed model answers the server's matrix as the fitted one does the DataFrame."""
    import numpy as np  # noqa: PLC0415

    from sluice_model_server.tables import matrix_of  # noqa: PLC0415

    if getattr(model, "feature_names_in_", None) is None:
        return
    some = frame[inputs].head(_COMPARED_ROWS)
    answer = predictor.predict(matrix_of(some, predictor.columns))
    if answer.probability is not None:
        same = np.isclose(answer.probability, model.predict_proba(some), rtol=1e-6, atol=1e-9).all(axis=1)
    else:
        fitted = np.asarray(model.predict(some))
        same = np.isclose(answer.label, fitted, rtol=1e-6) if fitted.dtype.kind == "f" else answer.label == fitted
    if not np.all(same):
        raise DataError(
            f"data: row {int(np.argmin(same))}: the model answers otherwise to a plain matrix, all that a server has, "
            "than to a DataFrame; does it depend on dtypes such as categories? Encode them in a step of the pipeline"
        )


def _notes(profile: "Profile") -> Iterator[str]:
    """What somebody may not expect, though nothing is wrong."""
    from sluice_model_server.observer import MAX_OBSERVED  # noqa: PLC0415

    for part in profile.slices:
        if not part.live:
            yield f"slices: {part.column} is no input of the model: it has baselines, but the server cannot count it"
    if len(profile.features) > MAX_OBSERVED:
        yield f"the server counts the values of the first {MAX_OBSERVED} of {len(profile.features)} inputs"


def _described(model: Any) -> str:
    steps = getattr(model, "steps", None)
    return " and ".join(type(step).__name__ for _, step in steps) if steps else type(model).__name__


def _deliver(to: Path, files: dict[str, bytes], head: dict[str, Any]) -> str:
    """Writes the folder once it is known to load; the manifest last, for where it lies the model is complete."""
    from sluice_model_server.load import load_model  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        digest = _write(Path(folder), files, head)
        load_model(Path(folder), max_bytes=MAX_BYTES)
        try:
            to.mkdir(parents=True, exist_ok=True)
            for file in (*files, MANIFEST_FILE):
                shutil.copyfile(Path(folder) / file, to / file)
        except OSError as error:
            raise ManifestError(f"{to}: cannot be written: {error.strerror}") from error
    return digest


def _write(into: Path, files: dict[str, bytes], head: dict[str, Any]) -> str:
    listed = [
        {"path": path, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for path, content in files.items()
    ]
    text = (json.dumps({**head, "format": "skops", "files": listed}, indent=2, sort_keys=True) + "\n").encode()
    parse_manifest(text, MANIFEST_FILE)
    for path, content in files.items():
        (into / path).write_bytes(content)
    (into / MANIFEST_FILE).write_bytes(text)
    return digest_of(text)

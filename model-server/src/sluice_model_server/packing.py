"""How does a fitted model become a folder with a digest?"""

import hashlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice_model_server.errors import DataError, ManifestError, UnsupportedFormat
from sluice_model_server.manifest import (
    MANIFEST_FILE,
    PICKLE_ADVICE,
    PICKLE_SUFFIXES,
    SUFFIXES,
    Column,
    digest_of,
    parse_manifest,
)
from sluice_model_server.packable import MAX_BYTES, packable, suffix_of

if TYPE_CHECKING:
    from sluice_model_server.profile import Profile


class PackingNote(UserWarning):
    """Said while packing; the model is packed all the same."""


def pack(  # noqa: PLR0913 - two things, and by name what is known of them
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
    classes: Sequence[int | str] = (),
) -> str:
    """Writes a fitted model to a folder, with what is known of its data, and returns the digest `sha256:...`.

    model: a fitted estimator of scikit-learn, or an ONNX model (`onnx.ModelProto`, or the path of a .onnx file).
    to: the folder; without name and version its last two parts are these: `models/flight-delay/42`.
    data: what the model was trained on (a DataFrame, or the path of a parquet or csv file): with it the server can tell
        what goes in and comes out of the model. The model's inputs are found in it by name.
    label: the column that holds the truth, for baselines. slices: columns by which baselines are told apart; those that
        are inputs are also counted by the server. evaluation: data with labels that the model was not trained on:
        better baselines than the data itself.
    columns: the inputs in the order of the training, for models that know no names. probe: rows that the model must
        answer before it serves; found in the data by default. classes: of an ONNX classifier that does not say what its
        probabilities are of, in their order.

    Equal inputs give equal bytes. The folder holds manifest.json, model.skops or model.onnx, and with data
    profile.json and card.md. It is loaded and probed as the server would before anything is written. Raises a
    ModelServerError.
    """
    # Heavy imports wait: whoever only packs a file needs none of them.
    from sluice_model_server.load import load_model  # noqa: PLC0415

    to = Path(to)
    source = packable(model, classes)
    model_file = f"model{suffix_of(source)}"
    head = {**_head(to, name, version), "format": source.format, **source.head}
    named = [column if isinstance(column, Column) else Column(name=column) for column in columns]
    if probe:
        head["probe"] = [list(row) for row in probe]
    if data is None:
        if label is not None or slices or evaluation is not None:
            raise DataError("label, slices and evaluation say something of data; give data=...")
        if named:
            head["columns"] = [column.model_dump() for column in named]
        return _deliver(to, {model_file: source.content(data=False)}, head)

    from sluice_model_server.card import CARD_FILE, card  # noqa: PLC0415
    from sluice_model_server.profile import PROFILE_FILE, profile_text  # noqa: PLC0415
    from sluice_model_server.profiling import probe_rows, profile_of  # noqa: PLC0415
    from sluice_model_server.tables import frame_of, input_names  # noqa: PLC0415 - only with data

    frame = frame_of(data, "data")
    judged = None if evaluation is None else frame_of(evaluation, "evaluation")
    if label is not None and label not in frame.columns and judged is None:
        raise DataError(
            f"data: has no column {label}; label must name one of {', '.join(map(str, frame.columns[:20]))}"
        )
    inputs = [column.name for column in named] or input_names(source.names, source.count, frame, label, slices, "data")
    for column_name in inputs:
        if column_name not in frame.columns:
            raise DataError(f"columns: the data has no column {column_name}")
    taken = source.columns(inputs, frame)
    head["columns"] = [column.model_dump() for column in taken]
    head.setdefault("probe", probe_rows(frame, taken))
    files = {model_file: source.content(data=True)}
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), files, head)
        served = load_model(Path(folder), max_bytes=MAX_BYTES)
    source.compare(served.predictor, frame, inputs)
    profile = profile_of(
        served.predictor,
        frame,
        probe=head["probe"],
        label=label,
        slices=slices,
        evaluation=judged,
        libraries=source.libraries,
    )
    for note in _notes(profile):
        warnings.warn(note, PackingNote, stacklevel=2)
    files[PROFILE_FILE] = profile_text(profile)
    files[CARD_FILE] = card(served.manifest, profile, source.described).encode()
    return _deliver(to, files, head)


def pack_file(path: Path, to: Path, *, name: str | None = None, version: str | None = None, **more: Any) -> str:
    """As `pack`, from a skops or ONNX file. Without data a skops file's bytes are taken as they are.

    Raises UnsupportedFormat for pickle and joblib.
    """
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise UnsupportedFormat(f"{path}: {PICKLE_ADVICE}")
    if path.suffix.lower() == SUFFIXES["onnx"]:
        return pack(path, to, name=name, version=version, **more)
    if more.get("data") is None and not any(more.values()):
        head = {**_head(to, name, version), "format": "skops"}
        return _deliver(to, {f"model{SUFFIXES['skops']}": path.read_bytes()}, head)
    from sluice_model_server.trust import load_trusted  # noqa: PLC0415

    return pack(load_trusted(path, max_bytes=MAX_BYTES), to, name=name, version=version, **more)


def _head(to: Path, name: str | None, version: str | None) -> dict[str, Any]:
    folder = to.resolve()
    return {"name": name or folder.parent.name, "version": version or folder.name}


def _notes(profile: "Profile") -> Iterator[str]:
    """What somebody may not expect, though nothing is wrong."""
    from sluice_model_server.observer import MAX_OBSERVED  # noqa: PLC0415

    for part in profile.slices:
        if not part.live:
            yield f"slices: {part.column} is no input of the model: it has baselines, but the server cannot count it"
    if len(profile.features) > MAX_OBSERVED:
        yield f"the server counts the values of the first {MAX_OBSERVED} of {len(profile.features)} inputs"


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
    text = (json.dumps({**head, "files": listed}, indent=2, sort_keys=True) + "\n").encode()
    parse_manifest(text, MANIFEST_FILE)
    for path, content in files.items():
        (into / path).write_bytes(content)
    (into / MANIFEST_FILE).write_bytes(text)
    return digest_of(text)

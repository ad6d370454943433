"""How does a fitted model become a folder with a digest?"""

import hashlib
import json
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sluice_model_server.errors import DataError, ManifestError, UnsupportedFormat
from sluice_model_server.manifest import (
    MANIFEST_FILE,
    NAME,
    PICKLE_ADVICE,
    PICKLE_SUFFIXES,
    SUFFIXES,
    VERSION,
    Column,
    digest_of,
    parse_manifest,
)
from sluice_model_server.packable import MAX_BYTES, packable, suffix_of

if TYPE_CHECKING:
    from sluice_model_server.predictor import Predictor
    from sluice_model_server.profile import Profile


_OURS: Final = (*(f"model{suffix}" for suffix in SUFFIXES.values()), "profile.json", "card.md")
"""Files that packing writes: those of an earlier model in the same folder are taken away."""
_NEEDS_DATA: Final = (
    "the model selects columns by name, which a server's rows have none of; give data=... (--data FILE): with it names "
    "become positions"
)


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

    if isinstance(model, str | Path) and Path(model).suffix.lower() != SUFFIXES["onnx"]:
        more: dict[str, Any] = {
            "data": data, "label": label, "slices": slices, "evaluation": evaluation, "columns": columns,
            "probe": probe, "classes": classes,
        }  # fmt: skip
        return pack_file(Path(model), Path(to), name=name, version=version, **more)
    to = Path(to)
    slices = [slices] if isinstance(slices, str) else slices
    if label is not None and not isinstance(label, str):
        raise DataError(f"label: is the name of a column of the data, not a {type(label).__name__}")
    source = packable(model, classes)
    model_file = f"model{suffix_of(source)}"
    head = {**_head(to, name, version), "format": source.format, **source.head}
    named = [column if isinstance(column, Column) else Column(name=column) for column in columns]
    if probe:
        head["probe"] = [list(row) for row in probe]
    if data is None:
        if label is not None or slices or evaluation is not None:
            raise DataError("label, slices and evaluation say something of data; give data=...")
        if source.by_name:
            raise DataError(_NEEDS_DATA)
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
        if judged is not None and column_name not in judged.columns:
            raise DataError(f"evaluation: has no column {column_name}, which the model takes")
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
    for note in _notes(profile, served.predictor):
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
    if not path.is_file():
        raise DataError(f"{path}: no such file; give a .skops or .onnx file, or a fitted model (module:name)")
    if path.suffix.lower() == SUFFIXES["onnx"]:
        return pack(path, to, name=name, version=version, **more)
    from sluice_model_server.trust import load_trusted  # noqa: PLC0415

    model = load_trusted(path, max_bytes=MAX_BYTES)
    if more.get("data") is None and not any(more.values()) and not packable(model).by_name:
        head = {**_head(to, name, version), "format": "skops"}
        return _deliver(to, {f"model{SUFFIXES['skops']}": path.read_bytes()}, head)
    return pack(model, to, name=name, version=version, **more)


def _head(to: Path, name: str | None, version: str | None) -> dict[str, Any]:
    folder = to.resolve()
    head = {"name": name or folder.parent.name, "version": version or folder.name}
    for field, pattern in (("name", NAME), ("version", VERSION)):
        if not re.match(pattern, head[field]):
            raise DataError(
                f"{field}: {head[field]!r} must be letters, digits, '.', '_' and '-', at most 63, with a letter or "
                f"digit at both ends; give {field}=... or another folder"
            )
    return head


def _notes(profile: "Profile", predictor: "Predictor") -> Iterator[str]:
    """What somebody may not expect, though nothing is wrong."""
    from sluice_model_server.observer import MAX_OBSERVED  # noqa: PLC0415

    for place in predictor.closed:
        yield (
            f"{predictor.columns[place].name}: a text that the model was not trained on is refused (400), because the "
            "model fails on it; to answer it, fit the encoder with handle_unknown='ignore'"
        )
    for place, feature in enumerate(profile.features):
        if feature.categorical is not None and feature.missing and place not in predictor.without_text:
            yield f"{feature.name}: {feature.missing} rows have no text, and the model answers none that is missing"
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
        there = to / MANIFEST_FILE
        if there.is_file() and (earlier := digest_of(there.read_bytes())) != digest:
            warnings.warn(
                f"{to}: held another model, {earlier}, which is replaced; what was rolled out must not change",
                PackingNote,
                stacklevel=3,
            )
        try:
            to.mkdir(parents=True, exist_ok=True)
            for stale in {*_OURS} - {*files}:
                (to / stale).unlink(missing_ok=True)
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

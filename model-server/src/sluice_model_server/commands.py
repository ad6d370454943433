"""The commands of whoever makes models: `sluice-model pack | inspect | verify | push`."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from sluice_model_server.errors import ModelServerError

commands = typer.Typer()

Folder = Annotated[Path, typer.Argument(help="Folder of a packed model.", exists=True, file_okay=False)]


@commands.command()
def pack(
    model: Annotated[
        str,
        typer.Argument(
            help="A .skops or .onnx file, or a fitted estimator or ONNX model in Python as `module:name`, which is "
            "looked for here first."
        ),
    ],
    to: Annotated[
        Path, typer.Option("--to", "--into", help="Folder to write to, e.g. models/flight-delay/42: name and version.")
    ],
    data: Annotated[
        Path | None, typer.Option(help="Parquet or csv file that the model was trained on: gives a profile and a card.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Column of the data that holds the truth, for baselines.")] = None,
    slices: Annotated[
        str, typer.Option(help="Columns to tell baselines, and live requests where they are inputs, apart by: a,b")
    ] = "",
    evaluation: Annotated[
        Path | None, typer.Option(help="Parquet or csv file with labels that the model was not trained on.")
    ] = None,
    columns: Annotated[
        str, typer.Option(help="Inputs in the order of the training, for models that know no names: a,b")
    ] = "",
    classes: Annotated[
        str, typer.Option(help="What the probabilities of an ONNX model are of, if its graph does not say: a,b")
    ] = "",
    name: Annotated[str | None, typer.Option(help="Name in requests; the last folder but one by default.")] = None,
    version: Annotated[str | None, typer.Option(help="Version; the last folder by default.")] = None,
) -> None:
    """Packs a fitted model for serving, and prints the digest to put into spec.model.digest."""
    from sluice_model_server.packing import PackingNote, pack_file  # noqa: PLC0415 - scikit-learn: 1.5 s
    from sluice_model_server.packing import pack as pack_model  # noqa: PLC0415
    from sluice_model_server.references import estimator  # noqa: PLC0415

    more: dict[str, Any] = {
        "data": data, "label": label, "slices": _list(slices), "evaluation": evaluation, "columns": _list(columns),
        "classes": _list(classes),
    }  # fmt: skip
    with _explained(), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", PackingNote)
        if ":" in model:
            digest = pack_model(estimator(model), to, name=name, version=version, **more)
        else:
            digest = pack_file(Path(model), to, name=name, version=version, **more)
        for note in said:
            typer.echo(f"note: {note.message}", err=True)
    typer.echo(digest)


@commands.command()
def inspect(
    folder: Folder,
    as_json: Annotated[bool, typer.Option("--json", help="Manifest and profile as one JSON object.")] = False,
) -> None:
    """Says what a packed model is, without loading it."""
    from sluice_model_server.inspection import described, document  # noqa: PLC0415 - brings numpy

    with _explained():
        typer.echo(document(folder) if as_json else described(folder))


@commands.command()
def verify(
    folder: Folder, digest: Annotated[str, typer.Option(help="sha256:<hex> that the model must have.")] = ""
) -> None:
    """Does what the server does at start: checks every byte, loads the model, asks it its probe. Prints the digest."""
    from sluice_model_server.verification import verify as verify_model  # noqa: PLC0415 - scikit-learn

    with _explained():
        typer.echo(verify_model(folder, digest or None))


@commands.command()
def push(
    folder: Folder,
    target: Annotated[
        str, typer.Argument(help="Where its files go: a folder, s3://bucket/prefix, or http(s)://host/path (by PUT).")
    ],
) -> None:
    """Copies a packed model to a store, the manifest last, and prints the lines for a ModelDeployment."""
    from sluice_model_server.push import push as push_model  # noqa: PLC0415

    with _explained():
        pushed = push_model(folder, target)
        uri = pushed.uri if "://" in pushed.uri else f"<where {target} is served>/{Path(pushed.uri).name}"
        typer.echo(f"model:\n  uri: {uri}\n  digest: {pushed.digest}")


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


@contextmanager
def _explained() -> Iterator[None]:
    """An error of ours becomes one line on stderr and exit status 1."""
    try:
        yield
    except ModelServerError as error:
        typer.echo(f"error: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(1) from None

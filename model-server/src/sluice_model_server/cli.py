"""Packs, checks, fetches and serves scikit-learn models."""

# Heavy imports wait until a command needs them: the init container fetches without numpy.
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluice_model_server import logs
from sluice_model_server.commands import commands
from sluice_model_server.errors import ModelServerError

if TYPE_CHECKING:
    from sluice_model_server.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(commands)
TERMINATION_LOG = Path("/dev/termination-log")
_TERMINATION_LOG_BYTES = 4096

Directory = Annotated[Path, typer.Option("--dir", help="Directory with manifest.json and the files it lists.")]


@app.command()
def fetch(
    uri: Annotated[str, typer.Option(help="Address of manifest.json: https, http, s3, pvc or file.")],
    digest: Annotated[str, typer.Option(help="sha256:<hex>, what manifest.json must hash to.")],
    into: Annotated[Path, typer.Option(help="Directory to write to.")],
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Host (or host:port) that may be asked over plain http. Repeatable.")
    ] = None,
    credentials: Annotated[
        Path | None, typer.Option(help="Directory of a mounted Secret, a file per key: see docs/how-to/storage.md.")
    ] = None,
    pvc_dir: Annotated[Path, typer.Option(help="Directory of mounted claims, for pvc://.")] = Path("/mnt/pvc"),
    max_bytes: Annotated[int, typer.Option(help="Limit of all files together, bytes.")] = 2 << 30,
    attempts: Annotated[int, typer.Option(min=1, max=10, help="Attempts per file.")] = 5,
) -> None:
    """Fetches a model and verifies every byte: the init container of a model's pod."""
    from sluice_model_server.credentials import read_credentials  # noqa: PLC0415 - each command loads its own
    from sluice_model_server.fetch import FetchLimits  # noqa: PLC0415
    from sluice_model_server.fetch import fetch as fetch_model  # noqa: PLC0415

    logs.configure("INFO")
    with _explained():
        limits = FetchLimits(max_bytes=max_bytes, attempts=attempts)
        fetch_model(
            uri,
            digest,
            into,
            plain_http_hosts=allow_host or (),
            credentials=read_credentials(credentials) if credentials else None,
            pvc_dir=pvc_dir,
            limits=limits,
        )


@app.command()
def serve(
    directory: Directory,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8080,
    host: Annotated[
        str, typer.Option(help="Address to listen on, e.g. 127.0.0.1; SLUICE_MODEL_HOST by default, else all.")
    ] = "",
) -> None:
    """Serves one model by the Open Inference Protocol V2 (REST), with /metrics on the same port."""
    # One row is no work for several threads, and threads that spin steal the cores of the pods next door. Must be set
    # before numpy is imported.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    with _explained():
        settings = _settings()
        if host:
            settings = settings.model_copy(update={"host": host})
        logs.configure(settings.log_level)
        from sluice_model_server.serve import serve as serve_model  # noqa: PLC0415 - brings scikit-learn: 1.5 s

        serve_model(directory, port, settings)


@app.command()
def store(
    directory: Directory,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104 - reached by other pods
) -> None:
    """Serves packed models as static files: a model store for demos."""
    from sluice_model_server.store import store_server  # noqa: PLC0415

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with store_server(directory, host, port) as server:
        typer.echo(f"serving {directory} on port {server.server_address[1]}")
        server.serve_forever()


def _settings() -> "Settings":
    from pydantic import ValidationError  # noqa: PLC0415
    from pydantic_settings import SettingsError  # noqa: PLC0415

    from sluice_model_server.settings import Settings  # noqa: PLC0415

    try:
        return Settings()
    except SettingsError as error:  # not even JSON; its text names the field
        raise ModelServerError(f"environment: {error}") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name, *inner = map(str, first["loc"])
        variable = name if name.isupper() else f"SLUICE_MODEL_{name.upper()}"
        raise ModelServerError(f"{'.'.join((variable, *inner))}: {first['msg']}") from error


@contextmanager
def _explained() -> Iterator[None]:
    """An error of ours becomes one line on stderr and in the container's termination message, and exit status 1."""
    try:
        yield
    except ModelServerError as error:
        line = " ".join(str(error).split())
        typer.echo(f"error: {line}", err=True)
        if TERMINATION_LOG.exists():
            try:
                TERMINATION_LOG.write_text(line[:_TERMINATION_LOG_BYTES])
            except OSError as failure:  # the line above has said it; this says why the pod's status will not
                typer.echo(f"cannot write {TERMINATION_LOG}: {failure}", err=True)
        raise typer.Exit(1) from None

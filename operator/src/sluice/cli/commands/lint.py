"""`kubectl sluice lint`"""

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from sluice.api.names import KIND
from sluice.cli.errors import Refused, Unreadable
from sluice.cli.lint.advice import Surroundings
from sluice.cli.lint.documents import Document, read
from sluice.cli.lint.finding import Finding, Severity
from sluice.cli.lint.gateways import gateways_of
from sluice.cli.lint.judge import judge
from sluice.cli.options import duration, explained, out

MANIFESTS: Final = (".yaml", ".yml", ".json")
"""Files of a folder that are read, as kubectl has it."""
STYLES = {Severity.ERROR: "red", Severity.ADVICE: "yellow"}


def lint(
    filename: Annotated[
        list[Path],
        typer.Option(
            "--filename", "-f", help="A manifest, YAML or JSON, or a folder of them; - for standard input. Repeatable."
        ),
    ],
    more: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE...", help="More manifests, as in -f *.yaml.", show_default=False),
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-R", help="Folders below a folder too.")] = False,
    scrape_interval: Annotated[str, typer.Option(help="How often Prometheus scrapes the model servers.")] = "5s",
    rps: Annotated[
        float | None,
        typer.Option(min=0.0, help="Requests per second of the model: are minSamples reached?", show_default=False),
    ] = None,
) -> None:
    """Check manifests without a cluster.

    Errors are what the API server would refuse, advice is what is no good idea. Of other kinds in the files only
    Gateways, their classes and EnvoyProxies are looked at. Exit status: 0 no errors (advice does not count); 1 errors;
    3 a file that cannot be read, or no ModelDeployment in any of them.
    """
    interval = duration(scrape_interval)
    with explained():
        paths = (*filename, *(more or ()))
        files = [file for path in paths for file in _manifests(path, recursive=recursive)]
        objects = [document for file in files for document in objects_of(file)]
        documents = [document for document in objects if document.ours]
        around = Surroundings(interval, rps, gateways_of(document.value for document in objects))
        if not documents:
            raise Unreadable(f"there is no {KIND} in {', '.join(map(_label, paths))}")
        found = [(document, finding) for document in documents for finding in _by_line(document, around)]
        console = out()
        for document, finding in found:
            console.print(_line(document, finding), soft_wrap=True)
        errors = sum(finding.severity is Severity.ERROR for _, finding in found)
        told = f"{_count(len(documents), KIND)}: {_count(errors, 'error')}, {len(found) - errors} advice"
        if errors:
            raise Refused(told)
        console.print(told)


def documents_of(path: Path) -> list[Document]:
    """The ModelDeployments of a file; `-` is standard input. Raises Unreadable."""
    return [document for document in objects_of(path) if document.ours]


def objects_of(path: Path) -> list[Document]:
    """All objects of a file; `-` is standard input. Raises Unreadable."""
    try:
        text = typer.get_text_stream("stdin").read() if str(path) == "-" else path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return list(read(_label(path), text))


def _manifests(path: Path, *, recursive: bool) -> list[Path]:
    """The files that a path stands for. Raises Unreadable for a folder without any."""
    if not path.is_dir():
        return [path]
    inside = path.rglob("*") if recursive else path.iterdir()
    files = sorted(one for one in inside if one.suffix in MANIFESTS and one.is_file())
    if not files:
        raise Unreadable(f"{path} has no {', '.join(MANIFESTS)}{'' if recursive else '; -R looks into folders below'}")
    return files


def _by_line(document: Document, around: Surroundings) -> list[Finding]:
    return sorted(judge(document, around), key=lambda finding: document.line(finding.place))


def _label(path: Path) -> str:
    return "standard input" if str(path) == "-" else str(path)


def _line(document: Document, finding: Finding) -> Text:
    """`flights.yaml:12: error: spec.model.digest: ...`"""
    text = Text(f"{document.source}:{document.line(finding.place)}: ")
    text.append(str(finding.severity), style=STYLES[finding.severity])
    return text.append(str(finding).removeprefix(str(finding.severity)))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

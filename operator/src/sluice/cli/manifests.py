"""The spec in a file, for commands that act on one that is right."""

from datetime import timedelta
from pathlib import Path

from sluice.api.v1alpha1 import Spec
from sluice.cli.commands.lint import documents_of
from sluice.cli.errors import Refused, Unreadable
from sluice.cli.lint.advice import Surroundings
from sluice.cli.lint.documents import Document
from sluice.cli.lint.finding import Severity
from sluice.cli.lint.judge import judge


def read_document(path: Path) -> Document:
    """The first ModelDeployment of a file; `-` is standard input. Raises Unreadable; Refused if it has errors."""
    found = next(iter(documents_of(path)), None)
    if found is None:
        raise Unreadable(f"there is no ModelDeployment in {path}")
    errors = [
        finding for finding in judge(found, Surroundings(timedelta(seconds=5))) if finding.severity is Severity.ERROR
    ]
    if errors:
        raise Refused(f"{path}: {str(errors[0]).removeprefix('error: ')}; `kubectl sluice lint -f {path}` tells all")
    return found


def spec_of(document: Document) -> Spec:
    """Its spec, which was found right."""
    return Spec.model_validate(document.value.get("spec") or {})

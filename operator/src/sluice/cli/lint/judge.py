"""All that is said about one document."""

from collections.abc import Iterator

from pydantic import ValidationError

from sluice.api.v1alpha1 import Spec
from sluice.cli.lint.advice import Surroundings, advice
from sluice.cli.lint.documents import Document
from sluice.cli.lint.finding import Finding, error
from sluice.cli.lint.shape import misfits


def judge(document: Document, around: Surroundings) -> Iterator[Finding]:
    """Errors; advice only where there are none, as it rests on a spec that can be read."""
    wrong = list(_errors(document))
    yield from wrong
    if wrong:
        return
    try:
        spec = Spec.model_validate(document.value["spec"])
    except ValidationError as invalid:  # the operator's own models know something that the schema does not say
        for one in invalid.errors(include_input=False):
            yield error(("spec", *one["loc"]), one["msg"])
        return
    yield from advice(spec, around)


def _errors(document: Document) -> Iterator[Finding]:
    yield from document.doubled()
    foreign = list(document.foreign())
    yield from foreign or misfits(document.value)

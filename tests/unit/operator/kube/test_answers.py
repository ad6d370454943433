"""Which answer of the API server means what."""

import json

import pytest

from sluice.adapters.kube.answers import error_of, read_object
from sluice.ports import Conflict, NotFound, Refused, Unavailable


def status(reason: str, message: str) -> bytes:
    return json.dumps({"kind": "Status", "reason": reason, "message": message}).encode()


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (400, "BadRequest", Refused),
        (401, "Unauthorized", Unavailable),
        (403, "Forbidden", Refused),
        (404, "NotFound", NotFound),
        (405, "MethodNotAllowed", Refused),
        (408, "Timeout", Unavailable),
        (409, "Conflict", Conflict),
        (409, "AlreadyExists", Conflict),
        (410, "Expired", Unavailable),
        (413, "RequestEntityTooLarge", Refused),
        (415, "UnsupportedMediaType", Refused),
        (422, "Invalid", Refused),
        (429, "TooManyRequests", Unavailable),
        (500, "InternalError", Unavailable),
        (503, "ServiceUnavailable", Unavailable),
        (504, "Timeout", Unavailable),
    ],
)
def test_each_status_has_its_meaning_and_keeps_the_servers_words(code: int, reason: str, error: type) -> None:
    raised = error_of("apply HTTPRoute shop/m", code, status(reason, "rules[0] is wrong"))
    assert type(raised) is error
    assert str(raised) == f"apply HTTPRoute shop/m: rules[0] is wrong ({code} {reason})"


def test_a_refusal_carries_the_apis_own_reason() -> None:
    refused = error_of("apply Deployment", 403, status("Forbidden", "no"))
    assert isinstance(refused, Refused)
    assert refused.reason == "Forbidden"


def test_a_manifest_that_does_not_fit_the_schema_is_refused_although_the_answer_is_500() -> None:
    words = "failed to create typed patch object (shop/m; /v1, Kind=Service): .spec.x: field not declared in schema"
    refused = error_of("apply Service", 500, json.dumps({"kind": "Status", "message": words, "code": 500}).encode())
    assert isinstance(refused, Refused)
    assert refused.reason == "Invalid"
    assert ".spec.x: field not declared in schema" in str(refused)


def test_a_proxy_that_answers_in_html_is_quoted() -> None:
    raised = error_of("get Lease", 502, b"<html>bad gateway</html>")
    assert isinstance(raised, Unavailable)
    assert "bad gateway" in str(raised)


def test_an_object_comes_back_as_it_is() -> None:
    assert read_object("get Lease", 200, b'{"kind": "Lease"}') == {"kind": "Lease"}


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b'"x"'])
def test_what_is_no_object_is_no_answer(body: bytes) -> None:
    with pytest.raises(Unavailable, match="get Lease: the answer is not"):
        read_object("get Lease", 200, body)

"""schemathesis reads /openapi.json and asks whatever it can think of, right and wrong.

One of its checks is left out: positive_data_acceptance wants every body that fits the schema to be answered, and JSON
schema cannot say that `data` has as many values as `shape` asks for. test_tensors.py sends what must be answered.
"""

import re

import pytest
import schemathesis
from hypothesis import settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

UNSAYABLE = [positive_data_acceptance]
NAMED = re.compile(r"^(inputs|outputs|id|parameters|Inference-Header-Content-Length|the body|/[^ ]* is)\b")


@pytest.fixture(scope="session")
def of_forest(forest):
    return schemathesis.openapi.from_url(f"{forest.url}/openapi.json")


@pytest.fixture(scope="session")
def of_mixed(mixed):
    return schemathesis.openapi.from_url(f"{mixed.url}/openapi.json")


FOREST = schemathesis.pytest.from_fixture("of_forest")
MIXED = schemathesis.pytest.from_fixture("of_mixed")


def holds(case):
    answer = case.call(timeout=60)
    case.validate_response(answer, excluded_checks=UNSAYABLE)
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert NAMED.match(answer.json()["error"]), answer.text


@FOREST.parametrize()
@settings(max_examples=100)
def test_what_the_forest_describes_holds(case):
    holds(case)


@MIXED.parametrize()
@settings(max_examples=100)
def test_what_the_mixed_model_describes_holds(case):
    holds(case)

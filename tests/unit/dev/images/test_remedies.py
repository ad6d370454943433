"""What a registry refuses is told with what to do about it; the words are those that the programs really use."""

from __future__ import annotations

import pytest

from sluice_dev.cluster.errors import ClusterError, CommandFailed
from sluice_dev.images.remedies import told

SAID = {
    'pinging h:5000: Get "https://h:5000/v2/": http: server gave HTTP response to HTTPS client': "plain HTTP",
    "tls: failed to verify certificate: x509: certificate signed by unknown authority": "authority",
    "error: unauthorized: authentication required": "log in first",
    "requested access to the resource is denied": "log in first",
    "dial tcp: lookup registry.example on 10.0.0.1:53: no such host": "not reached from here",
    "dial tcp 127.0.0.1:5000: connect: connection refused": "not reached from here",
    "reading manifest 3.11 in h:5000/python: manifest unknown": "BASE names one",
}


@pytest.mark.parametrize("words", SAID)
def test_the_remedy_is_told_after_the_programs_own_words(words: str) -> None:
    with pytest.raises(ClusterError) as failed, told():
        raise CommandFailed(["podman", "build"], 125, words)
    said, _, remedy = str(failed.value).partition("What to do: ")
    assert words in said
    assert SAID[words] in remedy


def test_what_nobody_knows_is_told_as_it_is() -> None:
    with pytest.raises(CommandFailed) as failed, told():
        raise CommandFailed(["podman", "build"], 1, "something else")
    assert "What to do" not in str(failed.value)

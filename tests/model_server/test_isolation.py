"""What is said of a model that takes its process along?"""

import os
import signal

import pytest

from sluice_model_server.errors import ModelBroken, UntrustedModel
from sluice_model_server.isolation import check_in_child


def test_a_check_that_passes_says_nothing():
    check_in_child(lambda: None, "/model", seconds=20)


def refuse():
    raise UntrustedModel("model.skops: holds types that are not admitted")


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "/model: .* ended the process with SIGKILL"),
        (refuse, r"^model\.skops: holds types that are not admitted$"),
        (lambda: os._exit(3), "/model: .* failed with exit status 3"),
    ],
)
def test_the_reason_is_told_and_the_parent_lives(check, said):
    with pytest.raises(ModelBroken, match=said):
        check_in_child(check, "/model", seconds=20)


def test_a_check_that_hangs_is_ended():
    with pytest.raises(ModelBroken, match=r"within 0\.2 s"):
        check_in_child(signal.pause, "/model", seconds=0.2)

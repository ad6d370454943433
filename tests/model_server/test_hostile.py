"""Does the server's own loading, in a process of its own, survive hostile model files? More: `make bench-hostile`."""

import warnings

import pytest

from sluice_dev.modelbench import hostile, hostile_files

SUBJECTS = ("forest, text labels", "histogram boosting, categories", "support vectors")

SAMPLE = 24
"""Files of each kind, spread over all of them: each costs a process or two."""


@pytest.fixture(scope="module")
def cases():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(hostile.files(SUBJECTS, mutations=20, step=4096))


@pytest.mark.parametrize("kind", ["tampered", "bytes", "truncated"])
def test_each_is_refused_with_a_reason_or_answered_as_scikit_learn_does(cases, kind, tmp_path, monkeypatch):
    monkeypatch.setattr(hostile, "LOAD_SECONDS", 3)  # a tampered tree with a loop in it takes all of it
    made = [(drawn, case) for drawn, case in cases if case.kind == kind]
    asked = made[:: max(1, len(made) // SAMPLE)]
    assert len(asked) > 5
    bad = [
        (case.what, said)
        for drawn, case in asked
        for verdict, said in [hostile.judge(drawn, case, tmp_path)]
        if verdict == "bad"
    ]
    assert not bad


def test_a_file_that_ends_the_process_is_told_from_one_that_is_refused(cases, tmp_path, monkeypatch):
    """The judge itself: without the server's checks a tampered tree takes the process along, and that is bad."""
    drawn, _ = cases[0]
    entries = hostile_files.read(hostile.dump(drawn.model))
    name = next(name for name in entries if b"left_child" in entries[name][:300])
    nodes = hostile_files.read_array(entries, name).copy()
    nodes["left_child"][0] = 2**40
    hostile_files.write_array(entries, name, nodes)
    case = hostile_files.Hostile("tampered", "left_child", hostile_files.write(entries), may_load=True)
    verdict, said = hostile.judge(drawn, case, tmp_path)
    assert (verdict, "child lies outside" in said) == ("refused", True)
    monkeypatch.setattr("sluice_model_server.trust.check_model", lambda model: None)
    verdict, said = hostile.judge(drawn, case, tmp_path)
    assert (verdict, "SIGSEGV" in said) == ("refused", True)  # the trial child died, the server did not
    monkeypatch.setattr("sluice_dev.modelbench.hostile.check_in_child", lambda *args, **more: None)
    assert hostile.judge(drawn, case, tmp_path) == ("bad", "died: SIGSEGV")

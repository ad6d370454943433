"""Which plain queries read their own namespace only: each selector is looked at, however it is hidden."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.api.status import Verdict
from sluice.api.v1alpha1 import Check, Spec
from sluice.core.analysis.judge import Judge
from sluice.core.analysis.scope import MOST_OPERATIONS, beyond
from sluice.core.analysis.threshold import filled

OWN = 'namespace="shop"'
EXAMPLES = Path(__file__).parents[4] / "manifests" / "examples"

CONFINED = {
    "plain": f"clicks{{{OWN}}}",
    "with pods": f'rate(clicks{{{OWN},pod=~"m-8b21de07-[a-z0-9]+-[a-z0-9]{{5}}"}}[1m])',
    "nobody at all": f'clicks{{{OWN},pod="",pod!=""}}',
    "two selectors": f"sum(a{{{OWN}}}) / sum(b{{{OWN}}})",
    "subquery": f"max_over_time(sum(rate(a{{{OWN}}}[1m]))[10m:1m])",
    "offset and @": f"a{{{OWN}}} offset 5m + b{{{OWN}}} @ end()",
    "by namespace": f"sum by (namespace) (a{{{OWN}}})",
    "any name of its own": f'{{__name__=~".+",{OWN}}}',
    "quoted label": '{"a.b","namespace"="shop"}',
    "single quotes": "a{namespace='shop'}",
    "backticks": "a{namespace=`shop`}",
    "escaped": r'a{namespace="\x73hop"}',
    "label_replace": f'label_replace(a{{{OWN}}}, "namespace", "other", "", "")',
    "a string with braces": f'count_values("{{x}}", a{{{OWN}}})',
    "an inner parameter": f"topk(scalar(a{{{OWN}}}), b{{{OWN}}})",
    "alternatives that all have it": f"a{{{OWN},x='1' or {OWN}}}",
    "no selector": "vector(1) + time()",
    "contradiction": f'a{{{OWN},namespace="other"}}',
    "comment": f"a{{{OWN}}} # or b",
}

HOSTILE = {
    "nothing": ("up", "selector up"),
    "another": ('up{namespace="other"}', 'selector up{namespace="other"}'),
    "a part of it": ('up{namespace="sho"}', "selector up"),
    "regular expression": ('up{namespace=~"shop"}', "selector up"),
    "regular expression of all": ('up{namespace=~"shop|.*"}', "selector up"),
    "negative": ('up{namespace!="other"}', "selector up"),
    "negative regular expression": ('up{namespace!~"other"}', "selector up"),
    "empty": ('up{namespace=""}', "selector up"),
    "a label like it": (f"up{{exported_{OWN}}}", "selector up"),
    "of the right side": (f"a{{{OWN}}} or up", "selector up"),
    "of the left side": (f"up and a{{{OWN}}}", "selector up"),
    "unless": (f"up unless a{{{OWN}}}", "selector up"),
    "in capitals": (f"a{{{OWN}}} OR up", "selector up"),
    "deep inside": (f"sum(rate(a{{{OWN}}}[1m])) / (1 + avg(abs(-(up))))", "selector up"),
    "in a parameter": (f"topk(scalar(up), a{{{OWN}}})", "selector up"),
    "in an argument": (f"clamp(a{{{OWN}}}, 0, scalar(up))", "selector up"),
    "in a subquery": ("max_over_time(up[10m:1m])", "selector up"),
    "in a range": ("rate(up[10m] offset 1h)", "selector up"),
    "at another time": ("up @ start()", "selector up"),
    "by its name": ('{__name__="up"}', 'selector {__name__="up"}'),
    "by a pattern of names": ('{__name__=~".+"}', 'selector {__name__=~".+"}'),
    "by a quoted name": ('{"up"}', "selector"),
    "the own one in a string": (f"label_replace(up, 'x', '{{{OWN}}}', '', '')", "selector up"),
    "the own one in a comment": (f"up # {{{OWN}}}", "selector up"),
    "after a comment": (f"a{{{OWN}}} # \n or up", "selector up"),
    "after a comment that a carriage return ends": (f"a{{{OWN}}} # \r or up", "selector up"),
    "the own one in another label": ("up{x='{namespace=\"shop\"}'}", "selector up"),
    "the own one made by label_replace": ('label_replace(up, "namespace", "shop", "", "")', "selector up"),
    "one alternative without": (f'a{{{OWN} or x="1"}}', "selector a"),
    "an alternative before": (f'a{{x="1" or {OWN}}}', "selector a"),
    "info": (f"info(a{{{OWN}}})", "info(..) reads target_info of every namespace"),
    "no PromQL": ("sum((up", "cannot be read: unclosed left parenthesis"),
    "another dialect": (f"WITH (x = {{{OWN}}}) a{{x}}", "cannot be read"),
    "nothing to read": ("", "cannot be read"),
    "no UTF-8": (f'a{{{OWN},x="\ud800"}}', "cannot be read"),
    "a fault of the parser": (f"a{{{OWN}}} offset 1e999", "cannot be read"),
}


@pytest.mark.parametrize("query", CONFINED.values(), ids=CONFINED)
def test_what_stays_inside(query: str) -> None:
    assert beyond(query, "shop") == ""


@pytest.mark.parametrize(("query", "named"), HOSTILE.values(), ids=HOSTILE)
def test_what_reaches_out_is_named_with_the_remedy(query: str, named: str) -> None:
    said = beyond(query, "shop")
    assert named in said
    assert "SLUICE_QUERY_SCOPE=Any" in said


def test_it_is_the_own_namespace_that_counts() -> None:
    assert beyond(f"clicks{{{OWN}}}", "other") != ""


def test_without_a_namespace_of_its_own_nothing_is_inside() -> None:
    assert beyond('up{namespace="",x="y"}', "") != ""


@pytest.mark.parametrize("query", ["(" * 2000 + "a" + ")" * 2000, "^".join("a" * 2000), "abs(" * 800 + "a" + ")" * 800])
def test_a_query_that_would_keep_the_parser_busy_is_not_parsed(query: str) -> None:
    """Each takes the parser 0.1 s or more."""
    assert f"more than {MOST_OPERATIONS}" in beyond(query, "shop")


def test_a_long_but_flat_query_is_read() -> None:
    assert beyond("+".join([f"a{{{OWN}}}"] * 100), "shop") == ""


@pytest.mark.parametrize("manifest", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_examples_stay_inside(manifest: Path) -> None:
    for document in yaml.safe_load_all(manifest.read_text()):
        if document.get("kind") == "ModelDeployment":
            for check in Spec.model_validate(document["spec"]).analysis.checks:
                if check.prometheus is not None:
                    assert beyond(filled(check.prometheus.query, "shop", "m", "8b21de07", None), "shop") == ""


def clicks(world: Any, query: str) -> Check:
    changed: Check = world.clicks.model_copy(
        update={"prometheus": world.clicks.prometheus.model_copy(update={"query": query})}
    )
    return changed


def test_a_query_that_reaches_out_is_never_asked_and_holds_the_rollout(world: Any) -> None:
    judge = Judge(world.subject(clicks(world, "clicks{$(candidate)} or clicks")), 0.0)
    later = world.start + timedelta(minutes=1)
    assert judge.measurements(later) == ()
    result = judge.observe(later, {}, later).checks[0]
    assert result.verdict is Verdict.QUERY_ERROR
    assert "the selector clicks reads other namespaces" in result.message


def test_an_administrator_may_open_it(world: Any) -> None:
    judge = Judge(world.subject(clicks(world, "clicks"), confined=False), 0.0)
    assert [m.promql for m in judge.measurements(world.start + timedelta(seconds=12))] == ["clicks"] * 2

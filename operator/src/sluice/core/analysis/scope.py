"""Does a plain query read the namespace of its own deployment only? Asked of the parsed query, not of its text.

A tenant who may write a ModelDeployment sees in its status what their query yields, while the operator's access to the
metrics store reaches every namespace. So each selector must say `namespace="<own>"`, in every alternative of it; what
this parser cannot read is refused, as nobody knows what a store would make of it.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import promql_parser as promql

NAMESPACE: Final = "namespace"
"""The label that every scrape configuration for Kubernetes gives."""
SETTING: Final = "SLUICE_QUERY_SCOPE=Any"
"""What an administrator sets where metrics do not have that label."""
MOST_OPERATIONS: Final = 400
"""Parentheses and operators of one query. The parser takes time with the square of their nesting: 2,000 nested ones
take 0.5 s, in which the operator does nothing else; 400 take 20 ms."""
_OPERATIONS: Final = re.compile(r"[(\[+\-*/%^<>]|[!=]=|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
_PANIC: Final = "PanicException"
"""What the bindings raise, beside Exception, where the parser itself has a fault, as for `a offset 1e999`."""
_CHILDREN: Final = ("expr", "param", "lhs", "rhs")
"""Where a node of the parser keeps those below it, besides the arguments of a function."""
_REMEDY: Final = f'write $(candidate), $(stable) or {NAMESPACE}="$(namespace)" between its braces'
_OTHERWISE: Final = f"(where metrics have no such label an administrator sets {SETTING})"
_SHOWN: Final = 120
"""Characters of a selector that are quoted."""


@lru_cache(maxsize=1024)
def beyond(query: str, namespace: str) -> str:
    """Why a query, its placeholders filled in, may read another namespace than this one; empty if it cannot."""
    if len(_OPERATIONS.findall(query)) > MOST_OPERATIONS:
        return f"the query has more than {MOST_OPERATIONS} operators and parentheses: make it shorter"
    try:
        root = promql.parse(query)
    except BaseException as error:
        if not isinstance(error, ValueError) and type(error).__name__ != _PANIC:
            raise
        return f"the query cannot be read: {error}; correct it {_OTHERWISE}"
    for node in _nodes(root):
        if isinstance(node, promql.Call) and node.func.name == "info":
            return f"info(..) reads target_info of every namespace: join what you need of it with on(..) {_OTHERWISE}"
        if isinstance(node, promql.VectorSelector) and not _confined(node, namespace):
            shown = node.prettify()
            shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}.."
            return f"the selector {shown} reads other namespaces: {_REMEDY} {_OTHERWISE}"
    return ""


def _nodes(root: promql.Expr) -> Iterator[promql.Expr]:
    """All of a tree, from the left. The parser's own walk copies each subtree at each node: minutes for what takes a
    millisecond here."""
    left = [root]
    while left:
        node = left.pop()
        yield node
        if isinstance(node, promql.MatrixSelector):
            left.append(node.vector_selector)
            continue
        below = [getattr(node, name, None) for name in _CHILDREN]
        arguments = node.args if isinstance(node, promql.Call) else ()
        left.extend(reversed([child for child in (*below, *arguments) if isinstance(child, promql.Expr)]))


def _confined(selector: promql.VectorSelector, namespace: str) -> bool:
    """Whether each of its alternatives (`or` between matchers, which VictoriaMetrics knows) has an equality with the
    namespace. A regular expression that only it would match is not looked at: there is no need to write one."""
    given = selector.matchers
    alternatives = [[*given.matchers, *one] for one in given.or_matchers] or [given.matchers]
    return bool(namespace) and all(
        any(m.name == NAMESPACE and m.op == promql.MatchOp.Equal and m.value == namespace for m in alternative)
        for alternative in alternatives
    )

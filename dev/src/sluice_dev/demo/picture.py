"""The timeline as a picture: weights, traffic and losses, with the operator's own words when they were said."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sluice_dev.demo.acts import Act
from sluice_dev.demo.report import SLOW_SECONDS, Evidence

COLOURS = {"v1": "#8d99ae", "v2": "#2a9d8f", "v3": "#e63946", "v4": "#f4a261", "v5": "#7b2cbf"}
NOBODY = "#111111"
SPOKEN = {"RolledBack": "rolled back", "Promoted": "promoted", "CandidateLost": "traffic back: no pod left"}
"""Events that stand in the picture: reason -> words."""


def draw(evidence: Evidence, versions: dict[str, str], path: Path) -> None:
    """Writes a PNG. versions: revision -> v1, v2, ..."""
    import matplotlib as mpl  # noqa: PLC0415 - a second to import, needed once at the end

    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 9, "axes.spines.top": False})
    zero = evidence.acts[0].begin
    end = evidence.acts[-1].end - zero
    figure, (weights, traffic, losses) = plt.subplots(
        3, 1, figsize=(15, 9), sharex=True, height_ratios=(3, 2, 1.6), constrained_layout=True
    )
    _weights(weights, evidence, versions, zero, end)
    _traffic(traffic, evidence, versions, zero, end)
    _losses(losses, evidence, versions, zero, end)
    for axis in (weights, traffic, losses):
        _acts(axis, evidence.acts, zero)
        axis.spines["right"].set_visible(False)
        axis.set_xlim(0, end)
    _titles(weights, evidence.acts, zero)
    losses.set_xlabel("seconds")
    figure.suptitle("Five versions of a model under 200 requests/s", x=0.01, ha="left", fontsize=15, weight="bold")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _weights(axis: Any, evidence: Evidence, versions: dict[str, str], zero: float, end: float) -> None:
    """Share of the live requests, as the route has it: a staircase per revision, stacked."""
    moments = [m for m in evidence.timeline.weights if m.at - zero <= end]
    times = [m.at - zero for m in moments] + [end]
    order = list(dict.fromkeys(revision for moment in moments for revision in moment.percent))
    shares = [[m.percent.get(revision, 0) for m in moments] for revision in order]
    shares = [share + share[-1:] for share in shares]
    axis.stackplot(
        times,
        shares,
        step="post",
        colors=[_colour(versions, revision) for revision in order],
        labels=[f"{versions.get(revision, '?')}  {revision}" for revision in order],
        alpha=0.9,
    )
    axis.set_ylim(0, 100)
    axis.set_ylabel("weight, %")
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, title="revision")
    _words(axis, evidence, versions, zero)


def _words(axis: Any, evidence: Evidence, versions: dict[str, str], zero: float) -> None:
    for told in evidence.timeline.told:
        if told.reason not in SPOKEN:
            continue
        at = told.at - zero
        revision = next((r for r in versions if r in told.message), "")
        colour = _colour(versions, revision)
        axis.axvline(at, color="white", linewidth=1.2)
        axis.axvline(at, color=colour, linewidth=1.2, linestyle=(0, (2, 2)))
        axis.annotate(
            _short(told.reason, told.message, versions.get(revision, "")),
            (at, 50),
            xytext=(5, 0),
            textcoords="offset points",
            rotation=90,
            va="center",
            fontsize=8,
            color="white" if told.reason != "Promoted" else "#0b3d36",
            bbox={"boxstyle": "round,pad=0.25", "fc": "#22223b" if told.reason != "Promoted" else "white", "lw": 0},
        )


def _short(reason: str, message: str, version: str) -> str:
    """`v3 rolled back: 33 of 61 requests failed (54%)`"""
    detail = message.partition("failed: ")[2].partition(" (")[0] if reason == "RolledBack" else ""
    if reason == "RolledBack" and not detail and "exited" in message:
        detail = "its containers exited twice"
    return f"{version} {SPOKEN[reason]}" + (f": {detail}" if detail else "")


def _traffic(axis: Any, evidence: Evidence, versions: dict[str, str], zero: float, end: float) -> None:
    """Requests per second that the gateway gave to each revision."""
    per_second: dict[str, Counter[int]] = defaultdict(Counter)
    for request in evidence.gateway:
        per_second[request.revision if request.upstream else ""][int(request.start - zero)] += 1
    times = list(range(int(end)))
    order = [revision for revision in versions if revision in per_second] + ([""] if "" in per_second else [])
    axis.stackplot(
        times,
        [[per_second[revision][t] for t in times] for revision in order],
        colors=[_colour(versions, revision) for revision in order],
        alpha=0.9,
    )
    axis.set_ylim(0, None)
    axis.set_ylabel("requests/s\nat the gateway")


def _losses(axis: Any, evidence: Evidence, versions: dict[str, str], zero: float, end: float) -> None:
    """Bad answers per second at the client, by the revision that gave them."""
    revision_of = {request.request_id: request.revision for request in evidence.gateway if request.upstream}
    bad: dict[str, Counter[int]] = defaultdict(Counter)
    for outcome in evidence.outcomes:
        if outcome.failed or outcome.took > SLOW_SECONDS:
            bad[revision_of.get(outcome.request_id, "")][int(outcome.due - zero)] += 1
    floor: Counter[int] = Counter()
    for revision, counts in bad.items():
        times = [t for t in sorted(counts) if t < end]
        axis.bar(
            times,
            [counts[t] for t in times],
            bottom=[floor[t] for t in times],
            width=1.0,
            align="edge",
            color=_colour(versions, revision),
            label="no pod was asked" if not revision else None,
        )
        floor.update(counts)
    total = sum(floor.values())
    axis.set_ylabel("bad answers/s\nat the client")
    axis.set_ylim(0, max([*floor.values(), 10]) * 1.2)
    axis.text(
        0.005, 0.92, f"{total} of {len(evidence.outcomes)} requests failed or took longer than {SLOW_SECONDS:g} s",
        transform=axis.transAxes, va="top",
    )  # fmt: skip
    if "" in bad:
        axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def _acts(axis: Any, acts: Sequence[Act], zero: float) -> None:
    for number, act in enumerate(acts):
        if number % 2:
            axis.axvspan(act.begin - zero, act.end - zero, color="#edf2f4", zorder=-5)
        axis.axvline(act.begin - zero, color="#adb5bd", linewidth=0.8, zorder=-4)


def _titles(axis: Any, acts: Sequence[Act], zero: float) -> None:
    """Above the acts, by turns on three levels: an act may be shorter than its title."""
    for number, act in enumerate(acts):
        axis.annotate(
            act.title,
            (act.begin - zero, 101.5 + 5 * (number % 3)),
            annotation_clip=False,
            va="bottom",
            fontsize=9,
            weight="bold",
            color=COLOURS[act.version],
        )


def _colour(versions: dict[str, str], revision: str) -> str:
    return COLOURS.get(versions.get(revision, ""), NOBODY)

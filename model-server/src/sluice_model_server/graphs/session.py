"""How is onnxruntime asked?"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from sluice_model_server.errors import ModelBroken


class Session:
    """onnxruntime with a reviewed graph, in one thread.

    It gets what was reviewed, written anew: neither fields that the review does not know nor bytes that only look
    like an ONNX model (onnxruntime has a format of its own) come to it. Nor does it rewrite the graph: its optimizers
    are native code that was not reviewed, and a model of a table gains nothing by them.
    """

    def __init__(self, content: bytes, outputs: Sequence[str]) -> None:
        """content: of a reviewed model, written by the review. outputs: names of those that `run` returns.

        Raises ModelBroken, or MemoryError.
        """
        # Not before it is needed, and never before a fork: importing it starts a thread.
        import onnxruntime  # noqa: PLC0415 - starts a thread: after the fork

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.enable_cpu_mem_arena = False  # it keeps what the largest batch once took
        options.log_severity_level = 4  # what is wrong is raised; its log would quote the file and the rows
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except Exception as error:  # whatever a crafted file makes it raise
            if _is_memory(error):
                raise MemoryError("onnxruntime got none") from error
            raise ModelBroken(f"onnxruntime cannot load it: {' '.join(str(error).split())}"[:400]) from error
        self._outputs = list(outputs)

    def run(self, feeds: Mapping[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """feeds: the inputs by name. Raises MemoryError, and what onnxruntime raises."""
        try:
            found: list[npt.NDArray[Any]] = self._session.run(self._outputs, dict(feeds))
        except Exception as error:
            if _is_memory(error):
                raise MemoryError("onnxruntime got none") from error
            raise
        return found


def _is_memory(error: Exception) -> bool:
    # C++'s exception reaches Python as one of onnxruntime's own, with its name in the text.
    return isinstance(error, MemoryError) or "std::bad_alloc" in str(error)

"""The least that this stack can do: a raw ASGI application on uvicorn with uvloop and httptools that reads a body and
answers a constant of the size of a prediction. `python -m sluice_dev.modelbench.hello PORT`"""

from __future__ import annotations

import sys
from typing import Any, Final

import uvicorn

_CONTENT: Final = (
    b'{"model_name":"m","model_version":"1","id":"0","outputs":[{"name":"label","datatype":"INT64","shape":[1],'
    b'"data":[1]},{"name":"probability","datatype":"FP64","shape":[1,2],"data":[0.1234567890123456,0.8765432109876544]}]}'
)
_START: Final = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(_CONTENT)).encode())],
}
_BODY: Final = {"type": "http.response.body", "body": _CONTENT}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Any request."""
    while (await receive()).get("more_body"):
        pass
    await send(_START)
    await send(_BODY)


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
    )

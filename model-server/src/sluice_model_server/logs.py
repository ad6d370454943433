"""How does the server log? One JSON object per line on stdout; never a payload, never an exception's text from a model
(scikit-learn quotes the offending value in it)."""

import logging
import sys
import traceback

import structlog


def configure(level: str) -> None:
    """Sends structlog's and the standard library's records (uvicorn) to stdout as JSON."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    # A record that cannot be written (stdout is closed) would else go to stderr with the traceback of the exception
    # that is being handled, and scikit-learn's quote the value.
    logging.raiseExceptions = False
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def where(error: BaseException) -> str:
    """`file:line function` of the innermost frame: enough to find a fault, without the values that caused it."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno} {frames[-1].name}" if frames else "unknown"

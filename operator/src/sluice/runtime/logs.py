"""How the operator's log looks: one line per event, JSON or for people, kopf's lines included."""

import logging
import sys
from typing import Literal

import structlog
from structlog.processors import JSONRenderer
from structlog.tracebacks import ExceptionDictTransformer


def configure(level: str, form: Literal["json", "text"]) -> None:
    """Send everything to standard error. level: DEBUG, INFO, ... form: json for machines, text for people."""
    before: list[structlog.types.Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    last: list[structlog.types.Processor] = (
        # Without local variables: they hold credentials.
        [structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)), JSONRenderer()]
        if form == "json"
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)

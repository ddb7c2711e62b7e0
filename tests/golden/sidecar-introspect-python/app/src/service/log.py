"""Writes one JSON object per event to standard output."""

import json
import sys
from datetime import datetime, timezone


def log(level: str, message: str, **fields: object) -> None:
    """Writes one event; the fields stand beside time, level and message."""
    time = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = {"time": time, "level": level, "message": message, **fields}
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()

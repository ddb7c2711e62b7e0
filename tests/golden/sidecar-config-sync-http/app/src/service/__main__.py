"""Runs the service: `python3 -m service`."""

import os
import signal
import sys
import threading

from .config import Config, ConfigError
from .log import log
from .server import Service


def main() -> int:
    try:
        config = Config.from_env(os.environ)
        service = Service(config)
    except (ConfigError, OSError) as error:
        log("error", str(error))
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    host, port = service.server_address[:2]
    log("info", "listening", host=host, port=port)
    stop.wait()
    log("info", "draining")
    if not service.drain():
        log("warn", "requests were still under way when the grace ran out")
    log("info", "stopped")
    return 0


sys.exit(main())

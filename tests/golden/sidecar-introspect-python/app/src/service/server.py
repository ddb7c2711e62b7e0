"""Answers HTTP requests until it is told to stop, then finishes those under way."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .config import Config
from .log import log


class Service(ThreadingHTTPServer):
    """The server; knows how many requests are under way and whether it is draining."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, config: Config) -> None:
        if ":" in config.host:
            self.address_family = socket.AF_INET6
        super().__init__((config.host, config.port), Handler)
        self.config = config
        self.draining = threading.Event()
        self._under_way = 0
        self._changed = threading.Condition()

    @contextmanager
    def request_under_way(self) -> Iterator[None]:
        """Makes `drain` wait for the block inside."""
        with self._changed:
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def drain(self) -> bool:
        """Stops accepting, then waits for the requests under way; False when the grace ran out."""
        self.draining.set()
        self.shutdown()
        self.socket.close()
        with self._changed:
            return self._changed.wait_for(lambda: self._under_way == 0, self.config.shutdown_grace)

    def handle_error(self, request, client_address) -> None:
        """A client that went away is not this service's failure."""
        log("warn", "connection ended early", client=client_address[0])


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Service
    protocol_version = "HTTP/1.1"
    server_version = "service"
    sys_version = ""
    timeout = 30  # seconds that a client may be silent

    def do_GET(self) -> None:
        with self.server.request_under_way():
            started = time.monotonic()
            status, content_type, body = self._answer(self.path.partition("?")[0])
            self._send(status, content_type, body)
            if self.path not in ("/livez", "/readyz"):
                milliseconds = round((time.monotonic() - started) * 1000, 3)
                log("info", "request", method=self.command, path=self.path, status=int(status), milliseconds=milliseconds)

    do_HEAD = do_GET

    def _answer(self, path: str) -> tuple[HTTPStatus, str, str]:
        if path == "/":
            page = {"greeting": self.server.config.greeting, "host": socket.gethostname()}
            return HTTPStatus.OK, "application/json", json.dumps(page) + "\n"
        if path == "/livez":
            return HTTPStatus.OK, "text/plain", "ok\n"
        if path == "/readyz":
            if self.server.draining.is_set():
                return HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", "draining\n"
            return HTTPStatus.OK, "text/plain", "ok\n"
        return HTTPStatus.NOT_FOUND, "text/plain", "not found\n"

    def _send(self, status: HTTPStatus, content_type: str, body: str) -> None:
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        if self.server.draining.is_set() or "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            # A body is never read, so the connection can't be used again.
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are logged as JSON by `do_GET`."""

import contextlib
import http.client
import io
import json
import threading
import unittest

from service.config import Config
from service.server import Service


class ServerTest(unittest.TestCase):
    def setUp(self):
        self.enter(contextlib.redirect_stdout(io.StringIO()))
        self.service = Service(Config(host="127.0.0.1", port=0, greeting="Hi", shutdown_grace=5.0))
        self.addCleanup(self.service.server_close)
        self.thread = threading.Thread(target=self.service.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.addCleanup(self.thread.join)
        self.addCleanup(self.service.shutdown)

    def enter(self, context):
        context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)

    def fetch(self, path, method="GET"):
        connection = http.client.HTTPConnection(*self.service.server_address[:2], timeout=5)
        self.addCleanup(connection.close)
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode()

    def test_greets(self):
        status, body = self.fetch("/?from=test")
        self.assertEqual(status, 200)
        self.assertEqual(json.loads(body)["greeting"], "Hi")

    def test_is_live_and_ready(self):
        self.assertEqual(self.fetch("/livez"), (200, "ok\n"))
        self.assertEqual(self.fetch("/readyz"), (200, "ok\n"))

    def test_is_not_ready_while_draining(self):
        self.service.draining.set()
        self.assertEqual(self.fetch("/readyz"), (503, "draining\n"))
        self.assertEqual(self.fetch("/livez"), (200, "ok\n"))

    def test_head_has_no_body(self):
        self.assertEqual(self.fetch("/livez", "HEAD"), (200, ""))

    def test_does_not_know_other_pages_and_methods(self):
        self.assertEqual(self.fetch("/nothing")[0], 404)
        self.assertEqual(self.fetch("/", "DELETE")[0], 501)

    def test_drain_waits_for_the_request_under_way(self):
        release, started = threading.Event(), threading.Event()

        def slow_request():
            with self.service.request_under_way():
                started.set()
                release.wait(5)

        request = threading.Thread(target=slow_request)
        request.start()
        started.wait(5)
        drained = []
        drain = threading.Thread(target=lambda: drained.append(self.service.drain()))
        drain.start()
        self.assertTrue(self.service.draining.wait(5))
        self.assertEqual(drained, [])
        release.set()
        drain.join(5)
        request.join(5)
        self.assertEqual(drained, [True])

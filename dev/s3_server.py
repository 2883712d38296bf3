"""An S3 server in memory for tests: moto with atomic writes and, on request, random faults.

Serves one port of 127.0.0.1 until SIGTERM, accepts every credential, and loses all objects at the end.

It differs from plain moto in two ways. First, only one write runs at a time. Plain moto checks whether an object exists and
then writes it, so two concurrent conditional writes could both succeed, which S3 never allows. Second, with --faults SEED
some requests fail, drawn from a random generator with that seed:

  before   answered 500 or 503, not performed
  after    performed, and answered 500 or 503: the client cannot know whether the write took place
  slow     answered after 0.05 to 3 seconds

With --faults, the counts of these requests are printed at the end.
"""

import argparse
import collections
import random
import signal
import sys
import threading
import time

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
from werkzeug.test import Client
from werkzeug.wrappers import Response

# How many of 100 requests fail in each way. Most must succeed: a client gives up after some seconds of faults in a row.
BEFORE, AFTER, SLOW = 12, 8, 5
ERRORS = [(500, "InternalError"), (503, "SlowDown")]


class OneWriteAtATime:
    def __init__(self, app):
        self.app = app
        self.lock = threading.Lock()

    def __call__(self, environ, start_response):
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return self.app(environ, start_response)
        with self.lock:
            return list(self.app(environ, start_response))


class Faults:
    def __init__(self, app, seed):
        self.app = app
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.counts = collections.Counter()

    def __call__(self, environ, start_response):
        with self.lock:
            draw, error = self.random.uniform(0, 100), self.random.choice(ERRORS)
            # Most delays are short, because the tests send thousands of requests.
            seconds = min(3.0, 0.05 + self.random.expovariate(2.0))
            kind = self.kind(draw)
            self.counts[kind] += 1
        if kind == "before":
            # Read the body: otherwise the client sees a broken connection instead of the answer.
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return self.answer(error)(environ, start_response)
        if kind == "after":
            list(self.app(environ, lambda *_: None))
            return self.answer(error)(environ, start_response)
        if kind == "slow":
            time.sleep(seconds)
        return self.app(environ, start_response)

    @staticmethod
    def kind(draw):
        for kind, share in (("before", BEFORE), ("after", AFTER), ("slow", SLOW)):
            if draw < share:
                return kind
            draw -= share
        return "well"

    @staticmethod
    def answer(error):
        status, code = error
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>a fault of dev/s3_server.py</Message></Error>"
        return Response(body, status=status, content_type="application/xml")


def main():
    parser = argparse.ArgumentParser(description="an S3 in memory, for tests")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bucket", required=True, help="the bucket there is")
    parser.add_argument("--faults", type=int, metavar="SEED", help="let requests go wrong, drawn with this seed")
    arguments = parser.parse_args()

    app = OneWriteAtATime(DomainDispatcherApplication(create_backend_app))
    made = Client(app).put(f"/{arguments.bucket}", headers={"Host": "localhost"})
    if made.status_code != 200:
        sys.exit(f"bucket {arguments.bucket} could not be created: {made.status} {made.get_data(as_text=True)}")
    faults = None
    if arguments.faults is not None:
        app = faults = Faults(app, arguments.faults)
        print(f"faults drawn with seed {arguments.faults}", flush=True)

    server = make_server("127.0.0.1", arguments.port, app, threaded=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("listening", flush=True)
    try:
        server.serve_forever()
    finally:
        if faults:
            counts = ", ".join(f"{kind} {count}" for kind, count in sorted(faults.counts.items()))
            print(f"requests with seed {arguments.faults}: {counts}", flush=True)


if __name__ == "__main__":
    main()

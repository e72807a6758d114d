"""A load balancing worker: its own HTTP server, no SDK. It is the image `test.local/worker-server`.
Never knows that it runs in a test; answers 418 with what it was asked."""

import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BEGAN = time.monotonic()
WARM_UP_S = float(os.environ.get("WARM_UP_S", "0"))
HEALTH = "/" + os.environ.get("HEALTH_CHECK_PATH", "/ping").lstrip("/")


class Handler(BaseHTTPRequestHandler):
    sick_until = 0.0

    def answer(self):
        warm = time.monotonic() - BEGAN >= WARM_UP_S
        if self.path == HEALTH:
            self.send_response(500 if time.monotonic() < Handler.sick_until else 200 if warm else 204)
            self.end_headers()
            return
        verb, _, amount = self.path.lstrip("/").partition("/")
        if verb == "sick":
            Handler.sick_until = time.monotonic() + float(amount)
        if verb == "slow":
            time.sleep(float(amount))
        if verb == "die":
            os._exit(3)
        if verb == "parts":
            self.send_response(200)
            self.end_headers()
            for number in range(3):
                self.wfile.write(f"part {number}\n".encode())
                self.wfile.flush()
                time.sleep(0.3)
            return
        told = {
            "line": f"{self.command} {self.path}",
            "body": self.rfile.read(int(self.headers.get("content-length", "0"))).decode(),
            "mine": self.headers.get("x-mine"),
            "port": os.environ.get("PORT"),
            "pid": os.getpid(),
            "warm": warm,
        }
        body = json.dumps(told).encode()
        self.send_response(418)
        self.send_header("x-server", "own")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = answer


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()

"""Pulumi's dynamic provider as a process that several runs share, with short waits: `python attached_provider.py`.
Prints its port. Pulumi's own server; only `Attach`, which the engine wants of a running one, is added."""

import runpy
import time

from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2_grpc

LONGEST_WAIT_S = 0.02
_sleep = time.sleep


def _attach(_self: object, _request: object, _context: object) -> empty_pb2.Empty:
    return empty_pb2.Empty()


if __name__ == "__main__":
    # Before our clients are imported, which bind it: a network that stays down is given up in a second, not in ten.
    time.sleep = lambda seconds: _sleep(min(seconds, LONGEST_WAIT_S))
    provider_pb2_grpc.ResourceProviderServicer.Attach = _attach
    runpy.run_module("pulumi.dynamic", run_name="__main__")

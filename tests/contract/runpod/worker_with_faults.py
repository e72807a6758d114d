"""Broken images. `says`: prints $SAYS, then hangs, or exits with $EXITS. `deaf`: asks for a job once, then never
again, although its container runs and pings."""

import contextlib
import os
import sys
import time
import urllib.request

if sys.argv[1] == "says":
    print(os.environ["SAYS"], flush=True)
    if "EXITS" in os.environ:
        sys.exit(int(os.environ["EXITS"]))
else:
    worker, key = os.environ["RUNPOD_POD_ID"], {"Authorization": os.environ["RUNPOD_AI_API_KEY"]}
    take = os.environ["RUNPOD_WEBHOOK_GET_JOB"].replace("$ID", worker) + "&job_in_progress=0"
    ping = os.environ["RUNPOD_WEBHOOK_PING"].replace("$RUNPOD_POD_ID", worker)
    address = take
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(urllib.request.Request(address, headers=key), timeout=1)
        address = ping
        time.sleep(0.3)
time.sleep(3600)

"""What the machine does to a process that does nothing: `python _idle.py PERIOD_S`.

It wakes at absolute deadlines until its input is closed, then prints how late each wake-up was, in microseconds, as one line
of JSON. It imports nothing of bcikit.
"""

import json
import sys
import threading
import time

period = float(sys.argv[1])
ended = threading.Event()


def listen() -> None:
    sys.stdin.read()
    ended.set()


threading.Thread(target=listen, daemon=True).start()
late = []
due = time.monotonic()
while not ended.is_set():
    due += period
    time.sleep(max(due - time.monotonic(), 0))
    late.append(round((time.monotonic() - due) * 1e6))
    due = max(due, time.monotonic() - period)
print(json.dumps(late))

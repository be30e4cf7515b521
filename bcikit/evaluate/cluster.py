"""Work on a Dask cluster. One on this machine is like more processes; one beyond it is a place that data leave for, and
everybody in them must have granted that (`network`)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from ..core.clock import WALL
from ..core.errors import DeviceTrouble, WrongUse
from ..core.label import Label
from ..ethics.gate import Gate

WAIT_S = 5.0
LOOK_S = 0.05  # from one look at what is done to the next
TRIES = 3  # for a piece of work whose worker was lost


def over(
    address: str, work: Callable[[Any], Any], jobs: Sequence[Any], gate: Gate, labels: Iterable[Label]
) -> Iterator[Any]:
    """What `work` gives for each job, in the order in which they are done; a lost worker's job is done by another.
    Raises WrongUse without Dask, DeviceTrouble where nobody answers or all workers die, NotConsented where a worker is not
    on this machine and somebody did not grant `network`."""
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise WrongUse("A cluster needs Dask.", do="pip install 'bcikit[scale]'") from None
    if not local(address):
        _granted(gate, labels)
    try:
        client = Client(address, timeout=WAIT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        why = f"{type(error).__name__}: {str(error)[:200]}"
        raise DeviceTrouble(f"No Dask scheduler answers at {address}.", why, "dask scheduler; dask worker ADDRESS") from None
    with client:
        workers = client.scheduler_info(n_workers=-1)["workers"]
        if not all(local(worker) for worker in workers):
            _granted(gate, labels)
        if not workers:
            raise DeviceTrouble(f"The scheduler at {address} has no worker.", do=f"dask worker {address}")
        # a worker that joins later was not looked at: nothing is sent there
        futures = client.map(work, jobs, pure=False, retries=TRIES, workers=list(workers), allow_other_workers=False)
        # ready is what is here: a result that its worker still holds can be lost with it
        done = as_completed(futures, loop=client.loop, with_results=True)
        while done.count():
            if done.has_ready():
                future, result = next(done)
                if future.cancelled():
                    raise DeviceTrouble(f"The scheduler at {address} dropped a piece of work.", do="The same command again.")
                yield result
            elif workers.keys() & client.scheduler_info(n_workers=-1)["workers"].keys():
                WALL.sleep_until(WALL.now() + LOOK_S)
            else:  # nobody is left who may do it, and waiting would have no end
                raise DeviceTrouble(
                    f"All {len(workers)} workers of {address} are gone.",
                    "They were ended, or ran out of memory. What was done is kept.",
                    f"dask worker {address}; then the same command again, which goes on where it was",
                )


def local(address: str) -> bool:
    """Whether tcp://HOST:PORT is this machine, as its address says."""
    host = urlsplit(address).hostname or ""
    if address.startswith("inproc://") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _granted(gate: Gate, labels: Iterable[Label]) -> None:
    for label in dict.fromkeys(labels):
        gate.check("network", label)

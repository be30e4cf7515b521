"""A real Dask cluster of two processes on this machine: the same numbers, though one is killed half-way."""

from __future__ import annotations

import os
import signal
import time

import pytest

from bcikit.core.errors import DeviceTrouble, NotConsented
from bcikit.core.label import Label
from bcikit.ethics.gate import Gate
from bcikit.evaluate.cluster import local, over
from bcikit.evaluate.evaluate import evaluate

distributed = pytest.importorskip("distributed", reason="left out: Dask is not installed (pip install 'bcikit[scale]')")
MDM = "pyriemann:MDM"

# tornado and distributed leave sockets to the garbage collector when a worker is killed
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", silence_logs=50
    ) as its:
        yield its


@pytest.mark.filterwarnings("ignore")
def test_a_worker_killed_half_way_changes_no_number(tagged, cluster):
    card, root = tagged
    alone = evaluate(str(card), root, [MDM], "within", use_cache=False)
    killed = []

    def kill_one(done, of, what):
        if not killed:
            killed.append(next(iter(cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    address = cluster.scheduler_address
    together = evaluate(str(card), root, [MDM], "within", use_cache=False, scheduler=address, progress=kill_one)
    assert killed and together == alone


def test_a_cluster_beyond_this_machine_needs_a_grant_of_its_own():
    gate, label = Gate(), Label(subjects=frozenset({"S1"}), purposes=frozenset({"research"}), recorded=True)
    with pytest.raises(NotConsented, match=r"network"):
        next(over("tcp://192.0.2.1:8786", len, [()], gate, [label]))
    gate.consent.enrol("S1", "an orange horse")
    gate.consent.grant("S1", "research", ["network"], 1, passphrase="an orange horse")
    with pytest.raises(DeviceTrouble, match="No Dask scheduler answers"):
        next(over("tcp://192.0.2.1:8786", len, [()], gate, [label]))


def _where(_):
    time.sleep(0.3)
    return distributed.get_worker().address


@pytest.mark.filterwarnings("ignore")
def test_a_worker_that_joins_later_gets_nothing(cluster):
    known = set(cluster.scheduler_info["workers"])
    results = over(cluster.scheduler_address, _where, range(24), Gate(), [])
    where = [next(results)]
    cluster.scale(3)
    cluster.wait_for_workers(3)
    assert {*where, *results} == known


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_whose_workers_all_die_is_said_and_not_waited_for(cluster):
    results = over(cluster.scheduler_address, _where, range(24), Gate(), [])
    next(results)
    cluster.scale(0)
    with pytest.raises(DeviceTrouble, match=r"All 2 workers .* are gone"):
        list(results)


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_without_workers_is_said():
    with distributed.LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", silence_logs=50) as empty:
        with pytest.raises(DeviceTrouble, match="no worker"):
            next(over(empty.scheduler_address, _where, range(2), Gate(), []))


def test_what_is_local_is_read_from_the_address():
    assert local("tcp://127.0.0.1:1") and local("tcp://localhost:1") and local("tcp://[::1]:1") and local("inproc://x")
    assert not local("tcp://10.0.0.1:1") and not local("tls://lab.example:1") and not local("")

"""Make bcikit/tasks/calibration.safetensors: what a decoder learns on the simulated implant that `bcikit demo` shows."""

from __future__ import annotations

from safetensors.numpy import save_file

from bcikit.acquire.units import Units
from bcikit.core.clock import JumpClock
from bcikit.decode.kinematics.steering import Steering
from bcikit.ethics.gate import Gate
from bcikit.simulate.loop_facts import fact, fingerprint
from bcikit.tasks.closed_loop import ClosedLoop
from bcikit.tasks.grid import Grid
from bcikit.tasks.shipped import FILE, SEED, UNITS
from bcikit.tasks.world import STEP_S

if __name__ == "__main__":
    task = Grid([SEED], STEP_S, fact("dwell_s"))
    loop = ClosedLoop(Units(n=UNITS, seed=SEED), Steering(), task, Gate(), JumpClock())
    for _ in loop.run(calibrate=True, seconds=30):
        pass
    save_file(loop.decoder.learned(), FILE, {"parameters": fingerprint(), "simulated": "true"})
    print(f"{FILE.name}: {loop.facts()['bits_per_s']:.2f} bits/s afterwards (simulated)")

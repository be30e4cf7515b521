"""timeflux's side of `bench peers`, run by the Python of its own environment: its IIR nodes with the same sections, called
one after the other as its scheduler does."""

import numpy as np
import pandas as pd
from _turns import Power, serve
from timeflux_dsp.nodes.filters import IIRFilter


def start(work, x):
    n, rate = work["n"], work["rate"]
    nodes = [IIRFilter(rate=rate, sos=np.array(sos)) for sos in work["filters"]]
    names, power = [f"c{i}" for i in range(x.shape[1])], Power(work)
    begin = pd.Timestamp("2000-01-01")

    def step(i):
        at = i * n % len(x)
        index = begin + pd.to_timedelta((i * n + np.arange(n)) / rate, unit="s")
        data = pd.DataFrame(x[at : at + n], index=index, columns=names)
        for node in nodes:
            node.clear()
            node.i.data, node.i.meta = data, {"rate": rate}
            node.update()
            data = node.o.data
        return power(data.to_numpy())

    return step


if __name__ == "__main__":
    serve(start)

"""`pixelwise train` for given seconds of a given clock; the last line is JSON with the seconds that the command took.

    python pixelwise_on_clock.py cpu SECONDS train DATASET --output RUN ...

The seconds begin with the process, as those of the peers do: what the imports leave of them is the budget. By the
clock `cpu` Pixelwise sees processor time wherever it asks for time, so that other work on the machine does not decide.
"""

import importlib
import json
import sys
import time

from clock import CLOCKS


def main():
    clock, seconds, *arguments = sys.argv[1:]
    now = CLOCKS[clock]
    if clock == "cpu":
        # torch is imported by now, and with it what waits for threads and processes: that keeps the real clock.
        time.monotonic = now
    importlib.import_module("pixelwise.api.training")
    from pixelwise import cli

    code = cli.main([*arguments, "--budget", f"{float(seconds) - now():.2f}s"])
    print(json.dumps({"seconds": now()}))
    sys.exit(code)


if __name__ == "__main__":
    main()

"""Run a sweep on two nodes, more of it while a worker is killed, and one at a rate whose coordinator is killed.

What came of them is printed as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from runner.emulator.settings import EmulatorSettings
from tests.distributed.ray_nodes import KEY, command, kill, nodes, processes
from tests.emulator_thread import EmulatorThread

FIRST, ALL = 4, 10
AT_A_RATE, KILLED_AT = 30, 12
PER_MINUTE = 300
USD = 0.4


def main() -> None:
    """Take the directory where the user stands, and one of rendered clips."""
    place, media = Path(sys.argv[1]), Path(sys.argv[2])
    settings = EmulatorSettings(state_file=place / "emulator.sqlite3", media_dir=media, shared_clips=True, latency=2)
    told = {}
    with EmulatorThread(settings) as server, nodes(2) as cluster:
        usual = [
            *("provider=openai", f"provider.base_url={server.base_url}", "request=draft", "hydra.sweep.dir=out"),
            *("provider.poll_interval=0.1", "provider.retired_models=off", "progress=plain"),
            *("hydra/launcher=runner_ray", "ray.num_workers=2"),
        ]
        for name, runs in (("first", FIRST), ("second", ALL)):
            prompts = ",".join(f"shot {number}" for number in range(runs))
            typed = ["-m", f"request.prompt={prompts}", f"budget.max_usd={runs * USD}", *usual]
            process = command(typed, place, cluster.address)
            killed = 0
            while name == "second" and process.poll() is None and not killed:
                # Of a request that is cut off on its way nobody can say whether it was carried out.
                if server.ledger()["jobs"] >= ALL:
                    for worker in processes("ray::RayWorker.run")[:1]:
                        kill(worker)
                        killed += 1
                time.sleep(0.05)
            output = process.communicate()[0]
            jobs = [job["id"] for job in server.ledger()["created"]]
            told[name] = {"output": output, "code": process.returncode, "killed": killed, "jobs": jobs}
        before = server.ledger()["jobs"]
        own = ["request.prompt=At a rate", f"provider.requests_per_minute={PER_MINUTE}", "hydra.sweep.dir=rated"]
        process = command(["-m", f"replica=range({AT_A_RATE})", *usual, *own], place, cluster.address)
        while process.poll() is None and server.ledger()["jobs"] < before + KILLED_AT:
            time.sleep(0.05)
        for coordinator in processes("ray::Coordinator"):
            kill(coordinator)
        output = process.communicate()[0]
        made = [job["created"] for job in server.ledger()["created"][before:]]
        told["rated"] = {"output": output, "code": process.returncode, "made": made}
        process = command(["resume", "rated", "ray.num_workers=2", "progress=plain"], place, cluster.address)
        output = process.communicate()[0]
        jobs = [job["id"] for job in server.ledger()["created"][before:]]
        told["resumed"] = {"output": output, "code": process.returncode, "jobs": jobs}
    files = [path for root in (os.environ["RAY_TMPDIR"], place) for path in Path(root).rglob("*") if path.is_file()]
    told["files"] = len(files)
    told["keys"] = [str(path) for path in files if KEY.encode() in path.read_bytes()]
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()

"""A Slurm of this machine alone: `srun` and `scontrol` as far as our job scripts call them.

Machines are loopback addresses. `srun` runs its command here, once for each machine that is asked for, and notes its
options.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

_SCONTROL = """#!/bin/bash
[ "$1 $2" = "show hostnames" ] || exit 64
tr ',' '\\n' <<< "$3"
"""

_SRUN = """#!/bin/bash
echo "$@" >> "$FAKE_SLURM/steps"
machines="$SLURM_JOB_NODELIST"
while [[ "$1" == --* ]]; do
    [[ "$1" == --nodelist=* ]] && machines="${1#*=}"
    shift
done
trap 'kill -TERM $(jobs -p)' TERM INT
for machine in ${machines//,/ }; do
    SLURMD_NODENAME="$machine" "$@" &
done
code=0
for job in $(jobs -p); do
    wait "$job" || code=$?
done
exit "$code"
"""


def submit(script: Path, arguments: Sequence[str], folder: Path, variables: dict[str, str]) -> subprocess.Popen[str]:
    """Run a job script on two machines, as `sbatch` would.

    Args:
        script: what is submitted.
        arguments: of the script.
        folder: receives the commands, and in `steps` the arguments of every `srun`.
        variables: the environment.
    """
    for name, text in (("scontrol", _SCONTROL), ("srun", _SRUN)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    job = {
        "FAKE_SLURM": str(folder),
        "PATH": f"{folder}{os.pathsep}{variables['PATH']}",
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_JOB_NODELIST": "127.0.0.5,127.0.0.6",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_CPUS_PER_TASK": "1",
    }
    return subprocess.Popen(
        ["bash", str(script), *arguments],
        env={**variables, **job},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )

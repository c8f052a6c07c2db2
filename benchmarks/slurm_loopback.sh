#!/usr/bin/env bash
# A Slurm cluster on this machine alone: munge, slurmctld and two slurmd on loopback, in a folder that goes
# with it; then a command on it, of which one slurmd is killed meanwhile.
#
#   sudo apt-get install -y slurm-wlm munge
#   bash benchmarks/slurm_loopback.sh [--kill-after SECONDS] COMMAND…
#
# COMMAND finds sbatch, srun and squeue configured. With --kill-after the slurmd of a node, and all that it
# started, are killed so many seconds after a job began there, as when a machine loses its power. As root.
set -euo pipefail

kill_after=0
if [ "${1:-}" = --kill-after ]; then
  kill_after=$2
  shift 2
fi
[ $# -gt 0 ] || { sed -n '2,11p' "$0"; exit 2; }

folder=$(mktemp -d)
chmod 755 "$folder"
host=$(hostname -s)
export SLURM_CONF=$folder/slurm.conf
pids=()

finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
  sleep 1
  pkill -KILL -F "$folder/slurmd.n1.pid" 2> /dev/null || true
  pkill -KILL -F "$folder/slurmd.n2.pid" 2> /dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

# Who may ask whom is decided by a key that both sides hold.
mkdir -m 700 "$folder/munge"
head -c 1024 /dev/urandom > "$folder/munge/key"
chmod 400 "$folder/munge/key"
mkdir -m 755 "$folder/socket"
munged --foreground --force --key-file="$folder/munge/key" --socket="$folder/socket/munge" \
  --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed" \
  > "$folder/munged.out" 2>&1 &
pids+=($!)

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])'; }
memory=$(awk '/MemAvailable/ {print int($2 / 1024 / 4)}' /proc/meminfo)
cat > "$SLURM_CONF" << EOF
ClusterName=loopback
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/socket/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool.%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.%n.log
SwitchType=switch/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
JobRequeue=1
SlurmdTimeout=20
InactiveLimit=0
MinJobAge=300
SchedulerParameters=batch_sched_delay=1,sched_interval=5
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(free_port) CPUs=1 RealMemory=$memory
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(free_port) CPUs=1 RealMemory=$memory
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=60 State=UP
EOF
mkdir "$folder/state" "$folder/spool.n1" "$folder/spool.n2"

for _ in $(seq 50); do [ -S "$folder/socket/munge" ] && break; sleep 0.1; done
slurmctld -D > "$folder/slurmctld.out" 2>&1 &
pids+=($!)
for node in n1 n2; do
  slurmd -D -N "$node" > "$folder/slurmd.$node.out" 2>&1 &
  pids+=($!)
done
for _ in $(seq 60); do
  [ "$(sinfo --noheader --format=%T --Node 2> /dev/null | grep -c idle)" = 2 ] && break
  sleep 1
done
sinfo --Node || { cat "$folder"/*.out "$folder"/*.log; exit 1; }

descendants() {
  for child in $(pgrep -P "$1"); do
    echo "$child"
    descendants "$child"
  done
}

lose_a_node() {
  for _ in $(seq 120); do
    node=$(squeue --noheader --states=RUNNING --format=%N | head -1)
    [ -n "$node" ] && break
    sleep 1
  done
  sleep "$kill_after"
  squeue --array
  daemon=$(cat "$folder/slurmd.$node.pid")
  # What a job started is the child of a slurmstepd, which left its slurmd: it is known by its node.
  steps=$(pgrep slurmstepd || true)
  echo "--- slurmd of $node is killed, with its jobs"
  lost=$(for step in $steps; do
    grep -qz "SLURMD_NODENAME=$node" "/proc/$(pgrep -P "$step" | head -1)/environ" 2> /dev/null \
      && { echo "$step"; descendants "$step"; }
  done; true)
  # shellcheck disable=SC2086
  kill -STOP "$daemon" $lost 2> /dev/null || true  # first, so that none sees another die
  # shellcheck disable=SC2086
  kill -KILL "$daemon" $lost 2> /dev/null || true
  sleep 5
  sinfo --Node
  squeue --array
}
[ "$kill_after" = 0 ] || lose_a_node &

status=0
"$@" || status=$?
sinfo --Node
exit "$status"

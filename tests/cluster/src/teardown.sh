#!/bin/sh
# Removes every trace of one test cluster: teardown.sh DIR ID
#
# One script for all who clean up: `cluster down`, the library, the next run after a crash, and the watchdog, which has
# to work after the owner was killed and with no program of ours at hand. It may run twice at once and again after
# having been interrupted.
set -u
dir=$1
id=$2
mark="BLUEGREEN_CLUSTER_ID=$id."

# The kernel keeps the environment that each process was started with, so a recycled pid is never mistaken for ours.
marked() {
    grep -lsaF "$mark" /proc/[0-9]*/environ | cut -d/ -f3 | grep -vx "$$"
}
# Containers have an environment of their own, and a cgroup of ours.
contained() {
    find /sys/fs/cgroup/"bluegreen-$id" /sys/fs/cgroup/*/"bluegreen-$id" -name cgroup.procs -exec cat {} + 2>/dev/null
}

# What we start from here on must not look like a process of the cluster.
unset BLUEGREEN_CLUSTER_ID
round=0
while [ "$round" -lt 100 ]; do
    pids=$(marked; contained)
    [ -n "$pids" ] || break
    # shellcheck disable=SC2086
    kill -9 $pids 2>/dev/null
    round=$((round + 1))
    sleep 0.05
done

# Mount and network namespaces of nodes, with all that is mounted and routed in them, ended with their last process.
# Only the machine's side of the network is left.
for link in /sys/class/net/"bg$id"*; do
    [ -e "$link" ] && ip link delete "${link##*/}" 2>/dev/null
done
# A cgroup is busy for a moment after its last process.
round=0
while [ "$round" -lt 40 ]; do
    groups=$(find /sys/fs/cgroup/"bluegreen-$id" /sys/fs/cgroup/*/"bluegreen-$id" -depth -type d 2>/dev/null)
    [ -n "$groups" ] || break
    for group in $groups; do rmdir "$group" 2>/dev/null; done
    round=$((round + 1))
    [ -d "$group" ] && sleep 0.05
done
# The state goes last: as long as anything is there, it can be found by whoever cleans up next.
find "$dir" -mindepth 1 -maxdepth 1 ! -name state.json -exec rm -rf --one-file-system {} + 2>/dev/null
rm -rf --one-file-system "$dir"
[ ! -e "$dir" ]

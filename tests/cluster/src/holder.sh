# The first process of a real node: holder.sh DIR. Runs in mount and network namespaces of its own, which end with the
# node's last process, and all that is mounted and routed in them too.
set -e
# The node's programs use their usual places, but what they see there is the node's own.
for place in /var/lib/containerd /var/lib/kubelet /var/lib/cni /var/log/containers /var/log/pods /run/containerd /run/netns; do
    mkdir -p "$place" "$1$place"
    mount --bind "$1$place" "$place"
done
# The kubelet would set these for the whole machine; it leaves alone what has the wanted value already.
mkdir -p "$1/sysctl"
while read -r name value; do
    [ -e "/proc/sys/$name" ] || continue
    echo "$value" > "$1/sysctl/${name##*/}"
    mount --bind "$1/sysctl/${name##*/}" "/proc/sys/$name"
done <<TUNABLES
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
TUNABLES
: > "$1/prepared"
exec sleep infinity

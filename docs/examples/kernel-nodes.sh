#!/usr/bin/env bash
# A kubemu cluster whose data plane is the real kernel: a master and nodes in network namespaces of
# their own, on a bridge 10.77.0.0/24. Needs root.
#   docs/examples/kernel-nodes.sh up [NODES]     default: 2
#   docs/examples/kernel-nodes.sh kubectl ...    as usual
#   docs/examples/kernel-nodes.sh down           removes all of it
# KUBEMU_BIN: the folder of the programs (default build/bin). To look around:
#   ip netns exec kk-n1 iptables-save -t nat; ip -n kk-n1 route; ip netns exec kk-m curl 10.77.0.11:30080
set -euo pipefail
bin=$(realpath "${KUBEMU_BIN:-$(dirname "$0")/../../build/bin}")
home=${KUBEMU_KERNEL_HOME:-/tmp/kubemu-kernel-nodes}

start() {  # NAMESPACE LOG PROGRAM...
  local space=$1 log=$2
  shift 2
  ip netns exec "$space" setsid "$@" >"$home/$log.log" 2>&1 </dev/null &
}

join() {  # NAMESPACE NUMBER: a namespace on the bridge with address 10.77.0.NUMBER
  ip netns add "$1"
  ip -n "$1" link set lo up
  ip -n kk-m link add "port$2" type veth peer name uplink netns "$1"
  ip -n kk-m link set "port$2" master br0 up
  ip -n "$1" address add "10.77.0.$2/24" dev uplink
  ip -n "$1" link set uplink up
  ip -n "$1" route add default via 10.77.0.1  # or no packet for a ClusterIP gets as far as the rules
}

case ${1:-} in
  up)
    mkdir -p "$home"
    ip netns add kk-m
    ip -n kk-m link set lo up
    ip -n kk-m link add br0 type bridge
    ip -n kk-m address add 10.77.0.1/24 dev br0
    ip -n kk-m link set br0 up
    start kk-m master "$bin/kubemu-master" --endpoint tcp://10.77.0.1:7100 \
      --listen 127.0.0.1:6443 --data "$home/master" --insecure
    for ((i = 1; i <= ${2:-2}; ++i)); do
      join "kk-n$i" $((10 + i))
      start "kk-n$i" "n$i" "$bin/kubemu-node" --name "n$i" --address "10.77.0.$((10 + i))" \
        --master tcp://10.77.0.1:7100 --insecure --dataplane kernel
    done
    echo "logs: $home; next: $0 kubectl get nodes"
    ;;
  kubectl)
    shift
    exec ip netns exec kk-m kubectl --server http://127.0.0.1:6443 "$@"
    ;;
  down)
    for space in $(ip netns list | awk '$1 ~ /^kk-(m|n[0-9]+)$/ {print $1}'); do
      ip netns pids "$space" | xargs -r kill
      ip netns del "$space"
    done
    rm -rf "$home"
    ;;
  *)
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

#!/bin/bash
# The demo's plugin. It does honest work: counts orders, reports the count to its server.
# Its first argument says whether it is honest to the end.
port=$1 other_port=$2 role=$3 rounds=$4

for ((round = 1; round <= rounds; round++)); do
    count=$(wc --lines <data/orders.txt)
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    echo "$count orders" >&3
    read -r answer <&3
    exec 3>&-
    echo "round $round: $count orders reported, the server says \"$answer\""
    sleep 0.3
done

case $role in
reads) cat customers.txt ;;
connects) echo secret >"/dev/tcp/127.0.0.1/$other_port" ;;
executes) id ;;
esac
# A rogue waits for what comes: the freeze follows its deed, it does not come before it.
[[ $role == works ]] || sleep 60
echo "done"

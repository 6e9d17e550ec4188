ip    rule  add fwmark 1 lookup 100
ip    route add local default dev lo table 100
ip -6 rule  add fwmark 1 lookup 100
ip -6 route add local default dev lo table 100
iptables  -t mangle -A PREROUTING -i lan0 -p tcp -m multiport --dports 80,443 -j TPROXY --on-port 3129 --tproxy-mark 1
ip6tables -t mangle -A PREROUTING -i lan0 -p tcp -m multiport --dports 80,443 -j TPROXY --on-port 3129 --tproxy-mark 1

iptables  -t nat -A PREROUTING -i lan0 -p tcp -m multiport --dports 80,443 -j REDIRECT --to-ports 3129
ip6tables -t nat -A PREROUTING -i lan0 -p tcp -m multiport --dports 80,443 -j REDIRECT --to-ports 3129

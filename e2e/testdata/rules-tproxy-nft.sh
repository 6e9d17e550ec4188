ip    rule  add fwmark 1 lookup 100
ip    route add local default dev lo table 100
ip -6 rule  add fwmark 1 lookup 100
ip -6 route add local default dev lo table 100
nft -f - <<'EOF'
table inet jay {
  chain intercept {
    type filter hook prerouting priority mangle; policy accept;
    iifname "lan0" tcp dport { 80, 443 } meta nfproto ipv4 tproxy ip to :3129 meta mark set 1 accept
    iifname "lan0" tcp dport { 80, 443 } meta nfproto ipv6 tproxy ip6 to :3129 meta mark set 1 accept
  }
}
EOF

nft -f - <<'EOF'
table inet jay {
  chain intercept {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "lan0" tcp dport { 80, 443 } redirect to :3129
  }
}
EOF

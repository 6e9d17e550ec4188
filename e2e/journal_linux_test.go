package e2e

import (
	"strings"
	"testing"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
)

// journalScript runs journald and jay where nobody else sees them, sends one request through jay, and prints what the
// journal has of it. Its arguments are jay, the address to listen on and a URL.
const journalScript = `
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal /run/log/journal || exit 1
/lib/systemd/systemd-journald & journald=$!
until [ -S /run/systemd/journal/socket ]; do sleep 0.1; done
"$1" serve --listen "$2" --admin off --access-log journald & jay=$!
until curl -sf -o /dev/null "http://$2/"; do sleep 0.1; done
curl -s -o /dev/null -x "http://$2" "$3"
kill $jay; wait $jay
journalctl --sync
journalctl -t jay JAY_URL="$3" -o verbose --no-pager
kill $journald; wait $journald
`

// TestJournal: journald understands what jay sends it.
func TestJournal(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "journalctl", "curl", "unshare")
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("answer") })
	binary, err := env.binary()
	must(t, err)
	url := "http://" + o.Addr() + "/a?b=c"
	stdout, stderr := command(t, "timeout", "60", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", journalScript, "sh", binary, process.FreeAddr(), url)
	for _, want := range []string{
		"JAY_URL=" + url, "JAY_STATUS=200", "JAY_METHOD=GET", "JAY_BYTES_OUT=6", "JAY_DECISION=miss", "JAY_ORIGIN=" + o.Addr(), "SYSLOG_IDENTIFIER=jay", "PRIORITY=6", "_TRANSPORT=journal",
	} {
		if strings.Count(stdout, "    "+want+"\n") != 1 {
			t.Errorf("no %q, or more than one, in\n%s%s", want, stdout, stderr)
		}
	}
}

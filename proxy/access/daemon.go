package access

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Where the daemons of this machine listen.
const (
	journalSocket = "/run/systemd/journal/socket"
	syslogSocket  = "/dev/log"
)

// Words and beginnings of [Options].Path that name a daemon rather than a file.
const (
	journal   = "journald"
	syslog    = "syslog"
	syslogTCP = "syslog+tcp"
)

// sendPatience is how long a daemon may take for a line before those that wait are given up.
const sendPatience = time.Second

// priority is what syslog calls the facility daemon and the severity info.
const priority = "<30>"

// daemon is a log daemon: journald, or one that speaks syslog. It is connected to when there is something to say, and again
// when it has been away.
type daemon struct {
	network string
	places  []string // addresses; the first that answers is taken
	form    func(d *daemon, line []byte, now time.Time) []byte
	end     []byte // what a line, or an entry, ends with

	conn    net.Conn
	until   time.Time // the deadline that is set
	message []byte    // reused
	host    string
	pid     string
}

// daemonOf is the daemon that a path names; nil if it names none.
func daemonOf(path string) (*daemon, error) {
	name, at, more := strings.Cut(path, ":")
	if name != journal && name != syslog && name != syslogTCP {
		return nil, nil
	}
	d := &daemon{network: "unixgram", form: (*daemon).local, end: []byte("\n"), pid: strconv.Itoa(os.Getpid())}
	remote, far := strings.CutPrefix(at, "//")
	switch {
	case !more && name == journal:
		d.places = []string{journalSocket}
	case !more && name == syslog:
		d.places = []string{syslogSocket, "/var/run/syslog", "/var/run/log"}
	case strings.HasPrefix(at, "/") && !far && name != syslogTCP:
		d.places = []string{at}
	case far && name != journal:
		if _, _, err := net.SplitHostPort(remote); err != nil {
			return nil, fmt.Errorf("access log: %s: not an address and its port", path)
		}
		d.network, d.places, d.form = "udp", []string{remote}, (*daemon).rfc5424
	default:
		return nil, fmt.Errorf("access log: %s: write journald, syslog, syslog://host:port or syslog+tcp://host:port", path)
	}
	switch name {
	case syslogTCP:
		d.network = "tcp"
	case journal:
		d.form, d.end = (*daemon).entry, []byte("\n\n")
	}
	if d.host, _ = os.Hostname(); d.host == "" || strings.ContainsAny(d.host, " \n") {
		d.host = "-"
	}
	return d, nil
}

// Write sends lines and returns how many bytes of whole lines have been sent. It is called by the log's writer only, which
// may wait.
func (d *daemon) Write(lines []byte) (sent int, err error) {
	for len(lines) > sent {
		n := bytes.Index(lines[sent:], d.end)
		if n < 0 {
			n = len(lines) - sent
		}
		if err := d.send(lines[sent : sent+n]); err != nil {
			return sent, fmt.Errorf("access log: %w", err)
		}
		sent = min(sent+n+len(d.end), len(lines))
	}
	return sent, nil
}

// send sends one line. When the daemon is not there, it is looked for once more: it may have been restarted.
func (d *daemon) send(line []byte) error {
	now := time.Now()
	d.message = d.form(d, line, now)
	if d.conn != nil {
		err := d.put(now)
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	if err := d.connect(); err != nil {
		return err
	}
	return d.put(now)
}

// put writes the message to the daemon that is connected to.
func (d *daemon) put(now time.Time) error {
	if d.until.Sub(now) < sendPatience/2 {
		d.until = now.Add(sendPatience)
		d.conn.SetWriteDeadline(d.until)
	}
	_, err := d.conn.Write(d.message)
	if err != nil { // of a stream, nobody knows where it stands
		d.Close()
	}
	return err
}

// connect connects to the first place that answers.
func (d *daemon) connect() (err error) {
	for _, place := range d.places {
		if d.conn, err = net.DialTimeout(d.network, place, sendPatience); err == nil {
			d.until = time.Time{}
			return nil
		}
		d.conn = nil
	}
	return err
}

// Close ends the connection, if there is one. A later line makes a new one.
func (d *daemon) Close() error {
	if d.conn == nil {
		return nil
	}
	c := d.conn
	d.conn = nil
	return c.Close()
}

// local is a line as the daemons of the same machine expect it: the form of RFC 3164 without a host.
func (d *daemon) local(line []byte, now time.Time) []byte {
	m := append(d.message[:0], priority...)
	m = now.AppendFormat(m, time.Stamp)
	m = append(append(m, " jay["...), d.pid...)
	return append(append(m, "]: "...), line...)
}

// rfc5424 is a line for a daemon on another machine. On a stream, its end shows where the next begins (RFC 6587 §3.4.2).
func (d *daemon) rfc5424(line []byte, now time.Time) []byte {
	m := append(d.message[:0], priority+"1 "...)
	m = now.AppendFormat(m, "2006-01-02T15:04:05.000Z07:00")
	m = append(append(m, ' '), d.host...)
	m = append(append(m, " jay "...), d.pid...)
	m = append(append(m, " access - "...), line...)
	if d.network == "tcp" {
		m = append(m, '\n')
	}
	return m
}

// entry is one for journald, which the encoder has made already: fields, each ended by a line feed.
func (d *daemon) entry(fields []byte, _ time.Time) []byte {
	return append(append(d.message[:0], fields...), '\n')
}

package auth_test

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/jayproxy/jay/proxy/auth"
)

var (
	start  = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	client = netip.MustParseAddr("10.0.0.7")
	other  = netip.MustParseAddr("10.0.0.8")
)

// line is a user's line of a file.
func line(t testing.TB, user, password string, cost int) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		t.Fatal(err)
	}
	return user + ":" + string(hash) + "\n"
}

// file writes a file and returns its path.
func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// two makes an Auth with the users anna (password sesame) and bén (päss:word).
func two(t testing.TB, change func(*auth.Options)) (*auth.Auth, string) {
	t.Helper()
	path := file(t, "# people\n\n"+line(t, "anna", "sesame", bcrypt.MinCost)+line(t, "bén", "päss:word", bcrypt.MinCost))
	o := auth.Options{File: path}
	if change != nil {
		change(&o)
	}
	a, err := auth.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a, path
}

// basic is the field value for a user and a password.
func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestCheck_RFC7617_2(t *testing.T) {
	tests := []struct {
		header string
		user   string
		want   auth.Outcome
	}{
		{"", "", auth.Missing},
		{"Bearer abc", "", auth.Missing},
		{"Basicx abc", "", auth.Missing},
		{"Digest username=\"anna\"", "", auth.Missing},
		{basic("anna", "sesame"), "anna", auth.OK},
		{"bAsIc  " + basic("anna", "sesame")[6:] + " ", "anna", auth.OK},
		{basic("bén", "päss:word"), "bén", auth.OK},
		{basic("anna", "Sesame"), "", auth.Wrong},
		{basic("anna", "sesame "), "", auth.Wrong},
		{basic("anna", ""), "", auth.Wrong},
		{basic("Anna", "sesame"), "", auth.Wrong},
		{basic("nobody", "sesame"), "", auth.Wrong},
		{basic("", "sesame"), "", auth.Wrong},
		{basic("# people", ""), "", auth.Wrong},
		{"Basic", "", auth.Wrong},
		{"Basic !", "", auth.Wrong},
		{"Basic YW5uYQ==", "", auth.Wrong},                                       // no colon
		{"Basic YW5uYTpzZXNhbWV=", "", auth.Wrong},                               // bits behind the end
		{"Basic YW5u\r\nYTpzZXNhbWU=", "", auth.Wrong},                           // what base64 skips
		{"Basic " + basic("anna", "sesame")[6:] + " x", "", auth.Wrong},          // more than a token
		{basic("anna", "sesame\x00"), "", auth.Wrong},                            // RFC 7617 §2: no control characters
		{basic("anna", strings.Repeat("x", 600)), "", auth.Wrong},                // too long
		{"Basic " + strings.Repeat("YW5u", 100000), "", auth.Wrong},              // much too long
		{basic("anna", strings.Repeat("sesame", 20)), "", auth.Wrong},            // longer than bcrypt looks
		{"basic " + strings.TrimRight(basic("a", "b")[6:], "="), "", auth.Wrong}, // no padding
	}
	for _, tt := range tests {
		a, _ := two(t, nil)
		for range 2 { // afresh, and from what is kept
			if user, got := a.Check(start, client, tt.header); user != tt.user || got != tt.want {
				t.Errorf("Check(%.60q) = %q, %v; want %q, %v", tt.header, user, got, tt.user, tt.want)
			}
		}
	}
}

func TestChallenge_RFC7617_2_1(t *testing.T) {
	a, _ := two(t, nil)
	if got, want := a.Challenge(), `Basic realm="Jay", charset="UTF-8"`; got != want {
		t.Errorf("Challenge() = %s; want %s", got, want)
	}
	a, path := two(t, func(o *auth.Options) { o.Realm = `the "way" \out` })
	if got, want := a.Challenge(), `Basic realm="the \"way\" \\out", charset="UTF-8"`; got != want {
		t.Errorf("Challenge() = %s; want %s", got, want)
	}
	if _, err := auth.New(auth.Options{File: path, Realm: "a\r\nb"}); err == nil {
		t.Error("a realm with a line break is accepted")
	}
}

// TestLimit_E12 checks that failures are limited for each address: what was right before goes on, nothing new is checked.
func TestLimit_E12(t *testing.T) {
	a, _ := two(t, nil)
	check := func(now time.Time, from netip.Addr, header string, want auth.Outcome) {
		t.Helper()
		if _, got := a.Check(now, from, header); got != want {
			t.Errorf("Check = %v; want %v", got, want)
		}
	}
	check(start, client, basic("anna", "sesame"), auth.OK)
	for i := range 10 {
		check(start.Add(time.Duration(i)*time.Second), client, basic("x", fmt.Sprint(i)), auth.Wrong)
	}
	now := start.Add(30 * time.Second)
	check(now, client, basic("x", "10"), auth.Limited)
	check(now, client, basic("x", "3"), auth.Limited)
	check(now, client, "Basic !", auth.Limited)
	check(now, client, "", auth.Missing)
	check(now, client, basic("bén", "päss:word"), auth.Limited)
	check(now, client, basic("anna", "sesame"), auth.OK)
	check(now, other, basic("bén", "päss:word"), auth.OK)
	check(start.Add(61*time.Second), client, basic("bén", "päss:word"), auth.OK)
	check(start.Add(61*time.Second), client, basic("x", "10"), auth.Wrong)
}

// TestGuesses_E12 checks that verdicts that are kept do not tell a neighbour on the same address whether a guess is right.
func TestGuesses_E12(t *testing.T) {
	a, _ := two(t, nil)
	if _, got := a.Check(start, client, basic("anna", "sesame")); got != auth.OK {
		t.Fatal(got)
	}
	for i := range 25 {
		a.Check(start, client, basic("anna", fmt.Sprint(i)))
	}
	if _, got := a.Check(start, client, basic("anna", "sesame")); got != auth.Limited {
		t.Errorf("a right guess after many wrong ones is %v; want %v", got, auth.Limited)
	}
	if _, ok := a.Known(start, client, basic("anna", "sesame")); ok {
		t.Error("a right guess after many wrong ones is known")
	}
	if _, got := a.Check(start, other, basic("anna", "sesame")); got != auth.OK {
		t.Errorf("from another address it is %v; want %v", got, auth.OK)
	}
	// A program that goes on with one old password is no guesser.
	for range 50 {
		a.Check(start, other, basic("anna", "old"))
	}
	if _, got := a.Check(start, other, basic("anna", "sesame")); got != auth.OK {
		t.Errorf("beside a program with an old password it is %v; want %v", got, auth.OK)
	}
}

// TestIPv6 checks that a host does not escape the limit by taking another of its addresses.
func TestIPv6(t *testing.T) {
	a, _ := two(t, nil)
	for i := range 12 {
		a.Check(start, netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1)), basic("x", fmt.Sprint(i)))
	}
	if _, got := a.Check(start, netip.MustParseAddr("2001:db8::99"), basic("anna", "sesame")); got != auth.Limited {
		t.Errorf("in the same network: %v; want %v", got, auth.Limited)
	}
	if _, got := a.Check(start, netip.MustParseAddr("2001:db8:0:1::1"), basic("anna", "sesame")); got != auth.OK {
		t.Errorf("in another network: %v; want %v", got, auth.OK)
	}
	for i := range 12 {
		a.Check(start, netip.MustParseAddr("::ffff:10.0.0.7"), basic("x", fmt.Sprint(i)))
	}
	if _, got := a.Check(start, client, basic("anna", "sesame")); got != auth.Limited {
		t.Errorf("mapped: %v; want %v", got, auth.Limited)
	}
}

func TestKnown(t *testing.T) {
	a, _ := two(t, func(o *auth.Options) { o.Keep = time.Hour })
	known := func(now time.Time, from netip.Addr, header string) bool {
		user, ok := a.Known(now, from, header)
		return ok && user == "anna"
	}
	right := basic("anna", "sesame")
	if known(start, client, right) {
		t.Error("known before it was checked")
	}
	a.Check(start, client, right)
	a.Check(start, client, basic("anna", "wrong"))
	if !known(start.Add(59*time.Minute), client, right) {
		t.Error("not known after it was checked")
	}
	for _, header := range []string{"", basic("anna", "wrong"), basic("bén", "päss:word"), "Basic !"} {
		if known(start, client, header) {
			t.Errorf("%q is known", header)
		}
	}
	if known(start, other, right) || known(start.Add(time.Hour), client, right) {
		t.Error("known from another address, or for too long")
	}
}

// TestExpiry checks that a verdict that is confirmed is not a failure, even when the limit is reached.
func TestExpiry(t *testing.T) {
	a, _ := two(t, nil)
	a.Check(start, client, basic("anna", "sesame"))
	later := start.Add(11 * time.Minute)
	for i := range 10 {
		a.Check(later, client, basic("x", fmt.Sprint(i)))
	}
	if _, got := a.Check(later, client, basic("anna", "sesame")); got != auth.OK {
		t.Errorf("after the verdict's end: %v; want %v", got, auth.OK)
	}
}

// TestInherit checks that users who are read anew are asked anew, and that guesses go on counting.
func TestInherit(t *testing.T) {
	a, path := two(t, func(o *auth.Options) { o.MaxFailures = 3 })
	right := basic("anna", "sesame")
	a.Check(start, client, right)
	for i := range 3 {
		a.Check(start, other, basic("anna", fmt.Sprint(i)))
	}
	if err := os.WriteFile(path, []byte(line(t, "anna", "changed", bcrypt.MinCost)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, got := a.Check(start, client, right); got != auth.OK {
		t.Errorf("before: %v; want %v", got, auth.OK)
	}
	b, err := auth.New(auth.Options{File: path, MaxFailures: 3})
	if err != nil {
		t.Fatal(err)
	}
	b.Inherit(a)
	if _, got := b.Check(start, client, right); got != auth.Wrong {
		t.Errorf("the old password: %v; want %v", got, auth.Wrong)
	}
	if _, got := b.Check(start, client, basic("anna", "changed")); got != auth.OK {
		t.Errorf("the new password: %v; want %v", got, auth.OK)
	}
	if _, got := b.Check(start, other, basic("anna", "changed")); got != auth.Limited {
		t.Errorf("whoever has guessed: %v; want %v", got, auth.Limited)
	}
}

func TestNewErrors(t *testing.T) {
	good := line(t, "anna", "sesame", bcrypt.MinCost)
	hash := strings.TrimSpace(strings.TrimPrefix(good, "anna:"))
	tests := []struct{ text, want string }{
		{"anna\n", ":1: no colon; a line is user:hash"},
		{good + ":" + hash, ":2: the user's name is empty, too long, not UTF-8 or has control characters"},
		{"\n#x\na\x01:" + hash, ":3: the user's name is empty, too long, not UTF-8 or has control characters"},
		{"\xff:" + hash, ":1: the user's name is empty, too long, not UTF-8 or has control characters"},
		{"anna:plain\n", ":1: not a bcrypt hash; htpasswd -B makes one"},
		{"anna:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n", ":1: not a bcrypt hash; htpasswd -B makes one"},
		{"anna:$apr1$a$b\n", ":1: not a bcrypt hash; htpasswd -B makes one"},
		{"anna:" + hash + ":comment\n", ":1: not a bcrypt hash; htpasswd -B makes one"},
		{"anna:" + strings.Replace(hash, "$04$", "$31$", 1), ":1: checking a hash of this cost takes too long; the highest is 15"},
		{good + "\n" + good, ":3: the user is on another line, too"},
	}
	for _, tt := range tests {
		path := file(t, tt.text)
		_, err := auth.New(auth.Options{File: path})
		if err == nil || err.Error() != "auth: "+path+tt.want {
			t.Errorf("New with %.20q = %v; want %s", tt.text, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), hash) {
			t.Errorf("%v holds a hash", err)
		}
	}
	if _, err := auth.New(auth.Options{File: "/does/not/exist"}); err == nil || err.Error() != "auth: /does/not/exist: no such file or directory" {
		t.Errorf("New without a file = %v", err)
	}
	a, err := auth.New(auth.Options{File: file(t, "# nobody\n")})
	if err != nil {
		t.Fatal(err)
	}
	if _, got := a.Check(start, client, basic("anna", "sesame")); got != auth.Wrong {
		t.Errorf("with an empty file: %v; want %v", got, auth.Wrong)
	}
}

// TestUnknownUsers checks that a name that nobody has costs as much as one that somebody has.
func TestUnknownUsers(t *testing.T) {
	a, err := auth.New(auth.Options{File: file(t, line(t, "anna", "sesame", 8)), MaxFailures: 100})
	if err != nil {
		t.Fatal(err)
	}
	least := func(user string) time.Duration {
		best := time.Hour
		for i := range 10 {
			began := time.Now()
			a.Check(start, client, basic(user, fmt.Sprint(i)))
			best = min(best, time.Since(began))
		}
		return best
	}
	known, unknown := least("anna"), least("nobody")
	if unknown < known/8 || unknown > 8*known { // without its own bcrypt, the one or the other would take a thousandth
		t.Errorf("an unknown user takes %v, a known one %v; want about the same", unknown, known)
	}
}

// TestConcurrent checks that what many ask at once is checked once, and that guesses in parallel do not pass the limit.
func TestConcurrent(t *testing.T) {
	a, _ := two(t, func(o *auth.Options) { o.Parallel = 2 })
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			if user, got := a.Check(start, client, basic("anna", "sesame")); got != auth.OK || user != "anna" {
				t.Errorf("Check = %q, %v; want anna, %v", user, got, auth.OK)
			}
			if _, got := a.Check(start, other, basic("anna", fmt.Sprint(i))); got == auth.OK {
				t.Errorf("a wrong password is %v", got)
			}
		})
	}
	wg.Wait()
	if _, got := a.Check(start, other, basic("bén", "päss:word")); got != auth.Limited {
		t.Errorf("after parallel guesses: %v; want %v", got, auth.Limited)
	}
}

// TestBounded checks that strangers cannot fill the memory.
func TestBounded(t *testing.T) {
	a, _ := two(t, func(o *auth.Options) { o.MaxVerdicts = 20 })
	for i := range 300 {
		from := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		a.Check(start.Add(time.Duration(i)*time.Millisecond), from, basic("anna", fmt.Sprint(i)))
	}
	if verdicts, failures := a.Held(); verdicts > 20 || failures > 20 {
		t.Errorf("%d verdicts and %d windows are held; want at most 20", verdicts, failures)
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{"", "Basic", "Basic YW5uYTpzZXNhbWU=", "basic  YTo=", "Basic ====", "Bearer x", "Basic YW5u\nYTpi"} {
		f.Add(s)
	}
	a, err := auth.New(auth.Options{File: file(f, line(f, "anna", "sesame", bcrypt.MinCost)), MaxFailures: 1 << 30})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header string) {
		user, got := a.Check(start, client, header)
		if (got == auth.OK) != (user == "anna") || got == auth.OK && !strings.Contains(header, basic("anna", "sesame")[6:]) {
			t.Errorf("Check(%q) = %q, %v", header, user, got)
		}
	})
}

// BenchmarkKnown is what an authenticated request costs once its credentials were checked.
func BenchmarkKnown(b *testing.B) {
	a, _ := two(b, nil)
	header := basic("anna", "sesame")
	a.Check(start, client, header)
	b.ReportAllocs()
	for b.Loop() {
		if _, got := a.Check(start, client, header); got != auth.OK {
			b.Fatal(got)
		}
	}
}

func TestAllocations(t *testing.T) {
	a, _ := two(t, nil)
	header := basic("anna", "sesame")
	a.Check(start, client, header)
	if n := testing.AllocsPerRun(100, func() { a.Check(start, client, header) }); n != 0 {
		t.Errorf("Check of known credentials allocates %v times; want 0", n)
	}
	if n := testing.AllocsPerRun(100, func() { a.Known(start, client, header) }); n != 0 {
		t.Errorf("Known allocates %v times; want 0", n)
	}
}

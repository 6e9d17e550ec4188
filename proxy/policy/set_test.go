package policy

import "testing"

func TestSet(t *testing.T) {
	s, err := NewSet([]string{"example.com", ".example.net", "192.0.2.0/24", "2001:db8::1"})
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{
		"example.com": true, "EXAMPLE.com.": true, "www.example.com": false, "example.net": true, "a.b.example.net": true,
		"notexample.net": false, "192.0.2.7": true, "192.0.3.7": false, "[2001:db8::1]": true, "2001:db8::1": true,
		"[::ffff:192.0.2.7]": true, "": false, "a b": false,
	} {
		if got := s.Has(host); got != want {
			t.Errorf("Has(%q) = %v; want %v", host, got, want)
		}
	}
	if _, err := NewSet([]string{"*.example.com"}); err == nil || err.Error() != `"*.example.com": `+errWildcard.Error() {
		t.Errorf("got %v; want an error that names the entry", err)
	}
}

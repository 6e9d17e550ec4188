package e2e

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// threats are the faults and attacks that others have fallen for, by the numbers
// that the tests' comments use: what each is, and the tests that show that jay
// does not, as package directory and name. Tests without a directory are of
// this package, and go through the explicit and the intercepting listener.
var threats = []struct {
	id, what string
	tests    []string
}{
	{"A1", "Content-Length with Transfer-Encoding", []string{"TestMalformed_RFC9112", "proxy/wire.TestMalformed", "proxy/wire.TestParseRequest_RFC9112_6_framing"}},
	{"A2", "Transfer-Encoding in HTTP/1.0", []string{"TestMalformed_RFC9112", "proxy/wire.TestParseRequest_RFC9112_6_framing"}},
	{"A3", "unknown, repeated and misspelt transfer codings", []string{"TestMalformed_RFC9112", "proxy/wire.TestMalformed"}},
	{"A4", "malformed field names", []string{"TestMalformed_RFC9112", "proxy/wire.TestParseFields_RFC9112_5"}},
	{"A5", "malformed and differing Content-Length", []string{"TestMalformed_RFC9112", "proxy.TestContentLength_RFC9112_6_3"}},
	{"A6", "line folding", []string{"TestMalformed_RFC9112", "proxy/wire.TestParseResponse_RFC9112_5_2_unfold"}},
	{"A7", "bare LF and CR, NUL, control characters", []string{"TestMalformed_RFC9112", "proxy/wire.TestReader_Head_faults_at_once"}},
	{"A8", "malformed chunks", []string{"TestMalformed_RFC9112", "proxy/wire.TestBody_RFC9112_7_1_details"}},
	{"A9", "chunk extensions", []string{"TestMalformed_RFC9112", "proxy/wire.TestBody_RFC9112_7_1_details"}},
	{"A10", "trailers that pose as fields", []string{"TestTrailers_merged", "TestTrailers_RFC9110_6_5", "proxy/wire.TestBody_trailer_limits"}},
	{"A11", "bodies where none is expected", []string{"TestBody_RFC9112_6_3", "TestPoisoning"}},
	{"A12", "Expect and answers before the body", []string{"TestEarlyAnswer", "TestExpect_RFC9110_10_1_1", "proxy.TestUpload_earlyAnswer", "proxy/upstream.TestDo_EarlyAnswer"}},
	{"A13", "missing, repeated, contradicting and malformed Host", []string{"TestMalformed_RFC9112", "TestAuthority_RFC9112_3_2_2", "TestNamesAreNormal"}},
	{"A14", "malformed request lines and other versions", []string{"TestMalformed_RFC9112", "proxy/wire.TestParseRequest_RFC9112_3"}},
	{"A15", "what follows a refused CONNECT", []string{"TestConnect_RFC9931", "TestLogin_RFC9110_11_7", "TestRefused", "TestConnect_RFC9110_9_3_6"}},
	{"A16", "upgrades, asked for or not", []string{"TestUpgrade_RFC9110_7_8", "TestUpgrade_unknown", "proxy/upstream.TestClose_101"}},

	{"B1", "truncated bodies", []string{"TestFaults", "TestFollowersOfACut", "TestBadResponses_RFC9112", "proxy.TestTruncated_RFC9112_8", "proxy.TestParent_badAnswers", "proxy/upstream.TestVia_badAnswers"}},
	{"B2", "a reset as the end of a body", []string{"TestFaults", "TestFollowersOfACut", "proxy/wire.TestBody_RFC9112_8_until_close"}},
	{"B3", "truncated heads", []string{"TestBadResponses_RFC9112", "TestFaults"}},
	{"B4", "contradicting and malformed framing", []string{"TestBadResponses_RFC9112", "proxy/wire.TestParseResponse_RFC9112_6_3_framing"}},
	{"B5", "bytes behind a whole answer", []string{"TestExtraBytes", "proxy/upstream.TestAcquire_QuietOnly", "proxy/upstream.TestClose_Unread"}},
	{"B6", "malformed response fields", []string{"TestBadResponses_RFC9112", "proxy/wire.TestBadResponses"}},
	{"B7", "bodies where none can be, answers nobody asked for", []string{"TestBodyWhereNone", "TestPoisoning", "proxy/upstream.TestClose_RFC9112_6_3"}},
	{"B8", "floods of interim answers", []string{"TestInterimFlood", "proxy/upstream.TestDo_Interim_RFC9110_15_2"}},
	{"B9", "status codes and versions that do not exist", []string{"TestBadResponses_RFC9112", "proxy/wire.TestParseResponse_RFC9112_4"}},
	{"B10", "huge response heads", []string{"TestBadResponses_RFC9112", "proxy/wire.TestBadResponses"}},
	{"B11", "compression bombs", []string{"TestNeverDecoded", "TestFidelity_inventsNothing"}},

	{"C1", "selecting fields nominated in Connection", []string{"TestPoisoning", "proxy.TestNominations_RFC9110_7_6_1"}},
	{"C2", "other fields nominated in Connection", []string{"TestPoisoning", "proxy.TestHostNominated", "proxy.TestHopByHop_RFC9110_7_6_1"}},
	{"C3", "answers to requests with Authorization", []string{"TestPoisoning", "freshness.TestStorable_RFC9111_3_5_authorization"}},
	{"C4", "cookies, private, no-store", []string{"TestPoisoning", "TestPrivateIsNotShared", "freshness.TestStorable_RFC9111_3"}},
	{"C5", "denial of service by a poisoned cache", []string{"TestPoisonedByDenial", "freshness.TestStorable_policy"}},
	{"C6", "keys that collide", []string{"TestPoisoning", "TestNamesAreNormal"}},
	{"C7", "a forged Host under interception", []string{"TestInterception", "proxy.TestReach_byHost"}},
	{"C8", "cache deception", []string{"TestDeception", "TestPoisoning"}},
	{"C9", "floods of variants and keys", []string{"TestVariantFlood", "TestPoisoning", "cache/vary.TestKeyAcceptEncoding_RFC9110_12_5_3", "cache.TestAudit_UnderConcurrency", "cache/vary.TestHostileFields"}},
	{"C10", "abuse of ranges", []string{"TestRangeAbuse", "TestRangesCost", "validation.TestParseRange_RFC9110_14_2"}},
	{"C11", "304s that do not match or add up", []string{"TestFreshening_RFC9111_3_2", "validation.TestFreshen_RFC9111_3_2", "proxy.TestSelects_mismatch"}},
	{"C12", "invalidation of what belongs to others", []string{"TestInvalidation_RFC9111_4_4", "proxy.TestInvalidation_RFC9111_4_4"}},
	{"C13", "lies about age, clocks that jump", []string{"TestAgeLies", "freshness.TestCurrentAge_RFC9111_4_2_3_clockJump", "freshness.TestCurrentAge_RFC9111_4_2_3_clockSetBack"}},

	{"D1", "slow heads, bodies and readers", []string{"TestSlowClients", "proxy.TestUpload_times"}},
	{"D2", "floods of connections", []string{"TestConnectionLimits", "TestDescriptorsUsedUp"}},
	{"D3", "many fields", []string{"TestHeadLimits", "TestBadResponses_RFC9112", "proxy/wire.TestHead_cost"}},
	{"D4", "long fields and targets", []string{"TestHeadLimits", "proxy/wire.TestParseRequest_limits"}},
	{"D5", "memory for answers on their way", []string{"TestFillsAreBounded", "cache.TestFill_Window"}},
	{"D6", "stampedes", []string{"TestStampede_variants", "TestStampede_leaderLeaves", "TestStampede_waitEnds", "proxy.TestStampede_D6"}},
	{"D7", "tunnels that never end", []string{"TestTunnelsEnd", "tunnel.TestJoin_LeavesNothing_D7", "tunnel.TestDrain_InactivityAfterHalfClose"}},
	{"D8", "descriptors of tunnels", []string{"TestTunnelsIdle", "tunnel.TestIdle_TwoDescriptors_D8"}},
	{"D9", "faults of jay's own", []string{"TestPanics", "TestPanics_upload", "proxy.TestPanic_D9"}},
	{"D10", "functions that take too long", []string{"TestNoTraps", "TestManyCookies", "proxy/wire.TestHead_cost"}},

	{"E1", "ports that are nobody's business", []string{"TestReach", "proxy.TestReach"}},
	{"E2", "addresses that are nobody's business", []string{"TestReach", "proxy.TestReach", "proxy.TestParent_reach"}},
	{"E3", "addresses and names in disguise", []string{"TestReach", "TestNamesAreNormal", "proxy/policy.TestHost_E3"}},
	{"E4", "names that change between check and dial", []string{"TestReach", "proxy/upstream.TestDial_Rebinding"}},
	{"E5", "loops", []string{"TestLoop_RFC9110_7_6_3", "TestInterception", "TestParents_loop", "TestOwnEnvironment", "proxy.TestParent_loops_E5", "proxy.TestLoops_RFC9110_7_6_3"}},
	{"E6", "https targets in clear", []string{"TestSecureTarget", "proxy/upstream.TestDo_TLSErrors"}},
	{"E7", "fields for this hop that leak", []string{"TestHopFieldsStay", "TestLogin_RFC9110_11_7", "proxy.TestParent_RFC9112_3_2_2", "proxy.TestParent_login_RFC9110_15_5_8", "TestFidelity_hopByHop"}},
	{"E8", "credentials in logs and pages", []string{"TestLogs", "config.TestParent_secrets", "proxy/parent.TestSecrets", "proxy/access.TestUserinfo"}},
	{"E9", "forged log lines", []string{"TestLogs", "proxy/access.TestInjection"}},
	{"E10", "claims in X-Forwarded-For", []string{"TestForwardedFor", "TestReach"}},
	{"E11", "probing the cache", []string{"TestProbing", "TestPrivateIsNotShared"}},
	{"E12", "guessing passwords", []string{"TestLogin_RFC9110_11_7", "TestGuessing", "proxy/auth.TestLimit_E12", "proxy/auth.TestGuesses_E12"}},

	{"F1", "an origin that is down", []string{"TestOriginDown", "TestFaults", "proxy/upstream.TestLookup_Kinds", "proxy/upstream.TestLookup_Timeout"}},
	{"F2", "an origin that stalls", []string{"TestFaults", "TestFollowersOfACut", "proxy/upstream.TestBody_IdleTimeout"}},
	{"F3", "connections that ended while they were kept", []string{"TestStaleConnections", "proxy/upstream.TestDo_RepeatsOnce"}},
	{"F4", "one of several ways to an origin that is down", []string{"TestParentDown", "proxy.TestParentDown_F4", "proxy.TestParentDown_all", "proxy.TestParent_repeats_F3", "proxy/upstream.TestVia_patience_F4", "proxy/parent.TestOrder", "proxy/parent.TestHealth_F4", "proxy/upstream.TestDial_RFC8305"}},
	{"F5", "a log that blocks", []string{"TestLogBlocked", "proxy/access.TestSlowWriter_F5", "proxy/access.TestFullDisk_F5"}},
	{"F6", "signals", []string{"TestShutdown", "TestRestart"}},
	{"F7", "clocks, descriptors and networks that fail", []string{"TestDescriptorsUsedUp", "TestLinkDown", "freshness.TestCurrentAge_RFC9111_4_2_3_clockJump"}},
}

// TestThreats: each row has a test, and each test that it names exists.
func TestThreats(t *testing.T) {
	t.Parallel()
	rows := map[string]int{"A": 16, "B": 11, "C": 13, "D": 10, "E": 12, "F": 7}
	want := map[string]bool{}
	for letter, n := range rows {
		for i := range n {
			want[fmt.Sprint(letter, i+1)] = true
		}
	}
	have := map[string]map[string]bool{}
	for _, row := range threats {
		if !want[row.id] {
			t.Errorf("row %s is there twice, or never was", row.id)
		}
		delete(want, row.id)
		if len(row.tests) == 0 {
			t.Errorf("row %s has no test", row.id)
		}
		for _, test := range row.tests {
			dir, name, ok := strings.Cut(test, ".")
			if !ok {
				dir, name = "e2e", test
			}
			if have[dir] == nil {
				have[dir] = testsIn(t, filepath.Join(env.root, dir))
			}
			if !have[dir][name] {
				t.Errorf("row %s: %s has no test %s", row.id, dir, name)
			}
		}
	}
	for id := range want {
		t.Errorf("row %s is missing", id)
	}
}

// testsIn returns the names of the tests in a directory.
func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	names := map[string]bool{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, e.Name()), nil, parser.SkipObjectResolution)
		must(t, err)
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}

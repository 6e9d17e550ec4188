package vary

import (
	"slices"

	"github.com/dunglas/httpsfv"
)

// MaxGroups is how many groups of a field count; RFC 9875 demands at least 32. The rest is ignored, so that no response can
// make the cache keep an unbounded list.
const MaxGroups = 128

// ParseGroups reads the lines of a Cache-Groups or a Cache-Group-Invalidation field (RFC 9875 §2, §3): a structured field list
// of strings, whose parameters are ignored. A field that is anything else is ignored whole. Groups come back in the order
// given, each once. They are groups of the response's origin only, and an invalidation counts only on the response to an
// unsafe request; both are for the caller to see to.
func ParseGroups(lines []string) []string {
	if len(lines) == 0 {
		return nil
	}
	list, err := httpsfv.UnmarshalList(lines)
	if err != nil {
		return nil
	}
	var groups []string
	for _, m := range list {
		item, ok := m.(httpsfv.Item)
		if !ok {
			return nil
		}
		name, ok := item.Value.(string)
		if !ok {
			return nil
		}
		if len(groups) < MaxGroups && !slices.Contains(groups, name) {
			groups = append(groups, name)
		}
	}
	return groups
}

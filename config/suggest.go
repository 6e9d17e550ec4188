package config

import "strings"

// Suggest returns "; did you mean X?" for the one of names that is most like word, or nothing when none is close.
func Suggest(word string, names []string) string {
	if best := nearest(word, names); best != "" {
		return "; did you mean " + best + "?"
	}
	return ""
}

// nearest is the one of names that is most like word; empty when none is close.
func nearest(word string, names []string) string {
	if len(word) > 64 {
		return ""
	}
	best, least := "", min(len(word)/3, 2)+1
	for _, name := range names {
		if d := distance(strings.ToLower(word), name); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance is the number of bytes to insert, remove or replace to turn a into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

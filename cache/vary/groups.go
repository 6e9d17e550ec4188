package vary

// ParseGroups reads the lines of a Cache-Groups or Cache-Group-Invalidation field (RFC 9875).
func ParseGroups(lines []string) []string { panic("unfinished") }

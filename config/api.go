package config

// Default returns the settings of a Jay that was told nothing.
func Default() Config { panic("unfinished") }

// Validate checks every setting.
func (c *Config) Validate() error { panic("unfinished") }

// Resolve replaces automatic settings.
func (c Config) Resolve(h Host) Config { panic("unfinished") }

// Load reads a YAML file.
func Load(c *Config, name string, data []byte) error { panic("unfinished") }

// Markdown returns the README's table.
func Markdown() string { panic("unfinished") }

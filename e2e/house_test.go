package e2e

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/jayproxy/jay"

// importRule says who may import a module from outside, or which packages of
// the house a package must not import.
type importRule struct {
	imported string   // the import's path or its beginning
	only     []string // the packages (relative) that may
}

// outside are the third-party modules with the only packages that may use them.
var outside = []importRule{
	{"github.com/elazarl/goproxy", []string{"proxy"}},
	{"github.com/dgraph-io/ristretto", []string{"cache"}},
	{"github.com/pquerna/cachecontrol", []string{"freshness"}},
	{"github.com/urfave/cli", []string{"cmd/jay"}},
	{"github.com/miekg/dns", []string{"proxy/resolve"}},
}

// leaves are the packages that know nothing of each other; only proxy joins
// them.
var leaves = []string{"cache", "freshness", "validation", "tunnel"}

// pure are the packages that compute and do nothing else.
var pure = []string{"freshness", "validation", "cache/vary"}

// impure are imports that a pure package does not need.
var impure = []string{"context", "net", "os", "sync", "sync/atomic", "log", "log/slog", "io/fs", "math/rand", "math/rand/v2", "os/exec", "syscall"}

// clocks are the names of package time that ask what time it is.
var clocks = []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "NewTimer", "NewTicker", "Tick"}

// listedPackage is what go list tells of a package.
type listedPackage struct {
	ImportPath string
	Dir        string
	Imports    []string
	GoFiles    []string
}

func (p *listedPackage) rel() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, modulePath), "/")
}

func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,Imports,GoFiles", "./...")
	cmd.Dir = env.root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []listedPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p listedPackage
		must(t, dec.Decode(&p))
		list = append(list, p)
	}
	return list
}

// leafOf returns the leaf that a package belongs to, "" if none.
func leafOf(rel string) string {
	first, _, _ := strings.Cut(rel, "/")
	if slices.Contains(leaves, first) {
		return first
	}
	return ""
}

// TestImports: the rules of the house on who may import what.
func TestImports(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		rel := p.rel()
		if strings.HasPrefix(rel, "e2e") {
			continue
		}
		for _, imported := range p.Imports {
			for _, r := range outside {
				if strings.HasPrefix(imported, r.imported) && !slices.Contains(r.only, rel) {
					t.Errorf("%s imports %s; only %v may", rel, imported, r.only)
				}
			}
			if own, ok := strings.CutPrefix(imported, modulePath+"/"); ok {
				checkHouseImport(t, rel, own)
			}
			if slices.Contains(pure, rel) && slices.Contains(impure, imported) {
				t.Errorf("%s imports %s; it is pure: values in, values out", rel, imported)
			}
		}
	}
}

func checkHouseImport(t *testing.T, rel, imported string) {
	t.Helper()
	leaf, other := leafOf(rel), leafOf(imported)
	switch {
	case strings.HasPrefix(imported, "cmd/") || strings.HasPrefix(imported, "e2e"):
		t.Errorf("%s imports %s; nobody may", rel, imported)
	case leaf != "" && leaf != other:
		t.Errorf("%s imports %s; a leaf imports nothing of the house", rel, imported)
	case leaf == "" && other != "" && rel != "proxy" && rel != "cmd/jay":
		t.Errorf("%s imports the leaf %s; only proxy joins the leaves", rel, imported)
	case rel == "config":
		t.Errorf("config imports %s; it knows nothing of the house", imported)
	}
}

// TestPure: no clock in pure packages.
func TestPure(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		if !slices.Contains(pure, p.rel()) {
			continue
		}
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, 0)
			must(t, err)
			ast.Inspect(f, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					x, ok := sel.X.(*ast.Ident)
					if ok && x.Name == "time" && slices.Contains(clocks, sel.Sel.Name) {
						t.Errorf("%s/%s uses time.%s; now is an argument in a pure package", p.rel(), name, sel.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

// TestDocumented: every package has one package comment and every exported name
// a comment of its own.
func TestDocumented(t *testing.T) {
	t.Parallel()
	names := 0
	for _, p := range listPackages(t) {
		docs := 0
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments)
			must(t, err)
			if f.Doc != nil {
				docs++
			}
			n, missing := undocumented(f)
			names += n
			for _, m := range missing {
				t.Errorf("%s/%s: %s has no comment", p.rel(), name, m)
			}
		}
		if len(p.GoFiles) > 0 && docs != 1 {
			t.Errorf("%s has %d package comments; want 1", p.rel(), docs)
		}
	}
	t.Logf("%d exported names", names)
}

// undocumented counts the exported names of a file and returns those without a
// comment. Constants and variables may share that of their group; a method
// counts where its type is exported.
func undocumented(f *ast.File) (n int, missing []string) {
	add := func(name *ast.Ident, docs ...*ast.CommentGroup) {
		if !name.IsExported() {
			return
		}
		n++
		for _, d := range docs {
			if d != nil {
				return
			}
		}
		missing = append(missing, name.Name)
	}
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || exportedReceiver(d.Recv.List[0].Type) {
				add(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					add(s.Name, s.Doc, d.Doc)
				case *ast.ValueSpec:
					for _, name := range s.Names {
						add(name, s.Doc, s.Comment, d.Doc)
					}
				}
			}
		}
	}
	return n, missing
}

func exportedReceiver(e ast.Expr) bool {
	switch r := e.(type) {
	case *ast.StarExpr:
		return exportedReceiver(r.X)
	case *ast.IndexExpr:
		return exportedReceiver(r.X)
	case *ast.IndexListExpr:
		return exportedReceiver(r.X)
	case *ast.Ident:
		return r.IsExported()
	}
	return false
}

// TestTopLevel: the repository's root holds what it is meant to hold.
func TestTopLevel(t *testing.T) {
	t.Parallel()
	allowed := []string{"cmd", "proxy", "cache", "freshness", "validation", "tunnel", "config", "e2e", "go.mod", "go.sum", "LICENSE", "README.md"}
	entries, err := os.ReadDir(env.root)
	must(t, err)
	for _, e := range entries {
		name := e.Name()
		if !slices.Contains(allowed, name) && !strings.HasPrefix(name, ".") && !ignored(t, name) {
			t.Errorf("%s is at the top level; want only %v and dot files", name, allowed)
		}
	}
	for _, name := range []string{"LICENSE", "README.md", ".ci/run"} {
		if _, err := os.Stat(filepath.Join(env.root, name)); err != nil {
			t.Error(err)
		}
	}
}

// ignored reports whether git ignores a file at the root.
func ignored(t *testing.T, name string) bool {
	cmd := exec.CommandContext(t.Context(), "git", "check-ignore", "-q", name)
	cmd.Dir = env.root
	return cmd.Run() == nil
}

// TestNoLeftovers: no marks of unfinished work.
func TestNoLeftovers(t *testing.T) {
	t.Parallel()
	marks := []string{"TO" + "DO", "FIX" + "ME", "XX" + "X", "not imple" + "mented", "panic(\"unfin" + "ished"}
	err := filepath.WalkDir(env.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != env.root {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		b, err := os.ReadFile(path)
		for _, m := range marks {
			if bytes.Contains(b, []byte(m)) {
				t.Errorf("%s has the mark %s", path, m)
			}
		}
		return err
	})
	must(t, err)
}

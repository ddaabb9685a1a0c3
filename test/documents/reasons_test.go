package documents_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// returned gives the strings that a function returns as literals, but for "".
func returned(t *testing.T, file, function string) []string {
	t.Helper()
	var found []string
	for _, decl := range parse(t, file).Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Name.Name != function {
			continue
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			if ret, ok := n.(*ast.ReturnStmt); ok {
				found = append(found, literals(t, ret.Results)...)
			}
			return true
		})
	}
	return found
}

// constants gives the values of a file's string constants whose names match.
func constants(t *testing.T, file, names string) []string {
	t.Helper()
	var found []string
	ast.Inspect(parse(t, file), func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && regexp.MustCompile(names).MatchString(spec.Names[0].Name) {
			found = append(found, literals(t, spec.Values)...)
		}
		return true
	})
	return found
}

func literals(t *testing.T, expressions []ast.Expr) []string {
	t.Helper()
	var found []string
	for _, e := range expressions {
		lit, ok := e.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			continue
		}
		text, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		if text != "" {
			found = append(found, text)
		}
	}
	return found
}

func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

var reasonRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| \\S.* \\| \\S.* \\|$")

// Every reason that the code can give has its line in docs/troubleshoot.md, and no line is of a reason that is gone.
func TestReasons(t *testing.T) {
	t.Parallel()
	reasons := slices.Concat(
		returned(t, "ganeti/errors.go", "Reason"), returned(t, "updater/result.go", "Reason"),
		returned(t, "updater/result.go", "databaseReason"), constants(t, "db/removal.go", "^[Rr]eason"),
	)
	for _, trouble := range constants(t, "db/trouble.go", "^Trouble") {
		if trouble != "other" {
			reasons = append(reasons, "database_"+trouble)
		}
	}
	if len(reasons) < 28 {
		t.Fatalf("only %d reasons were found in the code: %s", len(reasons), strings.Join(reasons, " "))
	}
	var documented []string
	for _, match := range reasonRow.FindAllStringSubmatch(read(t, "docs/troubleshoot.md"), -1) {
		documented = append(documented, match[1])
	}
	for _, reason := range reasons {
		if !slices.Contains(documented, reason) {
			t.Errorf("docs/troubleshoot.md has no line for %s", reason)
		}
	}
	for _, reason := range documented {
		if !slices.Contains(reasons, reason) {
			t.Errorf("docs/troubleshoot.md has a line for %s, which the code does not give", reason)
		}
	}
}

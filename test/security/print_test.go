package security_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.yaml.in/yaml/v3"

	"ganeticache/config"
	"ganeticache/db"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti"
	"ganeticache/secret"
	"ganeticache/updater"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const canary = "kanarienvogel-4711-geheim-und-lang-genug"

// holders are all values that know a secret, made as the program makes them.
func holders(t *testing.T) map[string]any {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"password": canary, "key": canary,
		"config.yaml": "database_url: postgres://u:" + canary + "@h/d\nsecret_key_file: " + dir + "/key\nclusters:\n" +
			"  - {name: file, rapi: 'https://a', username: u, password_file: " + dir + "/password}\n" +
			"  - {name: env, rapi: 'https://b', username: u, password_env: CANARY}\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(config.Options{File: dir + "/config.yaml", Env: []string{"CANARY=" + canary}})
	must(err)
	stored, err := c.Adopt(config.Stored{
		Name: "stored", RAPI: "https://c", Username: "u", Password: func() (ganeti.Secret, error) { return canary, nil },
	})
	must(err)
	settings, err := c.Clusters[0].Settings()
	must(err)
	if settings.Password.Reveal() != canary {
		t.Fatal("the password was not read")
	}
	client, err := ganeti.New(settings)
	must(err)
	pool := ganeti.NewPool([]byte(canary))
	_, err = pool.Get(settings)
	must(err)
	key, err := secret.NewKey([]byte(canary))
	must(err)
	sealed, err := key.Seal(1, []byte(canary))
	must(err)
	store := dbtest.SQLite(t)
	options := updater.Options{
		Store: store, Hash: pool.Hash, Connect: func(s ganeti.Settings) (updater.Source, error) { return pool.Get(s) },
		Clusters: []updater.Cluster{{Name: "x", Settings: c.Clusters[0].Settings}},
	}
	engine, err := updater.New(t.Context(), options)
	must(err)
	_, refused := db.Open(t.Context(), "postgres://u:"+canary+"@127.0.0.1:1/d?connect_timeout=1", db.Options{})
	_, malformed := db.Open(t.Context(), "postgres://u:"+canary+"%zz@h/d", db.Options{})
	_, userinfo := ganeti.New(ganeti.Settings{URL: "https://u:" + canary + "@h"})
	return map[string]any{
		"Secret": ganeti.Secret(canary), "DatabaseURL": c.DatabaseURL, "Settings": settings, "Settings by pointer": &settings, "Client": client, "Pool": pool, "Key": key,
		"Config": c, "Config by value": *c, "Cluster": c.Clusters[0], "Cluster with a variable": c.Clusters[1], "Cluster of the database": stored,
		"Store": store, "StoredCluster": db.StoredCluster{Name: "x", PasswordSealed: sealed}, "Options": options, "Updater": engine,
		"refused": refused, "malformed": malformed, "userinfo": userinfo,
		"panic": recovered(func() { panic(fmt.Sprintf("%v %+v %#v", settings, c, client)) }),
	}
}

func recovered(f func()) (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	f()
	return ""
}

// TestNothingPrintsASecret prints every holder in every way, alone and inside of others, and looks for the canary.
func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	verbs := []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%c", "%U", "%.5s", "%10v", "%t"}
	for name, held := range holders(t) {
		var out strings.Builder
		for _, v := range []any{held, &held, []any{held}, map[string]any{"k": held}, struct{ V any }{held}} {
			for _, verb := range verbs {
				fmt.Fprintf(&out, verb+"\n", v)
			}
			logged(&out, v)
			// What cannot be encoded, a function for example, prints its type.
			if text, err := json.Marshal(v); err != nil {
				fmt.Fprintln(&out, err)
			} else {
				out.Write(text)
			}
			out.WriteString(recovered(func() {
				text, err := yaml.Marshal(v)
				fmt.Fprintln(&out, string(text), err)
			}))
		}
		text := out.String()
		for _, form := range []string{
			canary, canary[:5], hex.EncodeToString([]byte(canary)), strings.ToUpper(hex.EncodeToString([]byte(canary))),
			fmt.Sprintf("% x", canary), strings.Trim(fmt.Sprintf("%d", []byte(canary)), "[]"), "a2FuYXJpZW52b2dlbC00NzEx",
		} {
			if i := strings.Index(text, form); i >= 0 {
				t.Errorf("%s prints %q: …%s…", name, form, text[max(0, i-200):min(len(text), i+60)])
			}
		}
	}
}

// logged sends a value through both kinds of logger.
func logged(out *strings.Builder, v any) {
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(out), zap.DebugLevel)
	zap.New(core).Debug("x", zap.Any("any", v), zap.Reflect("reflect", v))
	zap.New(core).Sugar().Debugw("x", "v", v)
	slog.New(slog.NewTextHandler(out, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(out, nil)).Info("x", "v", v)
}

// TestNoUnexportedFieldHoldsASecret: fmt prints an unexported field without asking its type how, so that what redacts itself
// would not. Such a field must be a pointer to a struct, or a function.
func TestNoUnexportedFieldHoldsASecret(t *testing.T) {
	t.Parallel()
	redacting := map[string]bool{
		"Secret": true, "ganeti.Secret": true, "Settings": true, "ganeti.Settings": true, "DatabaseURL": true, "config.DatabaseURL": true,
		"config.Config": true, "Config": true,
	}
	structs := 0
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.StructType)
			if !ok {
				return true
			}
			structs++
			for _, field := range s.Fields.List {
				for _, name := range field.Names {
					if !name.IsExported() && redacting[typeName(field.Type)] {
						t.Errorf("%s: the field %s would be printed with its secret", path, name.Name)
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil || structs < 100 {
		t.Errorf("%d structs were looked at: %v", structs, err)
	}
}

// typeName is the name of a type, that of the elements for a list.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		if pkg, ok := e.X.(*ast.Ident); ok {
			return pkg.Name + "." + e.Sel.Name
		}
	case *ast.ArrayType:
		return typeName(e.Elt)
	case *ast.MapType:
		return typeName(e.Value)
	}
	return ""
}

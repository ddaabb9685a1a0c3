package api

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"ganeticache/printable"
)

// quietCore takes what net/http has to say: lines that may hold what a client sent. They are of use to somebody who
// looks for a fault, so they come at debug level, and as a printable field instead of as the line itself.
type quietCore struct{ zapcore.Core }

// With implements [zapcore.Core].
func (c quietCore) With(fields []zapcore.Field) zapcore.Core { return quietCore{c.Core.With(fields)} }

// Check implements [zapcore.Core].
func (c quietCore) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !c.Enabled(zapcore.DebugLevel) {
		return checked
	}
	return checked.AddCore(e, c)
}

// Write implements [zapcore.Core].
func (c quietCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	detail := cut(printable.Text(e.Message))
	e.Level, e.Message = zapcore.DebugLevel, "the HTTP server complains"
	return c.Core.Write(e, append(fields, zap.String("detail", detail)))
}

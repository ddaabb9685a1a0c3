package markdown

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

// Command is what a reader types at once, and what the document says that it prints.
type Command struct {
	// At is the document and line, for messages.
	At   string
	Text string
	// Output is what follows it in a transcript, line by line.
	Output []string
}

// prompt begins a command in a transcript.
var prompt = regexp.MustCompile(`^([a-z0-9@._-]+:?)?[$#] `)

// Commands returns the commands of a block of sh, each as many lines as the shell wants, or of a transcript (console), in
// which a command stands behind a prompt and its output below it. It asks bash.
func (b Block) Commands(ctx context.Context) ([]Command, error) {
	var found []Command
	pending := ""
	for i, line := range strings.Split(strings.TrimSuffix(b.Text, "\n"), "\n") {
		if pending == "" {
			if b.Language == "console" {
				start := prompt.FindString(line)
				if start == "" {
					if len(found) == 0 {
						return nil, fmt.Errorf("%s: a transcript begins with a prompt and a command", b.At(i))
					}
					last := &found[len(found)-1]
					last.Output = append(last.Output, line)
					continue
				}
				line = strings.TrimPrefix(line, start)
			}
			if text := strings.TrimSpace(line); text == "" || strings.HasPrefix(text, "#") {
				continue
			}
			found = append(found, Command{At: b.At(i)})
		}
		pending += line + "\n"
		whole, err := complete(ctx, pending)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.At(i), err)
		}
		if whole {
			found[len(found)-1].Text, pending = pending, ""
		}
	}
	if pending != "" {
		return nil, fmt.Errorf("%s: the shell waits for the end of\n%s", found[len(found)-1].At, pending)
	}
	return found, nil
}

// complete says whether bash would begin to run the text: no open quote, no here-document, no line to be continued.
func complete(ctx context.Context, text string) (bool, error) {
	if strings.HasSuffix(text, "\\\n") {
		return false, nil
	}
	cmd := exec.CommandContext(ctx, "bash", "-n")
	cmd.Stdin = strings.NewReader(text)
	said, err := cmd.CombinedOutput()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		return false, fmt.Errorf("asking bash: %w", err)
	}
	return err == nil && len(said) == 0, nil
}

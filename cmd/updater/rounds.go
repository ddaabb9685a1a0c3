package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
)

// rounds calls round for each line of standard input until it or ctx ends. What a process remembers of the last answers
// stays from one round to the next, as in a daemon. The last round gives the exit code.
func rounds(ctx context.Context, stdin io.Reader, round func() error) (err error) {
	lines := make(chan struct{})
	var readErr error
	// It may outlive ctx: nothing ends a read of a terminal but its end, or that of the process.
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(stdin)
		for scanner.Scan() {
			select {
			case lines <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
		readErr = scanner.Err()
	}()
	for {
		select {
		case <-ctx.Done():
			return err
		case _, more := <-lines:
			switch {
			case more:
				err = round()
			case readErr != nil:
				return fail(fmt.Errorf("reading standard input: %w", readErr))
			default:
				return err
			}
		}
	}
}

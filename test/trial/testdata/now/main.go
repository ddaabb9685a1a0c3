// Command now prints its clock, for the test of shifted clocks. Before, it lets timers run, which ask for the time on the
// scheduler's stack.
package main

import (
	"os"
	"strconv"
	"time"
)

func main() {
	for range 100 {
		<-time.After(time.Millisecond)
	}
	os.Stdout.WriteString(strconv.FormatInt(time.Now().Unix(), 10))
}

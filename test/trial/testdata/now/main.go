// Command now prints its clock, for the test of shifted clocks.
package main

import (
	"os"
	"strconv"
	"time"
)

func main() { os.Stdout.WriteString(strconv.FormatInt(time.Now().Unix(), 10)) }

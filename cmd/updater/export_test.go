package main

// Run is the whole program, for test scripts that run it as a command.
func Run() int { return run() }

// Command referee sets the peers of bench/peers their task and judges their answers.
//
//	referee write DIR SET...    makes the folders DIR/SET
//	referee judge DIR ANSWER    ends with 0 when the file is the right answer to the task in DIR
//
// Package task says what there is in a folder, and what is right. The program run asks xmlsec1
// for a second opinion.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sceau/bench/peers/task"
)

func main() {
	if err := referee(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "referee:", err)
		os.Exit(1)
	}
}

func referee(arguments []string) error {
	switch {
	case len(arguments) >= 3 && arguments[0] == "write":
		now := time.Now()
		for _, set := range arguments[2:] {
			if err := task.Write(filepath.Join(arguments[1], set), set, now); err != nil {
				return err
			}
		}
		return nil
	case len(arguments) == 3 && arguments[0] == "judge":
		answer, err := os.ReadFile(arguments[2])
		if err != nil {
			return err
		}
		return task.Judge(arguments[1], answer)
	}
	return fmt.Errorf("usage: referee write DIR SET... | referee judge DIR ANSWER")
}

// ipc compares Arrow IPC streams with arrow-go and writes them again.
//
//	arrow-go FOLDER
//
// For each NAME.wanted in the folder it reads that stream and NAME.got, compares them, writes NAME.out
// from what it got, and prints one JSON object: {"name", "result", "message"}; the result is "equal",
// "differs", "cannot read" (what is wanted), "cannot read ours" or "cannot write".
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

type answer struct {
	Name    string `json:"name"`
	Result  string `json:"result"`
	Message string `json:"message"`
}

// guard makes an error of a panic.
func guard(err *error) {
	if reason := recover(); reason != nil {
		*err = fmt.Errorf("panic: %v", reason)
	}
}

func read(path string) (schema *arrow.Schema, batches []arrow.RecordBatch, err error) {
	defer guard(&err)
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	reader, err := ipc.NewReader(file, ipc.WithDelayReadSchema(false))
	if err != nil {
		return nil, nil, err
	}
	defer reader.Release()
	for reader.Next() {
		batch := reader.RecordBatch()
		batch.Retain()
		batches = append(batches, batch)
	}
	return reader.Schema(), batches, reader.Err()
}

func compare(wantedSchema, gotSchema *arrow.Schema, wanted, got []arrow.RecordBatch) (err error) {
	defer guard(&err)
	if !wantedSchema.Equal(gotSchema) {
		return fmt.Errorf("schema %v, not %v", gotSchema, wantedSchema)
	}
	if len(wanted) != len(got) {
		return fmt.Errorf("%d batches, not %d", len(got), len(wanted))
	}
	for i := range wanted {
		if !array.RecordEqual(wanted[i], got[i]) {
			return fmt.Errorf("batch %d: %v, not %v", i, got[i], wanted[i])
		}
	}
	return nil
}

func write(path string, schema *arrow.Schema, batches []arrow.RecordBatch) (err error) {
	defer guard(&err)
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	writer := ipc.NewWriter(file, ipc.WithSchema(schema))
	for _, batch := range batches {
		if err := writer.Write(batch); err != nil {
			return err
		}
	}
	return writer.Close()
}

func run(base string) (string, error) {
	wantedSchema, wanted, err := read(base + ".wanted")
	if err != nil {
		return "cannot read", err
	}
	gotSchema, got, err := read(base + ".got")
	if err != nil {
		return "cannot read ours", err
	}
	if err := compare(wantedSchema, gotSchema, wanted, got); err != nil {
		return "differs", err
	}
	if err := write(base+".out", gotSchema, got); err != nil {
		return "cannot write", err
	}
	return "equal", errors.New("")
}

func main() {
	paths, _ := filepath.Glob(filepath.Join(os.Args[1], "*.wanted"))
	sort.Strings(paths)
	for _, path := range paths {
		base := strings.TrimSuffix(path, ".wanted")
		result, err := run(base)
		line, _ := json.Marshal(answer{filepath.Base(base), result, err.Error()})
		fmt.Println(string(line))
	}
}

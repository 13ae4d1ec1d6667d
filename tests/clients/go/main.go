// A Flight SQL client in Go (arrow-go): connects, selects every type, changes a table, reads errors.
//
// usage: flightsql-go ADDRESS FILE
//
// FILE holds one statement a line. The program prints one JSON object a statement: what came back, or
// the gRPC code and message. A line may begin with a word that says how to run it:
// "query", "update" or "prepared".
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

type answer struct {
	Columns []string `json:"columns,omitempty"`
	Types   []string `json:"types,omitempty"`
	Values  []any    `json:"values,omitempty"`
	Rows    int64    `json:"rows"`
	Changed *int64   `json:"changed,omitempty"`
	Code    string   `json:"code,omitempty"`
	Message string   `json:"message,omitempty"`
}

// fetch reads every endpoint of a result; of the first row it keeps the values as text.
func fetch(ctx context.Context, client *flightsql.Client, info *flight.FlightInfo, out *answer) error {
	for _, endpoint := range info.Endpoint {
		reader, err := client.DoGet(ctx, endpoint.Ticket)
		if err != nil {
			return err
		}
		for _, field := range reader.Schema().Fields() {
			out.Columns = append(out.Columns, field.Name)
			out.Types = append(out.Types, field.Type.String())
		}
		for reader.Next() {
			record := reader.RecordBatch()
			if out.Rows == 0 && record.NumRows() > 0 {
				for _, column := range record.Columns() {
					out.Values = append(out.Values, column.ValueStr(0))
				}
			}
			out.Rows += record.NumRows()
		}
		err = reader.Err()
		reader.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

func query(ctx context.Context, client *flightsql.Client, sql string, out *answer) error {
	info, err := client.Execute(ctx, sql)
	if err != nil {
		return err
	}
	return fetch(ctx, client, info, out)
}

func update(ctx context.Context, client *flightsql.Client, sql string, out *answer) error {
	changed, err := client.ExecuteUpdate(ctx, sql)
	if err == nil {
		out.Changed = &changed
	}
	return err
}

func prepared(ctx context.Context, client *flightsql.Client, sql string, out *answer) error {
	statement, err := client.Prepare(ctx, sql)
	if err != nil {
		return err
	}
	defer statement.Close(ctx)
	if statement.DatasetSchema() == nil || len(statement.DatasetSchema().Fields()) == 0 {
		changed, err := statement.ExecuteUpdate(ctx)
		if err == nil {
			out.Changed = &changed
		}
		return err
	}
	info, err := statement.Execute(ctx)
	if err != nil {
		return err
	}
	return fetch(ctx, client, info, out)
}

func run(ctx context.Context, client *flightsql.Client, line string) answer {
	ways := map[string]func(context.Context, *flightsql.Client, string, *answer) error{
		"query": query, "update": update, "prepared": prepared,
	}
	var out answer
	word, sql, _ := strings.Cut(line, " ")
	if err := ways[word](ctx, client, sql, &out); err != nil {
		found, _ := status.FromError(err)
		return answer{Code: found.Code().String(), Message: err.Error()}
	}
	return out
}

func main() {
	client, err := flightsql.NewClient(os.Args[1], nil, nil,
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer client.Close()
	file, err := os.Open(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text, _ := json.Marshal(run(ctx, client, lines.Text()))
		fmt.Println(string(text))
	}
}

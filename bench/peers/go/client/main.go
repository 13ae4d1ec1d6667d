// The lean Flight SQL client of the benchmark: one statement, repeated.
//
// usage: client ADDRESS CONNECTIONS CALLS SQL [KEYS]
//
// Without KEYS each call is GetFlightInfo and DoGet of SQL. With KEYS the statement is prepared once
// on each connection; its one BIGINT parameter takes pseudo-random values below KEYS, and a call is
// DoPut (bind), GetFlightInfo and DoGet. Each connection runs its share of CALLS, one after the other.
// Prints one JSON object: seconds, calls per second, latencies in microseconds and this process's CPU
// seconds.
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

var keySchema = arrow.NewSchema([]arrow.Field{{Name: "1", Type: arrow.PrimitiveTypes.Int64}}, nil)

// One connection and what is repeated on it.
type session struct {
	client   *flightsql.Client
	sql      string
	prepared *flightsql.PreparedStatement
	keys     int64
	random   *rand.Rand
}

func (s *session) info(ctx context.Context) (*flight.FlightInfo, error) {
	if s.prepared == nil {
		return s.client.Execute(ctx, s.sql)
	}
	builder := array.NewInt64Builder(memory.DefaultAllocator)
	defer builder.Release()
	builder.Append(s.random.Int64N(s.keys))
	column := builder.NewArray()
	defer column.Release()
	batch := array.NewRecordBatch(keySchema, []arrow.Array{column}, 1)
	defer batch.Release()
	s.prepared.SetParameters(batch)
	return s.prepared.Execute(ctx)
}

func (s *session) query(ctx context.Context) error {
	info, err := s.info(ctx)
	if err != nil {
		return err
	}
	reader, err := s.client.DoGet(ctx, info.Endpoint[0].Ticket)
	if err != nil {
		return err
	}
	defer reader.Release()
	rows := int64(0)
	for reader.Next() {
		rows += reader.RecordBatch().NumRows()
	}
	if rows != 1 && reader.Err() == nil {
		return fmt.Errorf("%d rows came instead of one", rows)
	}
	return reader.Err()
}

func connect(ctx context.Context, address, sql string, keys int64, seed uint64) *session {
	client, err := flightsql.NewClient(address, nil, nil,
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	made := &session{client: client, sql: sql, keys: keys, random: rand.New(rand.NewPCG(seed, 0))}
	if keys > 0 {
		if made.prepared, err = client.Prepare(ctx, sql); err != nil {
			panic(err)
		}
	}
	if err := made.query(ctx); err != nil {
		panic(err)
	}
	return made
}

func (s *session) close(ctx context.Context) {
	if s.prepared != nil {
		_ = s.prepared.Close(ctx)
	}
	_ = s.client.Close()
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	seconds := func(value syscall.Timeval) float64 {
		return float64(value.Sec) + float64(value.Usec)/1e6
	}
	return seconds(usage.Utime) + seconds(usage.Stime)
}

func main() {
	address, sql := os.Args[1], os.Args[4]
	connections, _ := strconv.Atoi(os.Args[2])
	calls, _ := strconv.Atoi(os.Args[3])
	keys := 0
	if len(os.Args) > 5 {
		keys, _ = strconv.Atoi(os.Args[5])
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	sessions := make([]*session, connections)
	for i := range sessions {
		sessions[i] = connect(ctx, address, sql, int64(keys), uint64(i))
		defer sessions[i].close(ctx)
	}
	latencies := make([][]time.Duration, connections)
	cpu := cpuSeconds()
	begin := time.Now()
	var group sync.WaitGroup
	for i, session := range sessions {
		group.Go(func() {
			for range calls / connections {
				start := time.Now()
				if err := session.query(ctx); err != nil {
					panic(err)
				}
				latencies[i] = append(latencies[i], time.Since(start))
			}
		})
	}
	group.Wait()
	seconds := time.Since(begin).Seconds()
	all := slices.Concat(latencies...)
	slices.Sort(all)
	text, _ := json.Marshal(map[string]any{
		"seconds": seconds, "calls": len(all), "per_second": float64(len(all)) / seconds,
		"p50_us": all[len(all)/2].Microseconds(), "p99_us": all[len(all)*99/100].Microseconds(),
		"client_cpu": cpuSeconds() - cpu,
	})
	fmt.Println(string(text))
}

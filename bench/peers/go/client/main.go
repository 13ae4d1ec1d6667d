// The lean Flight SQL client of the benchmark: GetFlightInfo and DoGet of one statement, repeated.
//
// usage: client ADDRESS CONNECTIONS CALLS SQL
//
// Each connection runs its share of CALLS, one after the other. Prints one JSON object: seconds,
// calls per second, latencies in microseconds and this process's CPU seconds.
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func query(ctx context.Context, client *flightsql.Client, sql string) error {
	info, err := client.Execute(ctx, sql)
	if err != nil {
		return err
	}
	reader, err := client.DoGet(ctx, info.Endpoint[0].Ticket)
	if err != nil {
		return err
	}
	defer reader.Release()
	rows := int64(0)
	for reader.Next() {
		rows += reader.RecordBatch().NumRows()
	}
	if rows == 0 && reader.Err() == nil {
		return fmt.Errorf("no rows came")
	}
	return reader.Err()
}

func connect(address string) *flightsql.Client {
	client, err := flightsql.NewClient(address, nil, nil,
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	return client
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
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	clients := make([]*flightsql.Client, connections)
	for i := range clients {
		clients[i] = connect(address)
		defer clients[i].Close()
		if err := query(ctx, clients[i], sql); err != nil {
			panic(err)
		}
	}
	latencies := make([][]time.Duration, connections)
	cpu := cpuSeconds()
	begin := time.Now()
	var group sync.WaitGroup
	for i, client := range clients {
		group.Go(func() {
			for range calls / connections {
				start := time.Now()
				if err := query(ctx, client, sql); err != nil {
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

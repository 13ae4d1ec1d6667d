// Bulk downloads with small calls beside them: the benchmark's client of fairness.
//
// usage: bulk ADDRESS CONNECTIONS STREAMS SECONDS SQL
//
// Runs the statement once and reads its result to the end, prints "primed" and waits for a line; then
// each of CONNECTIONS x STREAMS reads it again and again, without decoding. Where there is one
// connection only, one caller makes health checks on it, one after the other. Prints one JSON object:
// seconds, gigabytes, and the checks' latencies in microseconds as this client saw them.
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// Requests are bytes, answers only counted.
type counted struct{}

func (counted) Name() string { return "proto" }

func (counted) Marshal(value any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(value.([]byte))}, nil
}

func (counted) Unmarshal(data mem.BufferSlice, value any) error {
	*value.(*int) = data.Len()
	return nil
}

func connect(address string) *grpc.ClientConn {
	connection, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	return connection
}

func finishedResult(ctx context.Context, connection *grpc.ClientConn, sql string) []byte {
	client := &flightsql.Client{Client: flight.NewClientFromConn(connection, nil)}
	info, err := client.Execute(ctx, sql)
	if err != nil {
		panic(err)
	}
	reader, err := client.DoGet(ctx, info.Endpoint[0].Ticket)
	if err != nil {
		panic(err)
	}
	defer reader.Release()
	for reader.Next() {
	}
	if reader.Err() != nil {
		panic(reader.Err())
	}
	ticket, err := proto.Marshal(info.Endpoint[0].Ticket)
	if err != nil {
		panic(err)
	}
	return ticket
}

func download(ctx context.Context, connection *grpc.ClientConn, ticket []byte, total *atomic.Int64) {
	stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true},
		"/arrow.flight.protocol.FlightService/DoGet", grpc.ForceCodecV2(counted{}))
	if err == nil {
		err = stream.SendMsg(ticket)
	}
	if err == nil {
		err = stream.CloseSend()
	}
	for size := 0; err == nil; total.Add(int64(size)) {
		size = 0
		err = stream.RecvMsg(&size)
	}
	if !errors.Is(err, io.EOF) && ctx.Err() == nil {
		panic(err)
	}
}

func smallCalls(ctx context.Context, connection *grpc.ClientConn) []time.Duration {
	client := grpc_health_v1.NewHealthClient(connection)
	var latencies []time.Duration
	for {
		start := time.Now()
		_, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		if ctx.Err() != nil {
			return latencies
		}
		if err != nil {
			panic(err)
		}
		latencies = append(latencies, time.Since(start))
	}
}

func main() {
	address, sql := os.Args[1], os.Args[5]
	count, _ := strconv.Atoi(os.Args[2])
	streams, _ := strconv.Atoi(os.Args[3])
	seconds, _ := strconv.ParseFloat(os.Args[4], 64)
	connections := make([]*grpc.ClientConn, count)
	for i := range connections {
		connections[i] = connect(address)
	}
	ticket := finishedResult(context.Background(), connections[0], sql)
	fmt.Println("primed")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(time.Duration(seconds*float64(time.Second)), cancel)
	begin := time.Now()
	var total atomic.Int64
	var group sync.WaitGroup
	for _, connection := range connections {
		for range streams {
			group.Go(func() {
				for ctx.Err() == nil {
					download(ctx, connection, ticket, &total)
				}
			})
		}
	}
	var latencies []time.Duration
	if count == 1 {
		latencies = smallCalls(ctx, connections[0])
	}
	group.Wait()
	result := map[string]any{
		"seconds": time.Since(begin).Seconds(), "gigabytes": float64(total.Load()) / 1e9,
	}
	if len(latencies) > 0 {
		slices.Sort(latencies)
		result["p50_us"] = latencies[len(latencies)/2].Microseconds()
		result["p99_us"] = latencies[len(latencies)*99/100].Microseconds()
	}
	text, _ := json.Marshal(result)
	fmt.Println(string(text))
}

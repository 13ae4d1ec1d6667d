// An arrow-go Flight server with one table of four int64 columns in memory: a peer of the benchmark.
//
// usage: server BYTES
//
// Prints its port. The ticket is the number of rows in a batch; DoGet streams the whole table in
// batches of that size, made once at start. DoPut keeps every batch until the action `drop`. ListActions
// answers one action.
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"strconv"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc"
)

const bytesPerRow = 32

var schema = arrow.NewSchema([]arrow.Field{
	{Name: "a", Type: arrow.PrimitiveTypes.Int64}, {Name: "b", Type: arrow.PrimitiveTypes.Int64},
	{Name: "c", Type: arrow.PrimitiveTypes.Int64}, {Name: "d", Type: arrow.PrimitiveTypes.Int64},
}, nil)

type server struct {
	flight.BaseFlightServer
	table arrow.RecordBatch
	lock  sync.Mutex
	kept  [][]arrow.RecordBatch
}

func newTable(rows int64) arrow.RecordBatch {
	columns := make([]arrow.Array, 4)
	for column := range columns {
		values := make([]int64, rows)
		for row := range values {
			values[row] = int64(row)*int64(column+1) - int64(column)
		}
		buffer := memory.NewBufferBytes(arrow.Int64Traits.CastToBytes(values))
		data := array.NewData(arrow.PrimitiveTypes.Int64, int(rows),
			[]*memory.Buffer{nil, buffer}, nil, 0, 0)
		columns[column] = array.NewInt64Data(data)
	}
	return array.NewRecordBatch(schema, columns, rows)
}

func (s *server) DoGet(ticket *flight.Ticket, stream flight.FlightService_DoGetServer) error {
	rows, err := strconv.ParseInt(string(ticket.GetTicket()), 10, 64)
	if err != nil {
		return err
	}
	writer := flight.NewRecordWriter(stream, ipc.WithSchema(schema))
	defer writer.Close()
	for start := int64(0); start < s.table.NumRows(); start += rows {
		batch := s.table.NewSlice(start, min(start+rows, s.table.NumRows()))
		err := writer.Write(batch)
		batch.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *server) DoPut(stream flight.FlightService_DoPutServer) error {
	reader, err := flight.NewRecordReader(stream)
	if err != nil {
		return err
	}
	defer reader.Release()
	var batches []arrow.RecordBatch
	for reader.Next() {
		batch := reader.RecordBatch()
		batch.Retain()
		batches = append(batches, batch)
	}
	if reader.Err() != nil {
		return reader.Err()
	}
	s.lock.Lock()
	s.kept = append(s.kept, batches)
	s.lock.Unlock()
	return stream.Send(&flight.PutResult{})
}

func (s *server) DoAction(_ *flight.Action, _ flight.FlightService_DoActionServer) error {
	s.lock.Lock()
	s.kept = nil
	s.lock.Unlock()
	debug.FreeOSMemory() // the next upload is to find the server as this one did
	return nil
}

func (s *server) ListActions(_ *flight.Empty, stream flight.FlightService_ListActionsServer) error {
	return stream.Send(&flight.ActionType{Type: "ping"})
}

func main() {
	size, err := strconv.ParseInt(os.Args[1], 10, 64)
	if err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server := &server{table: newTable(size / bytesPerRow)}
	service := grpc.NewServer()
	flight.RegisterFlightServiceServer(service, server)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	if err := service.Serve(listener); err != nil {
		panic(err)
	}
}

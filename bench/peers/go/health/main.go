// A grpc-go server with grpc-go's own health service: a peer of the benchmark's small calls.
//
// Takes no arguments; prints its port.
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	service := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(service, health.NewServer())
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	if err := service.Serve(listener); err != nil {
		panic(err)
	}
}

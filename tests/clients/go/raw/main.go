// A gRPC client in Go (grpc-go) without generated code: makes the calls of a script.
//
// usage: grpc-go ADDRESS FILE [CA [CERTIFICATE KEY]]
//
// FILE holds one call a line, as the JSON object `request`; with CA the connection is TLS. All calls
// use one channel, one after the other; a call's copies run at once. Prints one JSON object a copy.
// tests/integration/raw_calls.py describes both objects for all languages.
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type message struct {
	Hex    string `json:"hex"`
	Zeros  int    `json:"zeros"`
	File   string `json:"file"`
	Repeat int    `json:"repeat"`
}

type request struct {
	Method      string      `json:"method"`
	Send        []message   `json:"send"`
	Metadata    [][2]string `json:"metadata"`
	TimeoutMs   int         `json:"timeout_ms"`
	CancelAfter int         `json:"cancel_after"`
	CancelMs    int         `json:"cancel_ms"`
	PauseMs     int         `json:"pause_ms"`
	PingPong    bool        `json:"ping_pong"`
	Gzip        bool        `json:"gzip"`
	Copies      int         `json:"copies"`
}

type answer struct {
	Code     int         `json:"code"`
	Message  string      `json:"message"`
	Count    int         `json:"count"`
	Bytes    int         `json:"bytes"`
	Sha256   string      `json:"sha256"`
	First    string      `json:"first"`
	Headers  [][2]string `json:"headers"`
	Trailers [][2]string `json:"trailers"`
}

// rawCodec hands messages through as bytes.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (rawCodec) Unmarshal(data []byte, v any) error { *v.(*[]byte) = data; return nil }
func (rawCodec) Name() string                       { return "proto" }

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func pairs(md metadata.MD) [][2]string {
	list := [][2]string{}
	for name, values := range md {
		for _, value := range values {
			if strings.HasSuffix(name, "-bin") {
				value = hex.EncodeToString([]byte(value))
			}
			list = append(list, [2]string{name, value})
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i][0] < list[j][0] })
	return list
}

func outgoing(ctx context.Context, list [][2]string) context.Context {
	for _, pair := range list {
		value := pair[1]
		if strings.HasSuffix(pair[0], "-bin") {
			value = string(must(hex.DecodeString(value)))
		}
		ctx = metadata.AppendToOutgoingContext(ctx, pair[0], value)
	}
	return ctx
}

// sendAll sends every message; in ping-pong it waits for a turn before each one after the first.
func sendAll(stream grpc.ClientStream, req request, turns <-chan struct{}) {
	for _, part := range req.Send {
		body := make([]byte, part.Zeros)
		if part.File != "" {
			body = must(os.ReadFile(part.File))
		} else if part.Hex != "" {
			body = must(hex.DecodeString(part.Hex))
		}
		for range max(part.Repeat, 1) {
			if req.PingPong {
				<-turns
			}
			if stream.SendMsg(&body) != nil {
				return // the status comes from RecvMsg
			}
		}
	}
	_ = stream.CloseSend()
}

func receiveAll(stream grpc.ClientStream, req request, out *answer, turns chan<- struct{},
	cancel context.CancelFunc) error {
	digest := sha256.New()
	defer func() { out.Sha256 = hex.EncodeToString(digest.Sum(nil)) }()
	for {
		var body []byte
		if err := stream.RecvMsg(&body); err != nil {
			return err
		}
		out.Count++
		out.Bytes += len(body)
		digest.Write(body)
		if out.Count == 1 {
			out.First = hex.EncodeToString(body[:min(len(body), 256)])
			time.Sleep(time.Duration(req.PauseMs) * time.Millisecond)
		}
		if req.PingPong {
			turns <- struct{}{}
		}
		if out.Count == req.CancelAfter {
			cancel()
		}
	}
}

func call(channel *grpc.ClientConn, req request) answer {
	out := answer{}
	ctx, cancel := context.WithCancel(outgoing(context.Background(), req.Metadata))
	defer cancel()
	if req.TimeoutMs > 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(req.TimeoutMs)*time.Millisecond)
		defer cancel()
	}
	if req.CancelMs > 0 {
		defer time.AfterFunc(time.Duration(req.CancelMs)*time.Millisecond, cancel).Stop()
	}
	options := []grpc.CallOption{grpc.ForceCodec(rawCodec{})}
	if req.Gzip {
		options = append(options, grpc.UseCompressor(gzip.Name))
	}
	shape := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := channel.NewStream(ctx, shape, req.Method, options...)
	if err == nil {
		turns := make(chan struct{}, 1024)
		turns <- struct{}{}
		go sendAll(stream, req, turns)
		err = receiveAll(stream, req, &out, turns, cancel)
		headers, _ := stream.Header()
		out.Headers, out.Trailers = pairs(headers), pairs(stream.Trailer())
	}
	if !errors.Is(err, io.EOF) {
		out.Code, out.Message = int(status.Code(err)), status.Convert(err).Message()
	}
	return out
}

func transport(files []string) credentials.TransportCredentials {
	if len(files) == 0 {
		return insecure.NewCredentials()
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	config.RootCAs.AppendCertsFromPEM(must(os.ReadFile(files[0])))
	if len(files) == 3 {
		config.Certificates = []tls.Certificate{must(tls.LoadX509KeyPair(files[1], files[2]))}
	}
	return credentials.NewTLS(config)
}

func main() {
	_ = encoding.GetCompressor(gzip.Name)
	channel := must(grpc.NewClient("passthrough:///"+os.Args[1],
		grpc.WithTransportCredentials(transport(os.Args[3:])),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 20 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30), grpc.MaxCallSendMsgSize(1<<30))))
	defer channel.Close()
	file := must(os.Open(os.Args[2]))
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	output := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var req request
		if err := json.Unmarshal(lines.Bytes(), &req); err != nil {
			must(0, err)
		}
		answers := make([]answer, max(req.Copies, 1))
		var group sync.WaitGroup
		for i := range answers {
			group.Add(1)
			go func() {
				defer group.Done()
				answers[i] = call(channel, req)
			}()
		}
		group.Wait()
		for _, one := range answers {
			must(0, output.Encode(one))
		}
	}
}

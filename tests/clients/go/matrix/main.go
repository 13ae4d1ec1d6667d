// The features of a Flight SQL server through two clients in Go: arrow-go's flightsql package and the
// ADBC driver, by itself and through database/sql.
//
// usage: matrix-go ADDRESS
//
// Runs every case and prints one JSON object for each: the client, the feature of
// tests/integration/client_matrix.py that it belongs to, its name, and what was wrong, if anything. The
// last line tells how many there were, so that a crash is not taken for success.
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"
)

// server is the address that every case connects to.
var server string

const caseLimit = 30 * time.Second

// A check is one case; what it returns or panics with is what was wrong.
type check struct {
	client, feature, name string
	run                   func(ctx context.Context) error
}

type outcome struct {
	Client  string `json:"client"`
	Feature string `json:"feature"`
	Case    string `json:"case"`
	Error   string `json:"error,omitempty"`
}

// require panics with the text where a condition does not hold; runCheck turns that into an outcome.
func require(condition bool, format string, arguments ...any) {
	if !condition {
		panic(fmt.Sprintf(format, arguments...))
	}
}

// must panics with an error.
func must(err error) {
	if err != nil {
		panic(err.Error())
	}
}

// got gives the value, or panics with the error.
func got[T any](value T, err error) T {
	must(err)
	return value
}

func equal(wanted, found any) {
	require(fmt.Sprint(wanted) == fmt.Sprint(found), "wanted %v, found %v", wanted, found)
}

// fails requires an error whose text has all the words.
func fails(err error, words ...string) {
	require(err != nil, "no error, where one with %q was due", words)
	for _, word := range words {
		require(strings.Contains(err.Error(), word), "the error has no %q: %v", word, err)
	}
}

func runCheck(one check) (result outcome) {
	result = outcome{Client: one.client, Feature: one.feature, Case: one.name}
	ctx, cancel := context.WithTimeout(context.Background(), caseLimit)
	defer cancel()
	defer func() {
		if panicked := recover(); panicked != nil {
			result.Error = fmt.Sprint(panicked)
			if _, ours := panicked.(string); !ours {
				result.Error += "\n" + string(debug.Stack())
			}
		}
	}()
	if err := one.run(ctx); err != nil {
		result.Error = err.Error()
	}
	return result
}

func main() {
	server = os.Args[1]
	checks := append(flightChecks(), adbcChecks()...)
	printer := json.NewEncoder(os.Stdout)
	for _, one := range checks {
		must(printer.Encode(runCheck(one)))
	}
	fmt.Printf("{\"cases\": %d}\n", len(checks))
}

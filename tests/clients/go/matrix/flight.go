// Cases of arrow-go's flightsql.Client.
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const computing = "SELECT count(*) AS n FROM range(3000000) a(i), range(3000000) b(i) WHERE a.i * b.i % 7 = 3"

// example is what docs/clients.md shows.
func example(ctx context.Context, server string) error {
	client, err := flightsql.NewClient(server, nil, nil,
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer client.Close()
	info, err := client.Execute(ctx, "SELECT i, i * 2 AS twice FROM range(3) t(i)")
	if err != nil {
		return err
	}
	for _, endpoint := range info.Endpoint {
		reader, err := client.DoGet(ctx, endpoint.Ticket)
		if err != nil {
			return err
		}
		defer reader.Release()
		for reader.Next() {
			fmt.Fprintln(os.Stderr, reader.RecordBatch())
		}
		if err := reader.Err(); err != nil {
			return err
		}
	}
	return nil
}

type flightCase func(ctx context.Context, client *flightsql.Client)

// flightClient connects with a cookie jar of its own, as a client with a session does.
func flightClient(address string) *flightsql.Client {
	jar := []flight.ClientMiddleware{flight.NewClientCookieMiddleware()}
	return got(flightsql.NewClient(address, nil, jar,
		grpc.WithTransportCredentials(insecure.NewCredentials())))
}

// rows reads every endpoint: the values of each row as text, separated by bars.
func rows(ctx context.Context, client *flightsql.Client, info *flight.FlightInfo) []string {
	var found []string
	for _, endpoint := range info.Endpoint {
		reader := got(client.DoGet(ctx, endpoint.Ticket))
		for reader.Next() {
			batch := reader.RecordBatch()
			for row := 0; row < int(batch.NumRows()); row++ {
				var cells []string
				for _, column := range batch.Columns() {
					cells = append(cells, column.ValueStr(row))
				}
				found = append(found, strings.Join(cells, "|"))
			}
		}
		must(reader.Err())
		reader.Release()
	}
	return found
}

func query(ctx context.Context, client *flightsql.Client, sql string) []string {
	return rows(ctx, client, got(client.Execute(ctx, sql)))
}

func update(ctx context.Context, client *flightsql.Client, sql string) int64 {
	return got(client.ExecuteUpdate(ctx, sql))
}

// batch makes a record batch of the columns (i int64, s utf8) with so many rows.
func batch(count int64) arrow.RecordBatch {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "i", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer builder.Release()
	for i := int64(0); i < count; i++ {
		builder.Field(0).(*array.Int64Builder).Append(i)
		if i%10 == 9 {
			builder.Field(1).AppendNull()
		} else {
			builder.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("row %d", i))
		}
	}
	return builder.NewRecordBatch()
}

func reader(batches ...arrow.RecordBatch) array.RecordReader {
	return got(array.NewRecordReader(batches[0].Schema(), batches))
}

func flightConnect(ctx context.Context, client *flightsql.Client) {
	ctx = got(client.Client.AuthenticateBasicToken(ctx, "anyone", "any:thing"))
	equal("[1]", query(ctx, client, "SELECT 1 AS one"))
}

func flightQuery(ctx context.Context, client *flightsql.Client) {
	info := got(client.Execute(ctx, "SELECT i, 'v' || i AS s FROM range(3) t(i)"))
	schema := got(flight.DeserializeSchema(info.Schema, memory.DefaultAllocator))
	equal("[i s]", []string{schema.Field(0).Name, schema.Field(1).Name})
	equal("[0|v0 1|v1 2|v2]", rows(ctx, client, info))
	equal("[0|v0 1|v1 2|v2]", rows(ctx, client, info)) // a ticket may be read again
	equal("[]", query(ctx, client, "SELECT 1 AS a WHERE false"))
	result := got(client.GetExecuteSchema(ctx, "SELECT 1::INTEGER AS a, 'x' AS b"))
	schema = got(flight.DeserializeSchema(result.Schema, memory.DefaultAllocator))
	equal("int32 utf8", fmt.Sprint(schema.Field(0).Type, schema.Field(1).Type))
}

func flightUpdate(ctx context.Context, client *flightsql.Client) {
	update(ctx, client, "CREATE OR REPLACE TABLE go_update (i INTEGER, s VARCHAR)")
	equal(3, update(ctx, client, "INSERT INTO go_update VALUES (1, 'a'), (2, 'b'), (3, 'c')"))
	equal(2, update(ctx, client, "UPDATE go_update SET s = 'z' WHERE i > 1"))
	equal(1, update(ctx, client, "DELETE FROM go_update WHERE i = 1"))
	equal("[]", query(ctx, client, "INSERT INTO go_update SELECT i, 'n' FROM range(4) t(i)"))
	equal("[6]", query(ctx, client, "SELECT count(*) FROM go_update"))
	update(ctx, client, "DROP TABLE go_update")
}

func flightPrepared(ctx context.Context, client *flightsql.Client) {
	statement := got(client.Prepare(ctx, "SELECT ?::BIGINT + 1 AS n, ?::VARCHAR AS s"))
	equal(2, len(statement.ParameterSchema().Fields()))
	equal("int64 utf8", fmt.Sprint(statement.ParameterSchema().Field(0).Type,
		statement.ParameterSchema().Field(1).Type))
	equal("[n s]", []string{statement.DatasetSchema().Field(0).Name, statement.DatasetSchema().Field(1).Name})
	isUpdate, known := statement.IsUpdate()
	require(known && !isUpdate, "is_update is %v (known: %v)", isUpdate, known)
	for start := int64(0); start < 3; start++ {
		one := batch(start+1).NewSlice(start, start+1)
		statement.SetParameters(one)
		equal(fmt.Sprintf("[%d|row %d]", start+1, start),
			rows(ctx, client, got(statement.Execute(ctx))))
	}
	must(statement.Close(ctx))
	_, err := statement.Execute(ctx)
	fails(err, "closed")
}

func flightPreparedUpdate(ctx context.Context, client *flightsql.Client) {
	update(ctx, client, "CREATE OR REPLACE TABLE go_prepared (i BIGINT, s VARCHAR)")
	statement := got(client.Prepare(ctx, "INSERT INTO go_prepared VALUES (?, ?)"))
	isUpdate, known := statement.IsUpdate()
	require(known && isUpdate, "is_update is %v (known: %v)", isUpdate, known)
	statement.SetParameters(batch(1))
	equal(1, got(statement.ExecuteUpdate(ctx)))
	must(statement.Close(ctx))
	plain := got(client.Prepare(ctx, "DELETE FROM go_prepared"))
	equal(1, got(plain.ExecuteUpdate(ctx)))
	must(plain.Close(ctx))
}

func flightBatch(ctx context.Context, client *flightsql.Client) {
	update(ctx, client, "CREATE OR REPLACE TABLE go_batch (i BIGINT, s VARCHAR)")
	statement := got(client.Prepare(ctx, "INSERT INTO go_batch VALUES (?, ?)"))
	statement.SetParameters(batch(10_000))
	equal(10_000, got(statement.ExecuteUpdate(ctx)))
	statement.SetRecordReader(reader(batch(10), batch(20)))
	equal(30, got(statement.ExecuteUpdate(ctx)))
	must(statement.Close(ctx))
	equal("[10030|49995235|1003]", query(ctx, client,
		"SELECT count(*), sum(i), count(*) - count(s) FROM go_batch"))
	change := got(client.Prepare(ctx, "UPDATE go_batch SET s = ?::VARCHAR WHERE i = ?::BIGINT"))
	swapped := batch(3)
	change.SetParameters(array.NewRecordBatch(arrow.NewSchema([]arrow.Field{swapped.Schema().Field(1),
		swapped.Schema().Field(0)}, nil), []arrow.Array{swapped.Column(1), swapped.Column(0)}, 3))
	equal(9, got(change.ExecuteUpdate(ctx)))
	must(change.Close(ctx))
}

func ingestOptions(table string, absent flightsql.TableDefinitionOptionsTableNotExistOption,
	present flightsql.TableDefinitionOptionsTableExistsOption) *flightsql.ExecuteIngestOpts {
	return &flightsql.ExecuteIngestOpts{
		Table: table,
		TableDefinitionOptions: &flightsql.TableDefinitionOptions{
			IfNotExist: absent, IfExists: present,
		},
	}
}

func flightIngest(ctx context.Context, client *flightsql.Client) {
	const (
		create  = flightsql.TableDefinitionOptionsTableNotExistOptionCreate
		absent  = flightsql.TableDefinitionOptionsTableNotExistOptionFail
		present = flightsql.TableDefinitionOptionsTableExistsOptionFail
		append  = flightsql.TableDefinitionOptionsTableExistsOptionAppend
		replace = flightsql.TableDefinitionOptionsTableExistsOptionReplace
	)
	update(ctx, client, "DROP TABLE IF EXISTS go_ingest")
	_, err := client.ExecuteIngest(ctx, reader(batch(5)), ingestOptions("go_ingest", absent, append))
	fails(err, "go_ingest")
	equal(100, got(client.ExecuteIngest(ctx, reader(batch(50), batch(50)), ingestOptions("go_ingest", create,
		present))))
	_, err = client.ExecuteIngest(ctx, reader(batch(5)), ingestOptions("go_ingest", create, present))
	fails(err, "go_ingest")
	equal(7, got(client.ExecuteIngest(ctx, reader(batch(7)), ingestOptions("go_ingest", absent, append))))
	equal("[107|97]", query(ctx, client, "SELECT count(*), count(s) FROM go_ingest"))
	equal(3, got(client.ExecuteIngest(ctx, reader(batch(3)), ingestOptions("go_ingest", create, replace))))
	equal("[0|row 0 1|row 1 2|row 2]", query(ctx, client, "SELECT * FROM go_ingest ORDER BY i"))
}

func flightIngestInTransaction(ctx context.Context, client *flightsql.Client) {
	update(ctx, client, "CREATE OR REPLACE TABLE go_ingest_tx (i BIGINT, s VARCHAR)")
	transaction := got(client.BeginTransaction(ctx))
	options := ingestOptions("go_ingest_tx", flightsql.TableDefinitionOptionsTableNotExistOptionFail,
		flightsql.TableDefinitionOptionsTableExistsOptionAppend)
	options.TransactionId = transaction.ID()
	equal(4, got(client.ExecuteIngest(ctx, reader(batch(4)), options)))
	equal("[4]", rows(ctx, client, got(transaction.Execute(ctx, "SELECT count(*) FROM go_ingest_tx"))))
	must(transaction.Rollback(ctx))
	equal("[0]", query(ctx, client, "SELECT count(*) FROM go_ingest_tx"))
}

func flightTransactions(ctx context.Context, client *flightsql.Client) {
	update(ctx, client, "CREATE OR REPLACE TABLE go_tx (i INTEGER)")
	transaction := got(client.BeginTransaction(ctx))
	equal(1, got(transaction.ExecuteUpdate(ctx, "INSERT INTO go_tx VALUES (1)")))
	equal("[1]", rows(ctx, client, got(transaction.Execute(ctx, "SELECT count(*) FROM go_tx"))))
	other := flightClient(server)
	defer other.Close()
	equal("[0]", query(ctx, other, "SELECT count(*) FROM go_tx"))
	must(transaction.Commit(ctx))
	equal("[1]", query(ctx, other, "SELECT count(*) FROM go_tx"))
	equal("[1]", query(ctx, client, "SELECT count(*) FROM go_tx"))
	second := got(client.BeginTransaction(ctx))
	statement := got(second.Prepare(ctx, "DELETE FROM go_tx"))
	equal(1, got(statement.ExecuteUpdate(ctx)))
	must(second.Rollback(ctx))
	equal("[1]", query(ctx, client, "SELECT count(*) FROM go_tx"))
	third := got(client.BeginTransaction(ctx))
	_, err := third.BeginSavepoint(ctx, "here")
	fails(err, "avepoint")
	must(third.Rollback(ctx))
}

func flightMetadata(ctx context.Context, client *flightsql.Client) {
	update(ctx, client, "CREATE SCHEMA IF NOT EXISTS go_meta")
	update(ctx, client, "DROP TABLE IF EXISTS go_meta.child")
	update(ctx, client, "CREATE OR REPLACE TABLE go_meta.parent (a INTEGER PRIMARY KEY, b VARCHAR NOT NULL)")
	update(ctx, client, "CREATE OR REPLACE TABLE go_meta.child (i BIGINT,"+
		" a INTEGER REFERENCES go_meta.parent (a))")
	schema, table, child, catalog := "go_meta", "parent", "child", "memory"
	any := func(lines []string, word string) {
		require(strings.Contains(strings.Join(lines, "\n"), word), "no %q in %v", word, lines)
	}
	any(rows(ctx, client, got(client.GetCatalogs(ctx))), catalog)
	any(rows(ctx, client, got(client.GetDBSchemas(ctx, &flightsql.GetDBSchemasOpts{
		DbSchemaFilterPattern: &schema}))), schema)
	any(rows(ctx, client, got(client.GetTableTypes(ctx))), "TABLE")
	equal("[memory|go_meta|parent|TABLE]", rows(ctx, client, got(client.GetTables(ctx,
		&flightsql.GetTablesOpts{DbSchemaFilterPattern: &schema, TableNameFilterPattern: &table}))))
	info := got(client.GetTables(ctx, &flightsql.GetTablesOpts{DbSchemaFilterPattern: &schema,
		TableNameFilterPattern: &table, IncludeSchema: true}))
	columns := got(client.DoGet(ctx, info.Endpoint[0].Ticket))
	require(columns.Next(), "no row")
	bytes := columns.RecordBatch().Column(4).(*array.Binary).Value(0)
	found := got(flight.DeserializeSchema(bytes, memory.DefaultAllocator))
	columns.Release()
	equal("a int32 b utf8", fmt.Sprint(found.Field(0).Name, " ", found.Field(0).Type, " ", found.Field(1).Name,
		" ", found.Field(1).Type))
	parent := flightsql.TableRef{DBSchema: &schema, Table: table}
	below := flightsql.TableRef{DBSchema: &schema, Table: child}
	any(rows(ctx, client, got(client.GetPrimaryKeys(ctx, parent))), "go_meta|parent|a")
	any(rows(ctx, client, got(client.GetExportedKeys(ctx, parent))), "go_meta|child|a")
	any(rows(ctx, client, got(client.GetImportedKeys(ctx, below))), "go_meta|parent|a")
	any(rows(ctx, client, got(client.GetCrossReference(ctx, parent, below))), "go_meta|parent|a")
	any(rows(ctx, client, got(client.GetXdbcTypeInfo(ctx, nil))), "VARCHAR")
	name := got(client.GetSqlInfo(ctx, []flightsql.SqlInfo{flightsql.SqlInfoFlightSqlServerName}))
	any(rows(ctx, client, name), "Volley")
	require(len(rows(ctx, client, got(client.GetSqlInfo(ctx, nil)))) > 50, "few SqlInfo values")
}

func sameSchema(ctx context.Context, client *flightsql.Client, promised *flight.SchemaResult,
	info *flight.FlightInfo) {
	first := got(flight.DeserializeSchema(promised.Schema, memory.DefaultAllocator))
	second := got(flight.DeserializeSchema(info.Schema, memory.DefaultAllocator))
	require(first.Equal(second), "GetSchema says %v, GetFlightInfo %v", first, second)
	reader := got(client.DoGet(ctx, info.Endpoint[0].Ticket))
	defer reader.Release()
	require(first.Equal(reader.Schema()), "GetSchema says %v, DoGet %v", first, reader.Schema())
}

func flightMetadataSchemas(ctx context.Context, client *flightsql.Client) {
	some := flightsql.TableRef{Table: "t"}
	same := func(promised *flight.SchemaResult, info *flight.FlightInfo) {
		sameSchema(ctx, client, promised, info)
	}
	same(got(client.GetCatalogsSchema(ctx)), got(client.GetCatalogs(ctx)))
	same(got(client.GetDBSchemasSchema(ctx)), got(client.GetDBSchemas(ctx, &flightsql.GetDBSchemasOpts{})))
	for _, include := range []bool{false, true} {
		options := &flightsql.GetTablesOpts{IncludeSchema: include}
		same(got(client.GetTablesSchema(ctx, options)), got(client.GetTables(ctx, options)))
	}
	same(got(client.GetTableTypesSchema(ctx)), got(client.GetTableTypes(ctx)))
	same(got(client.GetPrimaryKeysSchema(ctx)), got(client.GetPrimaryKeys(ctx, some)))
	same(got(client.GetExportedKeysSchema(ctx)), got(client.GetExportedKeys(ctx, some)))
	same(got(client.GetImportedKeysSchema(ctx)), got(client.GetImportedKeys(ctx, some)))
	same(got(client.GetCrossReferenceSchema(ctx)), got(client.GetCrossReference(ctx, some, some)))
	same(got(client.GetXdbcTypeInfoSchema(ctx)), got(client.GetXdbcTypeInfo(ctx, nil)))
	same(got(client.GetSqlInfoSchema(ctx)), got(client.GetSqlInfo(ctx, nil)))
}

func flightCancel(ctx context.Context, client *flightsql.Client) {
	info := got(client.Execute(ctx, computing+" AND 'go_cancel' <> ''"))
	failed := make(chan error, 1)
	go func() {
		reader, err := client.DoGet(ctx, info.Endpoint[0].Ticket)
		if err == nil {
			for reader.Next() {
			}
			err = reader.Err()
		}
		failed <- err
	}()
	result := got(client.CancelFlightInfo(ctx, &flight.CancelFlightInfoRequest{Info: info}))
	require(result.Status == flight.CancelStatusCancelled || result.Status == flight.CancelStatusCancelling,
		"the status is %v", result.Status)
	equal(codes.Canceled, status.Code(<-failed))
}

func flightCancelQuery(ctx context.Context, client *flightsql.Client) {
	info := got(client.Execute(ctx, "SELECT i FROM range(1000000000) t(i)"))
	reader := got(client.DoGet(ctx, info.Endpoint[0].Ticket))
	require(reader.Next(), "no batch")
	result := got(client.CancelQuery(ctx, info))
	require(result == flightsql.CancelResultCancelled || result == flightsql.CancelResultCancelling,
		"the result is %v", result)
	for reader.Next() {
	}
	equal(codes.Canceled, status.Code(reader.Err()))
}

func flightCancelContext(ctx context.Context, client *flightsql.Client) {
	ctx, cancel := context.WithCancel(ctx)
	info := got(client.Execute(ctx, computing))
	reader, err := client.DoGet(ctx, info.Endpoint[0].Ticket)
	cancel()
	if err == nil {
		for reader.Next() {
		}
		err = reader.Err()
	}
	require(err != nil, "a cancelled call ended well")
}

func flightSession(ctx context.Context, client *flightsql.Client) {
	update(ctx, client, "CREATE SCHEMA IF NOT EXISTS go_session")
	update(ctx, client, "CREATE OR REPLACE TABLE go_session.only_there (i INTEGER)")
	options := got(flight.NewSessionOptionValues(map[string]any{"schema": "go_session"}))
	set := got(client.SetSessionOptions(ctx, &flight.SetSessionOptionsRequest{SessionOptions: options}))
	equal(0, len(set.Errors))
	equal("[0]", query(ctx, client, "SELECT count(*) FROM only_there"))
	current := got(client.GetSessionOptions(ctx, &flight.GetSessionOptionsRequest{}))
	equal("go_session", current.SessionOptions["schema"].GetStringValue())
	options = got(flight.NewSessionOptionValues(map[string]any{"no_such_option": "x"}))
	refused := got(client.SetSessionOptions(ctx, &flight.SetSessionOptionsRequest{SessionOptions: options}))
	equal(1, len(refused.Errors))
	closed := got(client.CloseSession(ctx, &flight.CloseSessionRequest{}))
	over := closed.Status == flight.CloseSessionResultClosed || closed.Status == flight.CloseSessionResultClosing
	require(over,
		"the status is %v", closed.Status)
}

// poll asks until the query is complete; the answers' descriptors lead on.
func poll(ctx context.Context, client *flightsql.Client, sql string) (*flight.FlightInfo, int) {
	var descriptor *flight.FlightDescriptor
	for asked := 1; ; asked++ {
		answer := got(client.ExecutePoll(ctx, sql, descriptor))
		require(answer.GetProgress() >= 0 && answer.GetProgress() <= 1, "progress %v", answer.GetProgress())
		descriptor = answer.FlightDescriptor
		if descriptor == nil {
			require(answer.Info != nil && len(answer.Info.Endpoint) > 0, "complete without an endpoint")
			return answer.Info, asked
		}
	}
}

func flightPoll(ctx context.Context, client *flightsql.Client) {
	info, _ := poll(ctx, client, "SELECT count(*) AS n FROM range(30000000) t(i) WHERE i % 3 = 1")
	equal("[10000000]", rows(ctx, client, info))
	answer := got(client.ExecutePoll(ctx, computing+" AND 'go_poll' <> ''", nil))
	require(answer.FlightDescriptor != nil, "minutes of work are complete at once")
	got(client.CancelFlightInfo(ctx, &flight.CancelFlightInfoRequest{Info: answer.Info}))
}

func flightLarge(ctx context.Context, client *flightsql.Client) {
	info := got(client.Execute(ctx, "SELECT i, 'text ' || i AS s FROM range(1000000) t(i)"))
	count, sum := int64(0), int64(0)
	for _, endpoint := range info.Endpoint {
		reader := got(client.DoGet(ctx, endpoint.Ticket)) // this client refuses messages over 4 MiB
		for reader.Next() {
			column := reader.RecordBatch().Column(0).(*array.Int64)
			for _, value := range column.Int64Values() {
				sum += value
			}
			count += reader.RecordBatch().NumRows()
		}
		must(reader.Err())
		reader.Release()
	}
	equal("1000000 499999500000", fmt.Sprint(count, sum))
}

func flightLargeParallel(ctx context.Context, client *flightsql.Client) {
	wish := metadata.AppendToOutgoingContext(ctx, "volley-parallel-endpoints", "4")
	info := got(client.Execute(wish, "SELECT i FROM range(1000000) t(i)"))
	equal(4, len(info.Endpoint))
	require(!bytes.Equal(info.Endpoint[0].Ticket.Ticket, info.Endpoint[1].Ticket.Ticket), "one ticket twice")
	total := 0
	for _, endpoint := range info.Endpoint {
		total += len(rows(ctx, client, &flight.FlightInfo{Endpoint: []*flight.FlightEndpoint{endpoint}}))
	}
	equal(1_000_000, total)
}

func flightErrors(ctx context.Context, client *flightsql.Client) {
	update(ctx, client, "CREATE OR REPLACE TABLE go_errors (i INTEGER PRIMARY KEY)")
	update(ctx, client, "INSERT INTO go_errors VALUES (1)")
	for _, wanted := range []struct {
		sql, word string
		code      codes.Code
	}{
		{"SELEC 1", "SELEC", codes.InvalidArgument},
		{"SELECT nope FROM go_errors", "nope", codes.InvalidArgument},
		{"SELECT * FROM go_no_such_table", "go_no_such_table", codes.NotFound},
		{"CREATE TABLE go_errors (i INTEGER)", "go_errors", codes.AlreadyExists},
		{"INSERT INTO go_errors VALUES (1)", "uplicate", codes.AlreadyExists},
		{"INSTALL httpfs", "allow-statements", codes.PermissionDenied},
	} {
		_, err := client.Execute(ctx, wanted.sql)
		require(err != nil, "%q ended well", wanted.sql)
		equal(wanted.code, status.Code(err))
		fails(err, wanted.word)
	}
	_, err := client.DoGet(ctx, &flight.Ticket{Ticket: []byte("no ticket of yours")})
	equal(codes.InvalidArgument, status.Code(err))
	unknown := got(proto.Marshal(&flight.Ticket{Ticket: []byte("x")}))
	_, err = client.Client.GetFlightInfo(ctx, &flight.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: unknown})
	require(err != nil, "a command that is none ended well")
}

func flightChecks() []check {
	var checks []check
	add := func(feature, name string, run flightCase) {
		checks = append(checks, check{"arrow-go", feature, name, func(ctx context.Context) error {
			client := flightClient(server)
			defer client.Close()
			run(ctx, client)
			return nil
		}})
	}
	checks = append(checks, check{"arrow-go", "connect", "example", func(ctx context.Context) error {
		return example(ctx, server)
	}})
	add("connect", "user and password by handshake", flightConnect)
	add("query", "rows, schema, a ticket read twice", flightQuery)
	add("update and DDL", "counts", flightUpdate)
	add("parameters", "query, executed three times", flightPrepared)
	add("parameters", "update", flightPreparedUpdate)
	add("batch bind", "10,000 rows, a reader, an update of many rows", flightBatch)
	add("ingest", "create, append, replace, fail", flightIngest)
	add("ingest", "in a transaction", flightIngestInTransaction)
	add("transactions", "commit, rollback, savepoints refused", flightTransactions)
	add("metadata", "every command", flightMetadata)
	add("metadata", "GetSchema, GetFlightInfo and DoGet agree", flightMetadataSchemas)
	add("cancel", "CancelFlightInfo", flightCancel)
	add("cancel", "CancelQuery", flightCancelQuery)
	add("cancel", "context", flightCancelContext)
	add("session options", "set, get, close", flightSession)
	add("poll", "PollFlightInfo", flightPoll)
	add("large result", "1,000,000 rows", flightLarge)
	add("large result", "4 endpoints", flightLargeParallel)
	add("errors", "codes and messages", flightErrors)
	return checks
}

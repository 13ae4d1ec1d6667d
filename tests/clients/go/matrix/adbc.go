// Cases of the ADBC Flight SQL driver in Go, by itself and through database/sql.
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/apache/arrow-adbc/go/adbc"
	driver "github.com/apache/arrow-adbc/go/adbc/driver/flightsql"
	_ "github.com/apache/arrow-adbc/go/adbc/sqldriver/flightsql"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// throughDatabaseSQL is what docs/clients.md shows.
func throughDatabaseSQL(ctx context.Context, server string) error {
	database, err := sql.Open("flightsql", "uri=grpc://"+server)
	if err != nil {
		return err
	}
	defer database.Close()
	statement, err := database.PrepareContext(ctx, "SELECT i, 's' || i AS s FROM range(9) t(i) WHERE i < ?")
	if err != nil {
		return err
	}
	defer statement.Close()
	rows, err := statement.QueryContext(ctx, int64(3))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var number int64
		var text string
		if err := rows.Scan(&number, &text); err != nil {
			return err
		}
	}
	return rows.Err()
}

type adbcCase func(ctx context.Context, connection adbc.Connection)
type sqlCase func(ctx context.Context, database *sql.DB)

func adbcConnection(ctx context.Context) adbc.Connection {
	database := got(driver.NewDriver(memory.DefaultAllocator).NewDatabase(map[string]string{
		adbc.OptionKeyURI:             "grpc://" + server,
		driver.OptionCookieMiddleware: adbc.OptionValueEnabled,
	}))
	return got(database.Open(ctx))
}

func adbcStatement(connection adbc.Connection, text string) adbc.Statement {
	statement := got(connection.NewStatement())
	must(statement.SetSqlQuery(text))
	return statement
}

func adbcUpdate(ctx context.Context, connection adbc.Connection, text string) int64 {
	statement := adbcStatement(connection, text)
	defer statement.Close()
	return got(statement.ExecuteUpdate(ctx))
}

func readAll(reader array.RecordReader) []string {
	var found []string
	for reader.Next() {
		record := reader.RecordBatch()
		for row := 0; row < int(record.NumRows()); row++ {
			text := ""
			for _, column := range record.Columns() {
				text += column.ValueStr(row) + "|"
			}
			found = append(found, text[:len(text)-1])
		}
	}
	must(reader.Err())
	reader.Release()
	return found
}

func adbcQuery(ctx context.Context, connection adbc.Connection, text string) []string {
	statement := adbcStatement(connection, text)
	defer statement.Close()
	reader, _, err := statement.ExecuteQuery(ctx)
	must(err)
	return readAll(reader)
}

func adbcStatus(err error) adbc.Status {
	var found adbc.Error
	if errors.As(err, &found) {
		return found.Code
	}
	return adbc.StatusOK
}

func adbcInfo(ctx context.Context, connection adbc.Connection) {
	reader := got(connection.GetInfo(ctx, []adbc.InfoCode{adbc.InfoVendorName}))
	equal("[0|Volley]", readText(reader))
}

// readText shows GetInfo's union by its value alone.
func readText(reader array.RecordReader) []string {
	var found []string
	for reader.Next() {
		codes := reader.RecordBatch().Column(0)
		values := reader.RecordBatch().Column(1).(*array.DenseUnion)
		for row := 0; row < codes.Len(); row++ {
			child := values.Field(values.ChildID(row))
			text := child.ValueStr(int(values.ValueOffset(row)))
			found = append(found, codes.ValueStr(row)+"|"+text)
		}
	}
	must(reader.Err())
	return found
}

func adbcSchema(ctx context.Context, connection adbc.Connection) {
	equal("[0|a 1|b]", adbcQuery(ctx, connection, "SELECT * FROM (VALUES (0, 'a'), (1, 'b'))"))
	statement := adbcStatement(connection, "SELECT 1::INTEGER AS i, 'x' AS s")
	defer statement.Close()
	schema := got(statement.(adbc.StatementExecuteSchema).ExecuteSchema(ctx))
	equal("int32 utf8", fmt.Sprint(schema.Field(0).Type, schema.Field(1).Type))
}

func adbcPartitions(ctx context.Context, connection adbc.Connection) {
	statement := adbcStatement(connection, "SELECT i FROM range(10) t(i)")
	defer statement.Close()
	_, partitions, _, err := statement.ExecutePartitions(ctx)
	must(err)
	total := 0
	for _, partition := range partitions.PartitionIDs {
		total += len(readAll(got(connection.ReadPartition(ctx, partition))))
	}
	equal(10, total)
}

func adbcPrepared(ctx context.Context, connection adbc.Connection) {
	statement := adbcStatement(connection, "SELECT ?::BIGINT * 2 AS n, ?::VARCHAR AS s")
	defer statement.Close()
	must(statement.Prepare(ctx))
	schema := got(statement.GetParameterSchema())
	equal("int64 utf8", fmt.Sprint(schema.Field(0).Type, schema.Field(1).Type))
	for start := int64(0); start < 3; start++ {
		must(statement.Bind(ctx, batch(start+1).NewSlice(start, start+1)))
		reader, _, err := statement.ExecuteQuery(ctx)
		must(err)
		equal(fmt.Sprintf("[%d|row %d]", 2*start, start), readAll(reader))
	}
}

func adbcBatch(ctx context.Context, connection adbc.Connection) {
	adbcUpdate(ctx, connection, "CREATE OR REPLACE TABLE adbcgo_batch (i BIGINT, s VARCHAR)")
	statement := adbcStatement(connection, "INSERT INTO adbcgo_batch VALUES (?, ?)")
	defer statement.Close()
	must(statement.Prepare(ctx))
	must(statement.Bind(ctx, batch(5000)))
	equal(5000, got(statement.ExecuteUpdate(ctx)))
	must(statement.BindStream(ctx, reader(batch(100), batch(200))))
	equal(300, got(statement.ExecuteUpdate(ctx)))
	equal("[5300]", adbcQuery(ctx, connection, "SELECT count(*) FROM adbcgo_batch"))
}

func adbcIngestOnce(ctx context.Context, connection adbc.Connection, mode string,
	record arrow.RecordBatch) (int64, error) {
	statement := got(connection.NewStatement())
	defer statement.Close()
	must(statement.SetOption(adbc.OptionKeyIngestTargetTable, "adbcgo_ingest"))
	must(statement.SetOption(adbc.OptionKeyIngestMode, mode))
	must(statement.Bind(ctx, record))
	return statement.ExecuteUpdate(ctx)
}

func adbcIngest(ctx context.Context, connection adbc.Connection) {
	adbcUpdate(ctx, connection, "DROP TABLE IF EXISTS adbcgo_ingest")
	once := func(mode string, count int64) int64 {
		return got(adbcIngestOnce(ctx, connection, mode, batch(count)))
	}
	_, err := adbcIngestOnce(ctx, connection, adbc.OptionValueIngestModeAppend, batch(1))
	equal(adbc.StatusNotFound, adbcStatus(err))
	equal(10, once(adbc.OptionValueIngestModeCreate, 10))
	_, err = adbcIngestOnce(ctx, connection, adbc.OptionValueIngestModeCreate, batch(1))
	equal(adbc.StatusAlreadyExists, adbcStatus(err))
	equal(5, once(adbc.OptionValueIngestModeAppend, 5))
	equal(6, once(adbc.OptionValueIngestModeCreateAppend, 6))
	equal("[21]", adbcQuery(ctx, connection, "SELECT count(*) FROM adbcgo_ingest"))
	equal(2, once(adbc.OptionValueIngestModeReplace, 2))
	equal("[2]", adbcQuery(ctx, connection, "SELECT count(*) FROM adbcgo_ingest"))
}

func adbcTransactions(ctx context.Context, connection adbc.Connection) {
	adbcUpdate(ctx, connection, "CREATE OR REPLACE TABLE adbcgo_tx (i INTEGER)")
	options := connection.(adbc.PostInitOptions)
	must(options.SetOption(adbc.OptionKeyAutoCommit, adbc.OptionValueDisabled))
	equal(1, adbcUpdate(ctx, connection, "INSERT INTO adbcgo_tx VALUES (1)"))
	must(connection.Rollback(ctx))
	equal("[0]", adbcQuery(ctx, connection, "SELECT count(*) FROM adbcgo_tx"))
	equal(2, adbcUpdate(ctx, connection, "INSERT INTO adbcgo_tx VALUES (2), (3)"))
	must(connection.Commit(ctx))
	must(options.SetOption(adbc.OptionKeyAutoCommit, adbc.OptionValueEnabled))
	equal("[2]", adbcQuery(ctx, connection, "SELECT count(*) FROM adbcgo_tx"))
}

func adbcMetadata(ctx context.Context, connection adbc.Connection) {
	adbcUpdate(ctx, connection, "CREATE SCHEMA IF NOT EXISTS adbcgo_meta")
	adbcUpdate(ctx, connection, "CREATE OR REPLACE TABLE adbcgo_meta.kept (a INTEGER PRIMARY KEY, b VARCHAR)")
	schema, table := "adbcgo_meta", "kept"
	for _, depth := range []adbc.ObjectDepth{adbc.ObjectDepthCatalogs, adbc.ObjectDepthDBSchemas,
		adbc.ObjectDepthTables, adbc.ObjectDepthColumns} {
		reader := got(connection.GetObjects(ctx, depth, nil, &schema, &table, nil, nil))
		require(len(readAll(reader)) > 0, "no catalog at depth %v", depth)
	}
	found := got(connection.GetTableSchema(ctx, nil, &schema, table))
	equal("a int32 b utf8", fmt.Sprint(found.Field(0).Name, " ", found.Field(0).Type, " ",
		found.Field(1).Name, " ", found.Field(1).Type))
	require(len(readAll(got(connection.GetTableTypes(ctx)))) > 1, "few table types")
	_, err := connection.GetTableSchema(ctx, nil, &schema, "adbcgo_not_there")
	equal(adbc.StatusNotFound, adbcStatus(err))
}

func adbcCancel(ctx context.Context, connection adbc.Connection) {
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	statement := adbcStatement(connection, computing)
	defer statement.Close()
	reader, _, err := statement.ExecuteQuery(ctx)
	if err == nil {
		for reader.Next() {
		}
		err = reader.Err()
	}
	require(err != nil, "a call past its deadline ended well")
}

func adbcSession(ctx context.Context, connection adbc.Connection) {
	adbcUpdate(ctx, connection, "CREATE SCHEMA IF NOT EXISTS adbcgo_session")
	adbcUpdate(ctx, connection, "CREATE OR REPLACE TABLE adbcgo_session.only_there (i INTEGER)")
	options := connection.(adbc.GetSetOptions)
	must(options.SetOption(adbc.OptionKeyCurrentDbSchema, "adbcgo_session"))
	equal("adbcgo_session", got(options.GetOption(adbc.OptionKeyCurrentDbSchema)))
	equal("[0]", adbcQuery(ctx, connection, "SELECT count(*) FROM only_there"))
	fails(options.SetOption(driver.OptionSessionOptionPrefix+"no_such_option", "x"), "no_such_option")
}

func adbcPoll(ctx context.Context, connection adbc.Connection) {
	statement := adbcStatement(connection, "SELECT count(*) AS n FROM range(20000000) t(i) WHERE i % 2 = 1")
	defer statement.Close()
	must(statement.SetOption(adbc.OptionKeyIncremental, adbc.OptionValueEnabled))
	total := 0
	for {
		_, partitions, _, err := statement.ExecutePartitions(ctx)
		must(err)
		if len(partitions.PartitionIDs) == 0 {
			break
		}
		for _, partition := range partitions.PartitionIDs {
			rows := readAll(got(connection.ReadPartition(ctx, partition)))
			equal("[10000000]", rows)
			total += len(rows)
		}
	}
	equal(1, total)
}

func adbcLarge(ctx context.Context, connection adbc.Connection) {
	statement := adbcStatement(connection, "SELECT i, 'text ' || i AS s FROM range(1000000) t(i)")
	defer statement.Close()
	reader, _, err := statement.ExecuteQuery(ctx)
	must(err)
	count := int64(0)
	for reader.Next() {
		count += reader.RecordBatch().NumRows()
	}
	must(reader.Err())
	equal(1_000_000, count)
}

func adbcErrors(ctx context.Context, connection adbc.Connection) {
	adbcUpdate(ctx, connection, "CREATE OR REPLACE TABLE adbcgo_errors (i INTEGER PRIMARY KEY)")
	for text, wanted := range map[string]adbc.Status{
		"SELEC 1":                             adbc.StatusInvalidArgument,
		"SELECT * FROM adbcgo_no_such":        adbc.StatusNotFound,
		"CREATE TABLE adbcgo_errors (i TEXT)": adbc.StatusAlreadyExists,
		"INSTALL httpfs":                      adbc.StatusUnauthorized,
	} {
		statement := adbcStatement(connection, text)
		_, _, err := statement.ExecuteQuery(ctx)
		equal(wanted, adbcStatus(err))
		statement.Close()
	}
}

func sqlConnect(ctx context.Context, database *sql.DB) {
	must(database.PingContext(ctx))
}

func sqlQuery(ctx context.Context, database *sql.DB) {
	found := got(database.QueryContext(ctx,
		"SELECT i, 's' || i AS s, i / 2 AS half, DATE '2024-02-29' AS day FROM range(1, 3) t(i)"))
	defer found.Close()
	equal("[i s half day]", got(found.Columns()))
	text := ""
	for found.Next() {
		var number int64
		var word string
		var half float64
		var day time.Time
		must(found.Scan(&number, &word, &half, &day))
		text += fmt.Sprint(number, word, half, day.Format(" 2006-01-02"), ";")
	}
	must(found.Err())
	equal("1s10.5 2024-02-29;2s21 2024-02-29;", text)
}

func sqlUpdate(ctx context.Context, database *sql.DB) {
	got(database.ExecContext(ctx, "CREATE OR REPLACE TABLE gosql_rows (i BIGINT, s VARCHAR, d DATE)"))
	result := got(database.ExecContext(ctx, "INSERT INTO gosql_rows VALUES (1, 'a', NULL), (2, 'b', NULL)"))
	equal(2, got(result.RowsAffected()))
}

func sqlParameters(ctx context.Context, database *sql.DB) {
	got(database.ExecContext(ctx,
		"CREATE OR REPLACE TABLE gosql_parameters (i BIGINT, s VARCHAR, d DOUBLE, b BLOB)"))
	insert := got(database.PrepareContext(ctx, "INSERT INTO gosql_parameters VALUES (?, ?, ?, ?)"))
	defer insert.Close()
	for i := int64(0); i < 5; i++ {
		result := got(insert.ExecContext(ctx, i, fmt.Sprint("s", i), float64(i)/2, []byte{byte(i)}))
		equal(1, got(result.RowsAffected()))
	}
	var count int64
	var last string
	query := got(database.PrepareContext(ctx, "SELECT count(*), max(s) FROM gosql_parameters WHERE i >= ?"))
	defer query.Close()
	must(query.QueryRowContext(ctx, int64(2)).Scan(&count, &last))
	equal("3 s4", fmt.Sprint(count, " ", last))
}

func sqlTransactions(ctx context.Context, database *sql.DB) {
	got(database.ExecContext(ctx, "CREATE OR REPLACE TABLE gosql_tx (i BIGINT)"))
	for _, commit := range []bool{false, true} {
		transaction := got(database.BeginTx(ctx, nil))
		got(transaction.ExecContext(ctx, "INSERT INTO gosql_tx VALUES (1)"))
		if commit {
			must(transaction.Commit())
		} else {
			must(transaction.Rollback())
		}
	}
	var count int64
	must(database.QueryRowContext(ctx, "SELECT count(*) FROM gosql_tx").Scan(&count))
	equal(1, count)
}

func sqlErrors(ctx context.Context, database *sql.DB) {
	_, err := database.QueryContext(ctx, "SELECT * FROM gosql_no_such")
	fails(err, "gosql_no_such")
}

func adbcChecks() []check {
	var checks []check
	add := func(feature, name string, run adbcCase) {
		checks = append(checks, check{"adbc-go", feature, name, func(ctx context.Context) error {
			connection := adbcConnection(ctx)
			defer connection.Close()
			run(ctx, connection)
			return nil
		}})
	}
	through := func(feature string, run sqlCase) {
		checks = append(checks, check{"adbc-go", feature, "database/sql", func(ctx context.Context) error {
			database := got(sql.Open("flightsql", "uri=grpc://"+server))
			defer database.Close()
			run(ctx, database)
			return nil
		}})
	}
	checks = append(checks, check{"adbc-go", "parameters", "example", func(ctx context.Context) error {
		return throughDatabaseSQL(ctx, server)
	}})
	add("connect", "driver information", adbcInfo)
	through("connect", sqlConnect)
	add("query", "rows and schema", adbcSchema)
	add("query", "partitions", adbcPartitions)
	through("query", sqlQuery)
	through("update and DDL", sqlUpdate)
	add("parameters", "query, executed three times", adbcPrepared)
	through("parameters", sqlParameters)
	add("batch bind", "a batch, a stream", adbcBatch)
	add("ingest", "every mode", adbcIngest)
	add("transactions", "commit and rollback", adbcTransactions)
	through("transactions", sqlTransactions)
	add("metadata", "GetObjects, GetTableSchema, GetTableTypes", adbcMetadata)
	add("cancel", "deadline", adbcCancel)
	add("session options", "schema", adbcSession)
	add("poll", "incremental execution", adbcPoll)
	add("large result", "1,000,000 rows", adbcLarge)
	add("errors", "statuses", adbcErrors)
	through("errors", sqlErrors)
	return checks
}

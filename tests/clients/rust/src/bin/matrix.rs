//! The features of a Flight SQL server through arrow-flight's FlightSqlServiceClient.
//!
//! usage: matrix-rust ADDRESS
//!
//! Runs every case and prints one JSON object for each: the client, the feature of
//! tests/integration/client_matrix.py that it belongs to, its name, and what was wrong, if anything. The
//! last line tells how many there were, so that a crash is not taken for success.
//!
//! SPDX-License-Identifier: Apache-2.0
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{Array, Int64Array, RecordBatch, StringArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{
    CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys,
    CommandGetPrimaryKeys, CommandGetTables, CommandGetXdbcTypeInfo, CommandStatementIngest,
    CommandStatementQuery, EndTransaction, ProstMessageExt, SqlInfo, TableDefinitionOptions,
    TableExistsOption, TableNotExistOption,
};
use arrow_flight::{
    CancelFlightInfoRequest, CancelStatus, FlightClient, FlightDescriptor, FlightInfo,
};
use arrow_schema::{DataType, Field, Schema};
use futures::TryStreamExt;
use serde_json::json;
use tonic::transport::{Channel, Endpoint};

const COMPUTING: &str =
    "SELECT count(*) AS n FROM range(3000000) a(i), range(3000000) b(i) WHERE a.i * b.i % 7 = 3";
const CASE_LIMIT: Duration = Duration::from_secs(30);

type Client = FlightSqlServiceClient<Channel>;
type Outcome = Result<(), Box<dyn Error>>;
type Rows = Result<Vec<String>, Box<dyn Error>>;
type Case = fn(Client) -> Pin<Box<dyn Future<Output = Outcome>>>;

/// Ends a case with a text where the condition does not hold.
macro_rules! require {
    ($condition:expr, $($text:tt)*) => {
        if !$condition {
            return Err(format!($($text)*).into());
        }
    };
}

macro_rules! equal {
    ($wanted:expr, $found:expr) => {
        let (wanted, found) = (format!("{:?}", $wanted), format!("{:?}", $found));
        require!(
            wanted == found,
            "line {}: wanted {}, found {}",
            line!(),
            wanted,
            found
        );
    };
}

/// Requires an error whose text has the word.
macro_rules! fails {
    ($call:expr, $word:expr) => {
        match $call {
            Ok(_) => {
                return Err(format!(
                    "line {}: no error, where one with {} was due",
                    line!(),
                    $word
                )
                .into())
            }
            Err(error) => {
                require!(
                    error.to_string().contains($word),
                    "line {}: no {} in: {}",
                    line!(),
                    $word,
                    error
                )
            }
        }
    };
}

/// Every row of every endpoint: its cells as text, separated by bars.
async fn rows(client: &mut Client, info: FlightInfo) -> Rows {
    let mut found = Vec::new();
    for endpoint in info.endpoint {
        let ticket = endpoint.ticket.ok_or("an endpoint without a ticket")?;
        let mut stream = client.do_get(ticket).await?;
        while let Some(batch) = stream.try_next().await? {
            let options = FormatOptions::default().with_null("NULL");
            let columns = batch.columns().iter();
            let shown = columns.map(|column| ArrayFormatter::try_new(column, &options));
            let shown = shown.collect::<Result<Vec<_>, _>>()?;
            for row in 0..batch.num_rows() {
                let cells: Vec<String> = shown
                    .iter()
                    .map(|cell| cell.value(row).to_string())
                    .collect();
                found.push(cells.join("|"));
            }
        }
    }
    Ok(found)
}

async fn query(client: &mut Client, sql: &str) -> Rows {
    let info = client.execute(sql.to_string(), None).await?;
    rows(client, info).await
}

async fn update(client: &mut Client, sql: &str) -> Result<i64, FlightError> {
    Ok(client.execute_update(sql.to_string(), None).await?)
}

/// A batch of the columns (i int64, s utf8), from the first number on.
fn batch(first: i64, count: i64) -> RecordBatch {
    let numbers = Int64Array::from_iter_values(first..first + count);
    let texts: StringArray = (first..first + count)
        .map(|i| (i % 10 != 9).then(|| format!("row {i}")))
        .collect();
    let schema = Schema::new(vec![
        Field::new("i", DataType::Int64, true),
        Field::new("s", DataType::Utf8, true),
    ]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(numbers), Arc::new(texts)])
        .expect("a batch")
}

/// What docs/clients.md shows.
async fn example(server: &str) -> Result<usize, Box<dyn Error>> {
    let channel = Endpoint::from_shared(format!("http://{server}"))?
        .connect()
        .await?;
    let mut client = FlightSqlServiceClient::new(channel);
    let info = client
        .execute("SELECT i FROM range(3) t(i)".to_string(), None)
        .await?;
    let mut count = 0;
    for endpoint in info.endpoint {
        let ticket = endpoint.ticket.ok_or("an endpoint without a ticket")?;
        let mut batches = client.do_get(ticket).await?;
        while let Some(batch) = batches.try_next().await? {
            count += batch.num_rows();
        }
    }
    Ok(count)
}

async fn connect(mut client: Client) -> Outcome {
    client.handshake("anyone", "any:thing").await?;
    require!(client.token().is_some(), "the handshake gave no token");
    equal!(["1"], query(&mut client, "SELECT 1 AS one").await?);
    equal!(
        3,
        example(&std::env::args().nth(1).ok_or("no address")?).await?
    );
    Ok(())
}

async fn queries(mut client: Client) -> Outcome {
    let info = client
        .execute(
            "SELECT i, 'v' || i AS s FROM range(3) t(i)".to_string(),
            None,
        )
        .await?;
    let schema = info.clone().try_decode_schema()?;
    equal!(["i", "s"], [schema.field(0).name(), schema.field(1).name()]);
    equal!(
        ["0|v0", "1|v1", "2|v2"],
        rows(&mut client, info.clone()).await?
    );
    equal!(["0|v0", "1|v1", "2|v2"], rows(&mut client, info).await?);
    equal!(
        Vec::<String>::new(),
        query(&mut client, "SELECT 1 WHERE false").await?
    );
    Ok(())
}

async fn updates(mut client: Client) -> Outcome {
    update(
        &mut client,
        "CREATE OR REPLACE TABLE rs_update (i INTEGER, s VARCHAR)",
    )
    .await?;
    equal!(
        2,
        update(
            &mut client,
            "INSERT INTO rs_update VALUES (1, 'a'), (2, 'b')"
        )
        .await?
    );
    equal!(
        1,
        update(&mut client, "UPDATE rs_update SET s = 'z' WHERE i > 1").await?
    );
    equal!(2, update(&mut client, "DELETE FROM rs_update").await?);
    update(&mut client, "DROP TABLE rs_update").await?;
    Ok(())
}

async fn parameters(mut client: Client) -> Outcome {
    let sql = "SELECT ?::BIGINT + 1 AS n, ?::VARCHAR AS s";
    let mut statement = client.prepare(sql.to_string(), None).await?;
    let kinds: Vec<_> = statement
        .parameter_schema()?
        .fields()
        .iter()
        .map(|f| f.data_type().clone())
        .collect();
    equal!([DataType::Int64, DataType::Utf8], kinds);
    equal!(2, statement.dataset_schema()?.fields().len());
    for start in 0..3 {
        statement.set_parameters(batch(start, 1))?;
        let info = statement.execute().await?;
        equal!(
            [format!("{}|row {start}", start + 1)],
            rows(&mut client, info).await?
        );
    }
    statement.close().await?;
    Ok(())
}

async fn prepared_update(mut client: Client) -> Outcome {
    update(
        &mut client,
        "CREATE OR REPLACE TABLE rs_prepared (i BIGINT, s VARCHAR)",
    )
    .await?;
    let mut insert = client
        .prepare("INSERT INTO rs_prepared VALUES (?, ?)".to_string(), None)
        .await?;
    for start in 0..3 {
        insert.set_parameters(batch(start, 1))?;
        equal!(1, insert.execute_update().await?);
    }
    insert.close().await?;
    equal!(
        ["3|3"],
        query(
            &mut client,
            "SELECT count(*), sum(i)::BIGINT FROM rs_prepared"
        )
        .await?
    );
    let mut delete = client
        .prepare("DELETE FROM rs_prepared".to_string(), None)
        .await?;
    equal!(3, delete.execute_update().await?);
    delete.close().await?;
    Ok(())
}

async fn batches(mut client: Client) -> Outcome {
    update(
        &mut client,
        "CREATE OR REPLACE TABLE rs_batch (i BIGINT, s VARCHAR)",
    )
    .await?;
    let mut insert = client
        .prepare("INSERT INTO rs_batch VALUES (?, ?)".to_string(), None)
        .await?;
    insert.set_parameters(batch(0, 10_000))?;
    equal!(10_000, insert.execute_update().await?);
    insert.close().await?;
    let sums = "SELECT count(*), sum(i)::BIGINT, count(s) FROM rs_batch";
    equal!(["10000|49995000|9000"], query(&mut client, sums).await?);
    Ok(())
}

fn ingest_command(
    absent: TableNotExistOption,
    present: TableExistsOption,
) -> CommandStatementIngest {
    CommandStatementIngest {
        table_definition_options: Some(TableDefinitionOptions {
            if_not_exist: absent as i32,
            if_exists: present as i32,
        }),
        table: "rs_ingest".to_string(),
        ..Default::default()
    }
}

async fn ingest(mut client: Client) -> Outcome {
    let parts = |count: i64| futures::stream::iter((0..count).map(|part| Ok(batch(part * 10, 10))));
    update(&mut client, "DROP TABLE IF EXISTS rs_ingest").await?;
    let append = ingest_command(TableNotExistOption::Fail, TableExistsOption::Append);
    let create = ingest_command(TableNotExistOption::Create, TableExistsOption::Fail);
    let replace = ingest_command(TableNotExistOption::Create, TableExistsOption::Replace);
    fails!(
        client.execute_ingest(append.clone(), parts(1)).await,
        "rs_ingest"
    );
    equal!(50, client.execute_ingest(create.clone(), parts(5)).await?);
    fails!(client.execute_ingest(create, parts(1)).await, "rs_ingest");
    equal!(20, client.execute_ingest(append, parts(2)).await?);
    equal!(
        ["70|63"],
        query(&mut client, "SELECT count(*), count(s) FROM rs_ingest").await?
    );
    equal!(10, client.execute_ingest(replace, parts(1)).await?);
    equal!(
        ["10"],
        query(&mut client, "SELECT count(*) FROM rs_ingest").await?
    );
    Ok(())
}

async fn transactions(mut client: Client) -> Outcome {
    update(&mut client, "CREATE OR REPLACE TABLE rs_tx (i INTEGER)").await?;
    for (end, count) in [
        (EndTransaction::Rollback, "0"),
        (EndTransaction::Commit, "1"),
    ] {
        let id = client.begin_transaction().await?;
        let insert = "INSERT INTO rs_tx VALUES (1)".to_string();
        equal!(1, client.execute_update(insert, Some(id.clone())).await?);
        let info = client
            .execute("SELECT count(*) FROM rs_tx".to_string(), Some(id.clone()))
            .await?;
        equal!(["1"], rows(&mut client, info).await?);
        client.end_transaction(id, end).await?;
        equal!(
            [count],
            query(&mut client, "SELECT count(*) FROM rs_tx").await?
        );
    }
    Ok(())
}

async fn metadata(mut client: Client) -> Outcome {
    for sql in [
        "CREATE SCHEMA IF NOT EXISTS rs_meta",
        "DROP TABLE IF EXISTS rs_meta.child",
        "CREATE OR REPLACE TABLE rs_meta.parent (a INTEGER PRIMARY KEY)",
        "CREATE TABLE rs_meta.child (i BIGINT, a INTEGER REFERENCES rs_meta.parent (a))",
    ] {
        update(&mut client, sql).await?;
    }
    let schema = Some("rs_meta".to_string());
    let info = client.get_catalogs().await?;
    require!(
        rows(&mut client, info)
            .await?
            .contains(&"memory".to_string()),
        "no catalog memory"
    );
    let wanted = CommandGetDbSchemas {
        catalog: None,
        db_schema_filter_pattern: schema.clone(),
    };
    let info = client.get_db_schemas(wanted).await?;
    equal!(["memory|rs_meta"], rows(&mut client, info).await?);
    let info = client.get_table_types().await?;
    require!(
        rows(&mut client, info)
            .await?
            .contains(&"TABLE".to_string()),
        "no table type TABLE"
    );
    let mut wanted = CommandGetTables {
        db_schema_filter_pattern: schema.clone(),
        ..Default::default()
    };
    let info = client.get_tables(wanted.clone()).await?;
    let tables = ["memory|rs_meta|child|TABLE", "memory|rs_meta|parent|TABLE"];
    equal!(tables, rows(&mut client, info).await?);
    wanted.include_schema = true;
    let info = client.get_tables(wanted).await?;
    equal!(2, rows(&mut client, info).await?.len());
    keys(&mut client, schema).await?;
    let info = client
        .get_xdbc_type_info(CommandGetXdbcTypeInfo { data_type: None })
        .await?;
    require!(rows(&mut client, info).await?.len() > 10, "few types");
    let info = client
        .get_sql_info(vec![SqlInfo::FlightSqlServerName])
        .await?;
    equal!(1, rows(&mut client, info).await?.len());
    let info = client.get_sql_info(vec![]).await?;
    require!(
        rows(&mut client, info).await?.len() > 50,
        "few SqlInfo values"
    );
    Ok(())
}

async fn keys(client: &mut Client, db_schema: Option<String>) -> Outcome {
    let (parent, child) = ("parent".to_string(), "child".to_string());
    let info = client
        .get_primary_keys(CommandGetPrimaryKeys {
            catalog: None,
            db_schema: db_schema.clone(),
            table: parent.clone(),
        })
        .await?;
    let found = rows(client, info).await?;
    require!(
        found.len() == 1 && found[0].contains("rs_meta|parent|a"),
        "primary keys: {found:?}"
    );
    let infos = [
        client
            .get_exported_keys(CommandGetExportedKeys {
                catalog: None,
                db_schema: db_schema.clone(),
                table: parent.clone(),
            })
            .await?,
        client
            .get_imported_keys(CommandGetImportedKeys {
                catalog: None,
                db_schema: db_schema.clone(),
                table: child.clone(),
            })
            .await?,
        client
            .get_cross_reference(CommandGetCrossReference {
                pk_db_schema: db_schema.clone(),
                pk_table: parent,
                fk_db_schema: db_schema,
                fk_table: child,
                ..Default::default()
            })
            .await?,
    ];
    for info in infos {
        let found = rows(client, info).await?;
        require!(
            found.len() == 1 && found[0].contains("rs_meta|parent|a|"),
            "foreign keys: {found:?}"
        );
    }
    Ok(())
}

/// The library's other client, on the same channel: the calls of Flight itself.
fn plain(client: &Client) -> FlightClient {
    FlightClient::new_from_inner(client.inner().clone())
}

async fn cancel(mut client: Client) -> Outcome {
    let streaming = "SELECT i FROM range(1000000000) t(i)";
    let info = client.execute(streaming.to_string(), None).await?;
    let mut stream = client
        .do_get(info.endpoint[0].ticket.clone().ok_or("no ticket")?)
        .await?;
    require!(stream.try_next().await?.is_some(), "no batch");
    let result = plain(&client)
        .cancel_flight_info(CancelFlightInfoRequest::new(info))
        .await?;
    let status = CancelStatus::try_from(result.status)?;
    require!(
        matches!(status, CancelStatus::Cancelled | CancelStatus::Cancelling),
        "the status is {status:?}"
    );
    loop {
        match stream.try_next().await {
            Ok(Some(_)) => {}
            Ok(None) => return Err("the cancelled stream ended well".into()),
            Err(error) => {
                require!(
                    error.to_string().to_lowercase().contains("cancel"),
                    "{error}"
                );
                return Ok(());
            }
        }
    }
}

async fn cancel_by_leaving(mut client: Client) -> Outcome {
    let info = client.execute(COMPUTING.to_string(), None).await?;
    let ticket = info.endpoint[0].ticket.clone().ok_or("no ticket")?;
    let asked = tokio::time::timeout(Duration::from_millis(200), async {
        client.do_get(ticket).await?.try_next().await
    });
    require!(asked.await.is_err(), "minutes of work were done at once");
    equal!(["1"], query(&mut client, "SELECT 1").await?);
    Ok(())
}

async fn poll(client: Client) -> Outcome {
    let sql = "SELECT count(*) AS n FROM range(30000000) t(i) WHERE i % 3 = 1".to_string();
    let command = CommandStatementQuery {
        query: sql,
        transaction_id: None,
    };
    let mut descriptor = FlightDescriptor::new_cmd(prost_bytes(&command));
    loop {
        let answer = plain(&client).poll_flight_info(descriptor).await?;
        match answer.flight_descriptor {
            Some(next) => descriptor = next,
            None => {
                let info = answer.info.ok_or("complete without a FlightInfo")?;
                equal!(["10000000"], rows(&mut client.clone(), info).await?);
                return Ok(());
            }
        }
    }
}

fn prost_bytes(command: &CommandStatementQuery) -> Vec<u8> {
    use arrow_flight::sql::Any;
    let any: Any = command.as_any();
    prost::Message::encode_to_vec(&any)
}

async fn large(mut client: Client) -> Outcome {
    let sql = "SELECT i, 'text ' || i AS s FROM range(1000000) t(i)";
    let info = client.execute(sql.to_string(), None).await?;
    let (mut count, mut sum) = (0, 0);
    for endpoint in info.endpoint {
        let mut stream = client.do_get(endpoint.ticket.ok_or("no ticket")?).await?; // at most 4 MiB a message
        while let Some(batch) = stream.try_next().await? {
            let numbers = batch
                .column(0)
                .as_any()
                .downcast_ref::<Int64Array>()
                .ok_or("not int64")?;
            sum += numbers.values().iter().sum::<i64>();
            count += batch.num_rows();
        }
    }
    equal!((1_000_000, 499_999_500_000_i64), (count, sum));
    Ok(())
}

async fn errors(mut client: Client) -> Outcome {
    update(
        &mut client,
        "CREATE OR REPLACE TABLE rs_errors (i INTEGER PRIMARY KEY)",
    )
    .await?;
    update(&mut client, "INSERT INTO rs_errors VALUES (1)").await?;
    for (sql, code, word) in [
        ("SELEC 1", tonic::Code::InvalidArgument, "SELEC"),
        (
            "SELECT nope FROM rs_errors",
            tonic::Code::InvalidArgument,
            "nope",
        ),
        (
            "FROM rs_no_such_table",
            tonic::Code::NotFound,
            "rs_no_such_table",
        ),
        (
            "CREATE TABLE rs_errors (i INTEGER)",
            tonic::Code::AlreadyExists,
            "rs_errors",
        ),
        (
            "INSERT INTO rs_errors VALUES (1)",
            tonic::Code::AlreadyExists,
            "uplicate",
        ),
        (
            "INSTALL httpfs",
            tonic::Code::PermissionDenied,
            "allow-statements",
        ),
    ] {
        match client.execute(sql.to_string(), None).await {
            Err(FlightError::Tonic(status)) => {
                equal!(code, status.code());
                require!(
                    status.message().contains(word),
                    "no {word} in {}",
                    status.message()
                );
            }
            other => return Err(format!("{sql}: {other:?}").into()),
        }
        fails!(update(&mut client, sql).await, word);
    }
    Ok(())
}

/// The text of what was wrong with one case; empty when nothing was.
async fn run(address: &str, case: Case) -> String {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    let channel = match endpoint.connect().await {
        Ok(channel) => channel,
        Err(error) => return error.to_string(),
    };
    match tokio::time::timeout(CASE_LIMIT, case(FlightSqlServiceClient::new(channel))).await {
        Ok(Ok(())) => String::new(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it did not end in time".to_string(),
    }
}

macro_rules! cases {
    ($($feature:literal, $name:literal, $function:ident;)*) => {
        [$(($feature, $name, (|client| Box::pin($function(client))) as Case)),*]
    };
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let address = std::env::args().nth(1).expect("usage: matrix-rust ADDRESS");
    let cases = cases! {
        "connect", "user and password by handshake", connect;
        "query", "rows, schema, a ticket read twice", queries;
        "update and DDL", "counts", updates;
        "parameters", "query, executed three times", parameters;
        "parameters", "update: bound first, then executed", prepared_update;
        "batch bind", "10,000 rows", batches;
        "ingest", "create, append, replace, fail", ingest;
        "transactions", "commit and rollback", transactions;
        "metadata", "every command", metadata;
        "cancel", "CancelFlightInfo", cancel;
        "cancel", "the call is dropped", cancel_by_leaving;
        "poll", "PollFlightInfo", poll;
        "large result", "1,000,000 rows", large;
        "errors", "codes and messages", errors;
    };
    for (feature, name, case) in &cases {
        let wrong = run(&address, *case).await;
        println!(
            "{}",
            json!({"client": "arrow-rs", "feature": feature, "case": name, "error": wrong})
        );
    }
    println!("{}", json!({"cases": cases.len()}));
}

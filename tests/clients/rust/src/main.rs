//! A Flight SQL client in Rust (arrow-flight): connects, selects every type, changes a table, reads
//! errors.
//!
//! usage: flightsql-rust ADDRESS FILE
//!
//! FILE holds one statement a line, led by a word that says how to run it: "query", "update" or
//! "prepared". Prints one JSON object a statement: what came back, or the error's text.
//!
//! SPDX-License-Identifier: Apache-2.0
use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::FlightInfo;
use arrow_schema::SchemaRef;
use futures::TryStreamExt;
use serde_json::{json, Value};
use tonic::transport::{Channel, Endpoint};

type Client = FlightSqlServiceClient<Channel>;
type Answer = Result<Value, Box<dyn std::error::Error>>;

/// Reads every endpoint of a result; of the first row it keeps the values as text.
async fn fetch(client: &mut Client, info: FlightInfo) -> Answer {
    let mut rows = 0;
    let mut values: Vec<String> = Vec::new();
    let mut schema: Option<SchemaRef> = None;
    for endpoint in info.endpoint {
        let ticket = endpoint.ticket.expect("an endpoint has a ticket");
        let mut stream = client.do_get(ticket).await?;
        let mut batches: Vec<RecordBatch> = Vec::new();
        while let Some(batch) = stream.try_next().await? {
            batches.push(batch);
        }
        schema = stream.schema().cloned().or(schema);
        for batch in batches {
            if rows == 0 && batch.num_rows() > 0 {
                let options = FormatOptions::default();
                for column in batch.columns() {
                    values.push(ArrayFormatter::try_new(column, &options)?.value(0).to_string());
                }
            }
            rows += batch.num_rows();
        }
    }
    let fields = schema.map(|schema| schema.fields().clone()).unwrap_or_default();
    let columns: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
    let types: Vec<String> = fields.iter().map(|field| field.data_type().to_string()).collect();
    Ok(json!({"columns": columns, "types": types, "values": values, "rows": rows}))
}

async fn query(client: &mut Client, sql: String) -> Answer {
    let info = client.execute(sql, None).await?;
    fetch(client, info).await
}

async fn update(client: &mut Client, sql: String) -> Answer {
    Ok(json!({"changed": client.execute_update(sql, None).await?}))
}

async fn prepared(client: &mut Client, sql: String) -> Answer {
    let mut statement = client.prepare(sql, None).await?;
    let answer = if statement.dataset_schema().map_or(true, |schema| schema.fields().is_empty()) {
        json!({"changed": statement.execute_update().await?})
    } else {
        let info = statement.execute().await?;
        fetch(client, info).await?
    };
    statement.close().await?;
    Ok(answer)
}

async fn run(client: &mut Client, line: &str) -> Value {
    let (word, sql) = line.split_once(' ').expect("a line has a word and a statement");
    let answer = match word {
        "query" => query(client, sql.to_string()).await,
        "update" => update(client, sql.to_string()).await,
        _ => prepared(client, sql.to_string()).await,
    };
    answer.unwrap_or_else(|error| json!({"code": "error", "message": error.to_string()}))
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let endpoint = Endpoint::from_shared(format!("http://{}", arguments[1])).expect("an address");
    let channel = endpoint.connect().await.expect("a connection");
    let mut client = FlightSqlServiceClient::new(channel);
    let statements = std::fs::read_to_string(&arguments[2]).expect("the file of statements");
    for line in statements.lines() {
        println!("{}", run(&mut client, line).await);
    }
}

//! An arrow-rs Flight server on tonic with one table of four int64 columns in memory: a peer of the
//! benchmark.
//!
//! usage: flight-tonic BYTES ROWS
//!
//! Prints its port. DoGet streams the table in batches of ROWS rows, each made on its own at start: its
//! encoder would cut slices by their parent's size. DoPut decodes every batch and keeps them all until
//! the action `drop`.
//!
//! SPDX-License-Identifier: Apache-2.0
use std::sync::{Arc, Mutex};

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use arrow_schema::{DataType, Field, Schema};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use tonic::transport::server::{Server, TcpIncoming};
use tonic::{Request, Response, Status, Streaming};

const BYTES_PER_ROW: i64 = 32;

struct Peer {
    table: Vec<RecordBatch>,
    kept: Mutex<Vec<Vec<RecordBatch>>>,
}

fn new_table(rows: i64, batch_rows: i64) -> Vec<RecordBatch> {
    let fields: Vec<Field> = ["a", "b", "c", "d"]
        .iter()
        .map(|name| Field::new(*name, DataType::Int64, true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    (0..rows)
        .step_by(batch_rows as usize)
        .map(|start| {
            let columns: Vec<ArrayRef> = (0..4)
                .map(|column| {
                    let values = (start..rows.min(start + batch_rows))
                        .map(|row| row * (column + 1) - column);
                    Arc::new(Int64Array::from_iter_values(values)) as ArrayRef
                })
                .collect();
            RecordBatch::try_new(schema.clone(), columns).expect("equal lengths")
        })
        .collect()
}

fn one<T: Send + 'static>(item: T) -> BoxStream<'static, Result<T, Status>> {
    stream::once(async { Ok(item) }).boxed()
}

#[tonic::async_trait]
impl FlightService for Peer {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type DoActionStream = BoxStream<'static, Result<arrow_flight::Result, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;
    type DoExchangeStream = BoxStream<'static, Result<FlightData, Status>>;

    async fn do_get(&self, _: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let batches: Vec<Result<RecordBatch, FlightError>> =
            self.table.iter().cloned().map(Ok).collect();
        let encoded = FlightDataEncoderBuilder::new()
            .with_schema(self.table[0].schema())
            .build(stream::iter(batches))
            .map_err(Status::from);
        Ok(Response::new(encoded.boxed()))
    }

    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        let messages = request.into_inner().map_err(FlightError::from);
        let batches: Vec<RecordBatch> = FlightRecordBatchStream::new_from_flight_data(messages)
            .try_collect()
            .await
            .map_err(Status::from)?;
        self.kept.lock().expect("no panic").push(batches);
        Ok(Response::new(one(PutResult::default())))
    }

    async fn do_action(
        &self,
        request: Request<Action>,
    ) -> Result<Response<Self::DoActionStream>, Status> {
        if request.get_ref().r#type != "drop" {
            return Err(Status::invalid_argument("the only action is drop"));
        }
        self.kept.lock().expect("no panic").clear();
        Ok(Response::new(stream::empty().boxed()))
    }

    async fn list_actions(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        Ok(Response::new(one(ActionType {
            r#type: "drop".into(),
            description: String::new(),
        })))
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        Err(Status::unimplemented("handshake"))
    }

    async fn list_flights(
        &self,
        _: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        Err(Status::unimplemented("list_flights"))
    }

    async fn get_flight_info(
        &self,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        Err(Status::unimplemented("get_flight_info"))
    }

    async fn poll_flight_info(
        &self,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        Err(Status::unimplemented("poll_flight_info"))
    }

    async fn get_schema(
        &self,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<SchemaResult>, Status> {
        Err(Status::unimplemented("get_schema"))
    }

    async fn do_exchange(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(Status::unimplemented("do_exchange"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let (size, batch_rows): (i64, i64) = (arguments[1].parse()?, arguments[2].parse()?);
    let peer = Peer {
        table: new_table(size / BYTES_PER_ROW, batch_rows),
        kept: Mutex::new(Vec::new()),
    };
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?.with_nodelay(Some(true));
    println!("{}", incoming.local_addr()?.port());
    Server::builder()
        .add_service(FlightServiceServer::new(peer))
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

//! A gRPC client in Rust (tonic) without generated code: makes the calls of a script.
//!
//! usage: grpc_tonic ADDRESS FILE [CA [CERTIFICATE KEY]]
//!
//! FILE holds one call a line as a JSON object; with CA the connection is TLS. All calls use one
//! channel, one after the other; a call's copies run at once. Prints one JSON object a copy.
//! tests/integration/raw_calls.py describes both objects for all languages.
//!
//! SPDX-License-Identifier: Apache-2.0
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use futures::{stream, StreamExt};
use serde_json::{json, Value};
use sha2::{Digest, Sha256};
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{KeyAndValueRef, MetadataMap};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};

/// Hands messages through as bytes.
#[derive(Default)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = RawCodec;
    type Decoder = RawCodec;
    fn encoder(&mut self) -> RawCodec {
        RawCodec
    }
    fn decoder(&mut self) -> RawCodec {
        RawCodec
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;
    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;
    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let size = from.remaining();
        Ok(Some(from.copy_to_bytes(size)))
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("hexadecimal digits"))
        .collect()
}

fn number(request: &Value, name: &str) -> u64 {
    request[name].as_u64().unwrap_or(0)
}

fn bodies(request: &Value) -> Vec<Bytes> {
    let mut list = Vec::new();
    for part in request["send"].as_array().into_iter().flatten() {
        let body = if let Some(path) = part["file"].as_str() {
            Bytes::from(std::fs::read(path).expect("the file of a message"))
        } else if let Some(text) = part["hex"].as_str() {
            Bytes::from(from_hex(text))
        } else {
            Bytes::from(vec![0; number(part, "zeros") as usize])
        };
        for _ in 0..number(part, "repeat").max(1) {
            list.push(body.clone());
        }
    }
    list
}

fn outgoing(request: &Value, metadata: &mut MetadataMap) {
    for pair in request["metadata"].as_array().into_iter().flatten() {
        let (name, value) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        if name.ends_with("-bin") {
            let key = tonic::metadata::BinaryMetadataKey::from_bytes(name.as_bytes()).unwrap();
            metadata.append_bin(key, tonic::metadata::MetadataValue::from_bytes(&from_hex(value)));
        } else {
            let key = tonic::metadata::AsciiMetadataKey::from_bytes(name.as_bytes()).unwrap();
            metadata.append(key, value.parse().unwrap());
        }
    }
}

fn incoming(metadata: &MetadataMap) -> Value {
    let mut pairs: Vec<(String, String)> = metadata
        .iter()
        .map(|pair| match pair {
            KeyAndValueRef::Ascii(key, value) => {
                (key.to_string(), String::from_utf8_lossy(value.as_encoded_bytes()).into_owned())
            }
            KeyAndValueRef::Binary(key, value) => {
                (key.to_string(), to_hex(&value.to_bytes().unwrap_or_default()))
            }
        })
        .collect();
    pairs.sort();
    json!(pairs)
}

/// The metadata of a failure; tonic keeps its details apart.
fn trailers_of(status: &Status) -> Value {
    let mut pairs = incoming(status.metadata());
    if !status.details().is_empty() {
        let details = json!(["grpc-status-details-bin", to_hex(status.details())]);
        pairs.as_array_mut().unwrap().push(details);
    }
    pairs
}

#[derive(Default)]
struct Answer {
    count: u64,
    bytes: u64,
    first: String,
    digest: Sha256,
    headers: Value,
    trailers: Value,
}

/// Makes one call; the answer is filled as far as the call comes, whatever ends it.
async fn converse(channel: Channel, request: &Value, answer: &Mutex<Answer>) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(channel)
        .max_decoding_message_size(1 << 30)
        .accept_compressed(CompressionEncoding::Gzip);
    if request["gzip"] == true {
        client = client.send_compressed(CompressionEncoding::Gzip);
    }
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let (give_turn, turns) = futures::channel::mpsc::unbounded();
    let _ = give_turn.unbounded_send(());
    let messages = if request["ping_pong"] == true {
        stream::iter(bodies(request)).zip(turns).map(|(body, ())| body).boxed()
    } else {
        stream::iter(bodies(request)).boxed()
    };
    let mut sent = Request::new(messages);
    outgoing(request, sent.metadata_mut());
    if number(request, "timeout_ms") > 0 {
        sent.set_timeout(Duration::from_millis(number(request, "timeout_ms")));
    }
    let path: PathAndQuery = request["method"].as_str().unwrap().parse().unwrap();
    let response = client.streaming(sent, path, RawCodec).await?;
    answer.lock().unwrap().headers = incoming(response.metadata());
    let mut received = response.into_inner();
    while let Some(body) = received.message().await? {
        let count = {
            let mut so_far = answer.lock().unwrap();
            so_far.count += 1;
            so_far.bytes += body.len() as u64;
            so_far.digest.update(&body);
            so_far.count
        };
        if count == 1 {
            answer.lock().unwrap().first = to_hex(&body[..body.len().min(256)]);
            tokio::time::sleep(Duration::from_millis(number(request, "pause_ms"))).await;
        }
        let _ = give_turn.unbounded_send(());
        if count == number(request, "cancel_after") {
            return Err(Status::cancelled("dropped"));
        }
    }
    if let Some(trailers) = received.trailers().await? {
        answer.lock().unwrap().trailers = incoming(&trailers);
    }
    Ok(())
}

async fn call(channel: Channel, request: Arc<Value>) -> Value {
    let answer = Mutex::new(Answer::default());
    let outcome = match number(&request, "cancel_ms") {
        0 => converse(channel, &request, &answer).await,
        wait_ms => tokio::time::timeout(
            Duration::from_millis(wait_ms),
            converse(channel, &request, &answer),
        )
        .await
        .unwrap_or_else(|_| Err(Status::cancelled("dropped"))),
    };
    let answer = answer.into_inner().unwrap();
    let (code, message, trailers) = match outcome {
        Ok(()) => (Code::Ok, String::new(), answer.trailers),
        Err(status) => (status.code(), status.message().to_string(), trailers_of(&status)),
    };
    json!({
        "code": code as i32, "message": message, "count": answer.count, "bytes": answer.bytes,
        "sha256": to_hex(&answer.digest.finalize()), "first": answer.first,
        "headers": answer.headers, "trailers": trailers,
    })
}

async fn connect(arguments: &[String]) -> Channel {
    let read = |path: &String| std::fs::read(path).expect("a PEM file");
    let scheme = if arguments.len() > 2 { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{}", arguments[0]))
        .expect("an address")
        .http2_keep_alive_interval(Duration::from_secs(10));
    if arguments.len() > 2 {
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(&arguments[2])));
        if arguments.len() > 4 {
            tls = tls.identity(Identity::from_pem(read(&arguments[3]), read(&arguments[4])));
        }
        endpoint = endpoint.tls_config(tls).expect("a TLS configuration");
    }
    endpoint.connect_lazy()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let channel = connect(&arguments).await;
    let script = std::fs::read_to_string(&arguments[1]).expect("the script");
    for line in script.lines() {
        let request: Arc<Value> = Arc::new(serde_json::from_str(line).expect("one JSON object a line"));
        let copies = number(&request, "copies").max(1);
        let calls = (0..copies).map(|_| call(channel.clone(), request.clone()));
        for answer in futures::future::join_all(calls).await {
            println!("{answer}");
        }
    }
}

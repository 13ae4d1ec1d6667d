//! A tonic server with tonic's own health service: a peer of the benchmark's small calls.
//!
//! Takes no arguments; prints its port. One worker thread per core, tonic's defaults.
//!
//! SPDX-License-Identifier: Apache-2.0
use tonic::transport::server::{Server, TcpIncoming};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (_, service) = tonic_health::server::health_reporter();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?.with_nodelay(Some(true));
    println!("{}", incoming.local_addr()?.port());
    Server::builder()
        .add_service(service)
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

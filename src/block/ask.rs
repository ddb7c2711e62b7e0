//! Asks another block's admin port in the same container.

use std::net::SocketAddr;

use anyhow::Context;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Makes one call; at most `limit` bytes of the answer are read.
pub async fn ask(
    admin: SocketAddr,
    method: Method,
    path: &str,
    limit: usize,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let context = || format!("failed to ask {admin}");
    let stream = TcpStream::connect(admin).await.with_context(context)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .with_context(context)?;
    let connection = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, admin.to_string())
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await.with_context(context)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), limit).collect().await;
    connection.abort();
    let body = body.map_err(anyhow::Error::from_boxed).with_context(context)?;
    Ok((status, body.to_bytes()))
}

//! Asks an HTTP server for one path.

use anyhow::Context;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;

use super::connect;

/// Makes one GET; at most `limit` bytes of the answer are read.
pub async fn get(address: &str, path: &str, limit: usize) -> anyhow::Result<(StatusCode, Bytes)> {
    let context = || format!("failed to ask `{address}`");
    let stream = connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .with_context(context)?;
    let request = Request::builder()
        .method(Method::GET)
        .uri(path)
        .header(HOST, address)
        .header(ACCEPT, "*/*")
        .body(Empty::<Bytes>::new())
        .with_context(context)?;
    let exchange = async {
        let response = sender.send_request(request).await.with_context(context)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), limit).collect().await;
        let body = body.map_err(anyhow::Error::from_boxed).with_context(context)?;
        Ok((status, body.to_bytes()))
    };
    let mut exchange = std::pin::pin!(exchange);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        answer = &mut exchange => answer,
        // What it has brought is still to be read.
        _ = &mut connection => exchange.await,
    }
}

/// Splits `http://HOST[:PORT][/PATH]` into address and path.
pub fn split(url: &str) -> Result<(String, String), String> {
    let wrong = || format!("`{url}` is not a URL like `http://127.0.0.1:8080/stats`");
    let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
    let (host, path) = match rest.find(['/', '?']) {
        Some(place) => rest.split_at(place),
        None => (rest, "/"),
    };
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let host = if has_port {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let address = super::address(&host).map_err(|_| wrong())?;
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    if path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        Ok((address, path))
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_an_address_and_a_path() {
        let check = |url: &str, expect: Option<(&str, &str)>| {
            let expect = expect.map(|(address, path)| (address.to_owned(), path.to_owned()));
            assert_eq!(split(url).ok(), expect, "{url}");
        };
        check("http://a:8080/x?y=1", Some(("a:8080", "/x?y=1")));
        check("http://a", Some(("a:80", "/")));
        check("http://[::1]/x", Some(("[::1]:80", "/x")));
        check("http://a?x", Some(("a:80", "/?x")));
        for wrong in ["", "a:80", "https://a", "http://", "http://a/x y", "http://a:0/"] {
            check(wrong, None);
        }
    }
}

//! Asks the gRPC health service: one string out, one number back.

use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{Finding, Grpc, reason};

/// More than any answer of the health service.
const LIMIT: usize = 4096;

/// `grpc 10.0.0.1:9090` and the service's name, if one is asked for.
pub fn describe(probe: &Grpc) -> String {
    let authority = probe.target.authority();
    match probe.service.as_str() {
        "" => format!("grpc {authority}"),
        service => format!("grpc {authority} {service}"),
    }
}

/// Asks `grpc.health.v1.Health/Check`.
pub async fn ask(probe: &Grpc, what: &str) -> Finding {
    match exchange(probe).await {
        Ok(Status::Serving) => Finding::Pass(format!("{what}: SERVING")),
        Ok(status) => Finding::Fail(format!("{what}: {}", status.name())),
        Err(reason) => Finding::Fail(format!("{what}: {reason}")),
    }
}

async fn exchange(probe: &Grpc) -> Result<Status, String> {
    let stream = probe.target.dial().await?;
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .map_err(|error| reason(&error))?;
    tokio::spawn(connection);
    let uri = format!("http://{}/grpc.health.v1.Health/Check", probe.target.authority());
    let mut request = Request::post(uri)
        .body(Full::new(Bytes::from(encode(&probe.service))))
        .map_err(|error| reason(&error))?;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| reason(&error))?;
    if !response.status().is_success() {
        return Err(format!("the server answered with HTTP {}", response.status()));
    }
    // A refusal may come in the headers, without a body.
    refusal(response.headers())?;
    let body = Limited::new(response.into_body(), LIMIT)
        .collect()
        .await
        .map_err(|error| reason(&*error))?;
    if let Some(trailers) = body.trailers() {
        refusal(trailers)?;
    }
    decode(&body.to_bytes()).ok_or_else(|| "the answer is not one of the health service".to_owned())
}

/// The status of a call that failed, in gRPC's words.
fn refusal(headers: &HeaderMap) -> Result<(), String> {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    match text("grpc-status") {
        None | Some("0") => Ok(()),
        Some(status) => {
            let name = status
                .parse::<usize>()
                .ok()
                .and_then(|status| NAMES.get(status))
                .copied();
            let name = name.unwrap_or(status);
            let hint = match name {
                "UNIMPLEMENTED" => "; the server has no health service (grpc.health.v1)",
                "NOT_FOUND" => "; the server doesn't know this service",
                _ => "",
            };
            match text("grpc-message").filter(|message| !message.is_empty()) {
                Some(message) => Err(format!("{name}: {message}{hint}")),
                None => Err(format!("{name}{hint}")),
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Unknown,
    Serving,
    NotServing,
    ServiceUnknown,
    Other(u64),
}

impl Status {
    fn name(self) -> String {
        match self {
            Self::Unknown => "UNKNOWN".to_owned(),
            Self::Serving => "SERVING".to_owned(),
            Self::NotServing => "NOT_SERVING".to_owned(),
            Self::ServiceUnknown => "SERVICE_UNKNOWN".to_owned(),
            Self::Other(number) => format!("status {number}"),
        }
    }
}

/// A `HealthCheckRequest` in its frame: field 1, a string.
fn encode(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(1 << 3 | 2);
        let mut length = service.len();
        while length >= 0x80 {
            message.push(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
            length >>= 7;
        }
        message.push(u8::try_from(length).unwrap_or_default());
        message.extend_from_slice(service.as_bytes());
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0][..], &length.to_be_bytes(), &message].concat()
}

/// A `HealthCheckResponse` from its frame: field 1, a number; absent means 0. Other fields are skipped.
fn decode(frame: &[u8]) -> Option<Status> {
    let [compressed, a, b, c, d, message @ ..] = frame else {
        return None;
    };
    let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).ok()?;
    (*compressed == 0 && message.len() == length).then_some(())?;
    let mut rest = message;
    let mut status = 0;
    while !rest.is_empty() {
        let key = number(&mut rest)?;
        match key & 7 {
            0 => {
                let value = number(&mut rest)?;
                if key >> 3 == 1 {
                    status = value;
                }
            }
            1 => rest = rest.get(8..)?,
            2 => {
                let length = usize::try_from(number(&mut rest)?).ok()?;
                rest = rest.get(length..)?;
            }
            5 => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(match status {
        0 => Status::Unknown,
        1 => Status::Serving,
        2 => Status::NotServing,
        3 => Status::ServiceUnknown,
        other => Status::Other(other),
    })
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::{Target, runtime};
    use super::*;
    use hyper::server::conn::http2;
    use hyper::service::service_fn;
    use hyper::{Response, body::Incoming};
    use std::convert::Infallible;
    use std::time::Duration;
    use tokio::net::TcpListener;

    #[test]
    fn a_request_is_a_frame_with_one_string() {
        assert_eq!(encode(""), [0, 0, 0, 0, 0]);
        assert_eq!(encode("ab"), [0, 0, 0, 0, 4, 10, 2, b'a', b'b']);
        assert_eq!(encode(&"x".repeat(300))[..8], [0, 0, 0, 1, 47, 10, 0xac, 2]);
    }

    #[test]
    fn a_response_is_a_frame_with_one_number() {
        let frame =
            |message: &[u8]| [&[0, 0, 0, 0, u8::try_from(message.len()).unwrap()][..], message].concat();
        assert_eq!(decode(&frame(&[8, 1])), Some(Status::Serving));
        assert_eq!(decode(&frame(&[8, 2])), Some(Status::NotServing));
        assert_eq!(decode(&frame(&[])), Some(Status::Unknown));
        assert_eq!(decode(&frame(&[18, 1, b'x', 8, 3])), Some(Status::ServiceUnknown));
        assert_eq!(decode(&frame(&[8, 0xac, 2])), Some(Status::Other(300)));
        for broken in [&[8][..], &[18, 9, 0], &[15, 0], &[8, 0xff], &[9, 1, 2]] {
            assert_eq!(decode(&frame(broken)), None, "{broken:?}");
        }
        assert_eq!(decode(&[0, 0, 0, 0, 3, 8, 1]), None);
        assert_eq!(decode(&[1, 0, 0, 0, 2, 8, 1]), None);
        assert_eq!(decode(&[]), None);
    }

    /// Asks a real HTTP/2 server that gives this answer.
    #[track_caller]
    fn check(headers: &[(&'static str, &'static str)], body: &'static [u8], expect: &Finding) {
        let headers = headers.to_vec();
        let found = runtime::single().unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let target = Target {
                port: listener.local_addr().unwrap().port(),
                host: Some("127.0.0.1".to_owned()),
                timeout: Duration::from_secs(10),
            };
            let server = async move {
                let (stream, _) = listener.accept().await.unwrap();
                let answer = service_fn(move |request: Request<Incoming>| {
                    let headers = headers.clone();
                    async move {
                        assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
                        assert_eq!(request.headers()[TE], "trailers");
                        let sent = request.into_body().collect().await.unwrap().to_bytes();
                        assert_eq!(sent, encode("db"));
                        let mut response = Response::new(Full::new(Bytes::from_static(body)));
                        for (name, value) in &headers {
                            response
                                .headers_mut()
                                .insert(*name, HeaderValue::from_static(value));
                        }
                        Ok::<_, Infallible>(response)
                    }
                });
                http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), answer)
                    .await
            };
            let probe = Grpc {
                target,
                service: "db".to_owned(),
            };
            tokio::select! {
                found = ask(&probe, "it") => found,
                ended = server => panic!("the server ended: {ended:?}"),
            }
        });
        assert_eq!(&found, expect);
    }

    #[test]
    fn only_serving_passes() {
        check(
            &[],
            &[0, 0, 0, 0, 2, 8, 1],
            &Finding::Pass("it: SERVING".to_owned()),
        );
        check(
            &[],
            &[0, 0, 0, 0, 2, 8, 2],
            &Finding::Fail("it: NOT_SERVING".to_owned()),
        );
        check(
            &[],
            &[],
            &Finding::Fail("it: the answer is not one of the health service".to_owned()),
        );
        check(
            &[("grpc-status", "12"), ("grpc-message", "unknown service")],
            &[],
            &Finding::Fail(
                "it: UNIMPLEMENTED: unknown service; the server has no health service (grpc.health.v1)"
                    .to_owned(),
            ),
        );
        check(
            &[("grpc-status", "5")],
            &[],
            &Finding::Fail("it: NOT_FOUND; the server doesn't know this service".to_owned()),
        );
    }
}

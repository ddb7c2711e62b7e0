//! Turns probes into Kubernetes' probes.

use std::time::Duration;

use serde::Serialize;

use super::{At, Context, Error, expansion};
use crate::stack;

/// A probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    #[serde(skip_serializing_if = "Option::is_none")]
    http_get: Option<HttpGet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp_socket: Option<TcpSocket>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exec: Option<Exec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grpc: Option<Grpc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initial_delay_seconds: Option<u32>,
    period_seconds: u32,
    timeout_seconds: u32,
    failure_threshold: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    success_threshold: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct HttpGet {
    path: String,
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    http_headers: Vec<Header>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Header {
    name: String,
    value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct TcpSocket {
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Exec {
    command: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Grpc {
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
}

/// Turns one probe; `at` is its path in the stack.
pub fn probe(context: &mut Context, at: &At, probe: &stack::Probe) -> Probe {
    let at = At {
        path: at.path.clone(),
        place: &probe.place,
    };
    let mut result = Probe {
        http_get: None,
        tcp_socket: None,
        exec: None,
        grpc: None,
        initial_delay_seconds: Some(context.seconds(&at.field("delay"), probe.delay))
            .filter(|&delay| delay > 0),
        period_seconds: context.seconds(&at.field("every"), probe.every).max(1),
        timeout_seconds: context.seconds(&at.field("timeout"), probe.timeout).max(1),
        failure_threshold: probe.failures,
        success_threshold: (probe.successes > 1).then_some(probe.successes),
    };
    match &probe.action {
        stack::Action::Http {
            path,
            port,
            scheme,
            headers,
        } => {
            let is_known = |name: &str| {
                name.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            };
            for (name, _) in headers.iter().filter(|(name, _)| !is_known(name)) {
                context.errors.push(Error::HeaderName {
                    name: name.clone(),
                    place: probe.place.clone(),
                });
            }
            result.http_get = Some(HttpGet {
                path: path.clone(),
                port: *port,
                scheme: match scheme {
                    stack::Scheme::Http => None,
                    stack::Scheme::Https => Some("HTTPS"),
                },
                http_headers: headers
                    .iter()
                    .map(|(name, value)| Header {
                        name: name.clone(),
                        value: value.clone(),
                    })
                    .collect(),
            });
        }
        stack::Action::Tcp { port } => result.tcp_socket = Some(TcpSocket { port: *port }),
        stack::Action::Exec { command } => {
            result.exec = Some(Exec {
                command: command.iter().map(|word| expansion::literal(word)).collect(),
            });
        }
        stack::Action::Grpc { port, service } => {
            result.grpc = Some(Grpc {
                port: *port,
                service: Some(service.clone()).filter(|service| !service.is_empty()),
            });
        }
    }
    result
}

/// Whole seconds, rounded up, and whether they are the duration as it was.
pub fn whole_seconds(duration: Duration) -> (u32, bool) {
    let exact = duration.subsec_nanos() == 0;
    let seconds = duration.as_secs() + u64::from(!exact);
    (
        u32::try_from(seconds)
            .unwrap_or(i32::MAX as u32)
            .min(i32::MAX as u32),
        exact,
    )
}

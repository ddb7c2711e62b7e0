//! Checks probes.

use std::time::Duration;

use super::Checker;
use super::pod::{PodPort, PodPorts};
use crate::diagnostic::{Diagnostic, Listed, Span, quoted};
use crate::stack::raw::{RawContainer, RawDuration, RawPortReference, RawProbe};
use crate::stack::{Action, Probe, Probes, Protocol, Role, Scheme};
use crate::yaml::Field;

impl Checker<'_> {
    /// Checks the three probes of a container; `ports` are those of its pod.
    pub(super) fn probes(&mut self, container: &str, raw: &RawContainer, ports: &PodPorts<'_>) -> Probes {
        let role = raw.role.value().copied().unwrap_or(Role::Main);
        let mut check = |name: &'static str, field: &Field<Box<RawProbe>>| {
            let probe = field.get()?;
            let key = field.key()?;
            if role == Role::Init {
                self.push(
                    Diagnostic::error(key, format!("an init container takes no `{name}` probe"))
                        .help("it has passed when it ends with 0; a `sidecar` takes probes"),
                );
            }
            self.probe(name, key, container, &probe.value, ports)
        };
        Probes {
            startup: check("startup", &raw.startup),
            ready: check("ready", &raw.ready),
            live: check("live", &raw.live),
        }
    }

    fn probe(
        &mut self,
        name: &str,
        key: Span,
        container: &str,
        raw: &RawProbe,
        ports: &PodPorts<'_>,
    ) -> Option<Probe> {
        let action = self.action(key, container, raw, ports);
        if let Some(successes) = raw.successes.get()
            && successes.value.0 > 1
            && name != "ready"
        {
            self.push(
                Diagnostic::error(
                    successes.span,
                    format!("a `{name}` probe takes no `successes` but 1"),
                )
                .help("only a `ready` probe may ask for more"),
            );
        }
        let every = self.positive(&raw.every, "every", 10);
        let timeout = self.positive(&raw.timeout, "timeout", 1);
        let count = |field: Option<i64>, default| {
            field.map_or(default, |value| u32::try_from(value).unwrap_or(default))
        };
        Some(Probe {
            place: self.place(key),
            action: action?,
            delay: raw.delay.value().map_or(Duration::ZERO, |delay| delay.0),
            every,
            timeout,
            failures: count(raw.failures.value().map(|whole| whole.0), 3),
            successes: count(raw.successes.value().map(|whole| whole.0), 1),
        })
    }

    fn positive(&mut self, field: &Field<RawDuration>, name: &str, default: u64) -> Duration {
        let Some(duration) = field.get() else {
            return Duration::from_secs(default);
        };
        if duration.value.0.is_zero() {
            self.push(
                Diagnostic::error(duration.span, format!("`{name}` is longer than no time"))
                    .help(format!("the default is `{default}s`")),
            );
        }
        duration.value.0
    }

    fn action(&mut self, key: Span, container: &str, raw: &RawProbe, ports: &PodPorts<'_>) -> Option<Action> {
        let kinds = [
            ("http", raw.http.key()),
            ("tcp", raw.tcp.key()),
            ("exec", raw.exec.key()),
            ("grpc", raw.grpc.key()),
        ];
        let written: Vec<(&str, Span)> = kinds
            .iter()
            .filter_map(|(name, key)| Some((*name, (*key)?)))
            .collect();
        let kind = match written.as_slice() {
            [] if kinds.iter().any(|(name, _)| raw.mistyped.contains(name)) => return None,
            [] => {
                self.push(
                    Diagnostic::error(key, "a probe needs something to try")
                        .help("write one of `http: /path`, `tcp: port`, `exec: [command]` and `grpc: port`"),
                );
                return None;
            }
            [(kind, _)] => *kind,
            [(first, span), (second, other), ..] => {
                self.push(
                    Diagnostic::error(
                        *other,
                        format!("a probe tries one thing, not `{first}` and `{second}`"),
                    )
                    .related(*span, "the other"),
                );
                return None;
            }
        };
        for (name, field, owner) in [
            ("port", raw.port.key(), "http"),
            ("scheme", raw.scheme.key(), "http"),
            ("headers", raw.headers.key(), "http"),
            ("service", raw.service.key(), "grpc"),
        ] {
            if let Some(span) = field
                && kind != owner
            {
                self.push(Diagnostic::error(
                    span,
                    format!("`{name}` belongs to a probe with `{owner}`"),
                ));
            }
        }
        match kind {
            "http" => self.http(key, container, raw, ports),
            "tcp" => {
                let reference = raw.tcp.get()?;
                let port = self.probe_port(&reference.value, reference.span, container, ports)?;
                Some(Action::Tcp { port })
            }
            "grpc" => {
                let reference = raw.grpc.get()?;
                let port = self.probe_port(&reference.value, reference.span, container, ports)?;
                let service = raw.service.value().map(|text| text.0.clone()).unwrap_or_default();
                Some(Action::Grpc { port, service })
            }
            _ => {
                let command = raw.exec.get()?;
                if command.value.0.is_empty() {
                    self.push(Diagnostic::error(command.span, "the command is empty"));
                }
                Some(Action::Exec {
                    command: command.value.0.iter().map(|word| word.value.0.clone()).collect(),
                })
            }
        }
    }

    fn http(&mut self, key: Span, container: &str, raw: &RawProbe, ports: &PodPorts<'_>) -> Option<Action> {
        let path = raw.http.get()?;
        if !path.value.0.starts_with('/')
            || path
                .value
                .0
                .contains(|character: char| character.is_control() || character == ' ')
        {
            let problem = Diagnostic::error(path.span, format!("{} is not a path", quoted(&path.value.0)))
                .help("a path begins with `/`, as in `http: /readyz`");
            self.push(problem);
        }
        let mut headers = Vec::new();
        if let Some(map) = raw.headers.value() {
            for header in &map.0 {
                let name = &header.key.value;
                let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
                if name.is_empty() || !name.bytes().all(is_token) {
                    self.push(Diagnostic::error(
                        header.key.span,
                        format!("{} can't name a header", quoted(name)),
                    ));
                }
                let Some(value) = &header.value else { continue };
                if value
                    .value
                    .0
                    .contains(|character: char| character.is_control() && character != '\t')
                {
                    self.push(Diagnostic::error(
                        value.span,
                        "the value of a header can't hold a line break",
                    ));
                }
                headers.push((name.clone(), value.value.0.clone()));
            }
        }
        let port = match (&raw.port, raw.port.get()) {
            (Field::Absent, _) => self.only_port(key, container, ports),
            (_, Some(reference)) => self.probe_port(&reference.value, reference.span, container, ports),
            _ => None,
        };
        Some(Action::Http {
            path: path.value.0.clone(),
            port: port?,
            scheme: raw.scheme.value().copied().unwrap_or(Scheme::Http),
            headers,
        })
    }

    fn only_port(&mut self, key: Span, container: &str, ports: &PodPorts<'_>) -> Option<u16> {
        match ports.of(container) {
            [port] => self.dialable(port, key),
            [] => {
                self.push(Diagnostic::error(key, "the probe has no port").help("write `port: 8080`"));
                None
            }
            several => {
                let names = several.iter().map(|port| port.name).collect();
                self.push(
                    Diagnostic::error(key, "the probe needs a `port`: the container has several")
                        .help(format!("it is {}", Listed(names, "or"))),
                );
                None
            }
        }
    }

    fn probe_port(
        &mut self,
        reference: &RawPortReference,
        span: Span,
        container: &str,
        ports: &PodPorts<'_>,
    ) -> Option<u16> {
        let name = match reference {
            RawPortReference::Number(number) => {
                return match ports.numbered(*number, Protocol::Tcp) {
                    Some(port) => self.dialable(port, span),
                    None => Some(*number),
                };
            }
            RawPortReference::Name(name) => name,
        };
        let own = ports.of(container);
        if let Some(port) = own.iter().find(|port| port.name == name) {
            return self.dialable(port, span);
        }
        let problem = Diagnostic::error(
            span,
            format!("the container {} has no port {}", quoted(container), quoted(name)),
        );
        let problem = if let Some(port) = ports.named(name) {
            problem
                .related(
                    port.span,
                    format!("it is a port of the container {}", quoted(port.container)),
                )
                .help("name a port of the same container, or write the number")
        } else {
            let meant = self.problems.did_you_mean(name, own.iter().map(|port| port.name));
            let names: Vec<&str> = own.iter().map(|port| port.name).collect();
            let listed = (!names.is_empty()).then(|| format!("it has {}", Listed(names, "and")));
            let otherwise = "declare it under the container's `ports:`".to_owned();
            problem.help(meant.or(listed).unwrap_or(otherwise))
        };
        self.push(problem);
        None
    }

    /// A network probe dials the pod's own address: a port bound to loopback never answers there.
    fn dialable(&mut self, port: &PodPort<'_>, span: Span) -> Option<u16> {
        let (number, protocol, local) = port.value?;
        if protocol == Protocol::Udp {
            self.push(
                Diagnostic::error(
                    span,
                    format!(
                        "the port {} is a UDP port, which no probe dials",
                        quoted(port.name)
                    ),
                )
                .related(port.span, "declared here"),
            );
        } else if local {
            self.push(
                Diagnostic::error(
                    span,
                    format!(
                        "the port {} is `local`: a probe can't reach it",
                        quoted(port.name)
                    ),
                )
                .related(port.span, "declared here")
                .help(
                    "probes dial the pod's address, not loopback; use `exec`, or probe what stands in front",
                ),
            );
        }
        Some(number)
    }
}

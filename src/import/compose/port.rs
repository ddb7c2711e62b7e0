//! Reads ports, and finds out on which ones services are dialled.

use super::{Context, RULES, rules};
use crate::diagnostic::{Span, quoted};
use crate::import::draft::{Container, Port, ServicePort, Source};
use crate::import::item::Item;
use crate::import::record::{Record, text_of};
use crate::yaml::{Content, Node};

/// A port that the host has.
#[derive(Debug, Clone)]
pub struct Published {
    pub name: String,
    pub target: u16,
    pub udp: bool,
    /// The host's, as a stack writes it.
    pub host: String,
    /// Whether the host's is one of several, of which Compose takes a free one.
    pub is_of_range: bool,
    pub span: Span,
}

/// The ports that images have by habit.
const USUAL: &[(&str, u16)] = &[
    ("postgres", 5432),
    ("postgis", 5432),
    ("mysql", 3306),
    ("mariadb", 3306),
    ("percona", 3306),
    ("redis", 6379),
    ("valkey", 6379),
    ("memcached", 11211),
    ("mongo", 27017),
    ("rabbitmq", 5672),
    ("nats", 4222),
    ("kafka", 9092),
    ("zookeeper", 2181),
    ("elasticsearch", 9200),
    ("opensearch", 9200),
    ("minio", 9000),
    ("nginx", 80),
    ("httpd", 80),
    ("caddy", 80),
    ("traefik", 80),
    ("wordpress", 80),
    ("mailhog", 1025),
    ("prometheus", 9090),
    ("grafana", 3000),
];

/// The port that an image usually has.
pub fn usual(source: &Source) -> Option<u16> {
    let Source::Image(Item::Text(image) | Item::Template(image)) = source else {
        return None;
    };
    let name = image.split(['@', ':']).next().unwrap_or(image);
    let name = name.rsplit('/').next().unwrap_or(name);
    USUAL
        .iter()
        .find(|(usual, _)| *usual == name)
        .map(|(_, port)| *port)
}

/// The places where a host of this name stands in a text, as what comes after it.
fn after<'t>(name: &'t str, text: &'t str) -> impl Iterator<Item = &'t str> {
    let inside = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    text.match_indices(name).filter_map(move |(at, _)| {
        let before = text[..at].chars().next_back();
        let rest = &text[at + name.len()..];
        let is_whole = !before.is_some_and(inside) && !rest.chars().next().is_some_and(inside);
        is_whole.then_some(rest)
    })
}

/// The port that others dial a service on: `name:port`.
pub fn dialled(name: &str, texts: &[String]) -> Option<u16> {
    let mut places = texts.iter().flat_map(|text| after(name, text));
    places.find_map(|rest| {
        let digits: String = rest
            .strip_prefix(':')?
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse().ok().filter(|port| *port > 0)
    })
}

/// Whether others name a service.
pub fn is_named(name: &str, texts: &[String]) -> bool {
    texts
        .iter()
        .any(|text| text == name || text.contains(&format!("//{name}")) || text.contains(&format!("@{name}")))
}

/// Declares a port at the container that serves it, where no container of the pod does.
pub fn declare(containers: &mut [Container], container: &str, port: &ServicePort) {
    let is_served = containers
        .iter()
        .flat_map(|container| &container.ports)
        .any(|other| other.number == port.target && other.udp == port.udp);
    let serving = containers
        .iter()
        .position(|other| other.name == container)
        .unwrap_or(0);
    if let (false, Some(serving)) = (is_served, containers.get_mut(serving)) {
        serving.ports.push(Port {
            name: String::new(),
            number: port.target,
            udp: port.udp,
            origin: port.origin,
        });
    }
}

impl Context<'_> {
    /// Reads `ports`.
    pub(super) fn published(&mut self, record: &mut Record) -> Vec<Published> {
        let path = record.at("ports");
        let mut published = Vec::new();
        for node in record.list("ports", self.notes) {
            let found = if let Content::Mapping(_) = &node.content {
                self.long_port(node, &path)
            } else {
                let text = text_of(node).unwrap_or_default();
                let text = self.value(text, &path, node.span);
                short_port(&text, node.span)
            };
            match found {
                Some(found) => {
                    if let Some(port) = found.iter().find(|port| port.is_of_range) {
                        let message = format!("port {} is published at {}", port.target, quoted(&port.host));
                        let rule = &rules::PORT_RANGE;
                        self.notes.say(rule, &path, node.span, message, rule.remedy);
                    }
                    published.extend(found);
                }
                None => self.rule(&rules::PORT, &path, node.span),
            }
        }
        published
    }

    pub(super) fn long_port(&mut self, node: &Node, path: &str) -> Option<Vec<Published>> {
        let mut record = Record::of(node, "port", path.to_owned(), self.notes)?;
        let target = record.text("target", self.notes);
        let published = record.text("published", self.notes);
        let address = record.text("host_ip", self.notes);
        let protocol = record.text("protocol", self.notes);
        let name = record.text("name", self.notes);
        record.ignore(&["mode", "app_protocol"]);
        record.ignore_prefix("x-");
        record.rest(RULES, self.notes);
        let mut value = |found: Option<crate::import::record::Found<String>>| {
            found.map(|found| self.value(&found.value, path, found.span))
        };
        let target = value(target)?;
        let host = value(published).unwrap_or_default();
        let address = value(address).unwrap_or_default();
        let protocol = value(protocol).unwrap_or_else(|| "tcp".to_owned());
        let text = match (address.is_empty(), host.is_empty()) {
            (true, true) => target,
            (true, false) => format!("{host}:{target}"),
            (false, _) => format!("{address}:{host}:{target}"),
        };
        let mut found = short_port(&format!("{text}/{protocol}"), node.span)?;
        if let (Some(name), [only]) = (name, found.as_mut_slice()) {
            only.name = name.value;
        }
        Some(found)
    }

    /// Reads `expose`.
    pub(super) fn exposed(&mut self, record: &mut Record) -> Vec<(u16, bool, Span)> {
        let path = record.at("expose");
        let mut exposed = Vec::new();
        for node in record.list("expose", self.notes) {
            let text = self.value(text_of(node).unwrap_or_default(), &path, node.span);
            match short_port(&text, node.span) {
                Some(found) => {
                    exposed.extend(found.into_iter().map(|port| (port.target, port.udp, node.span)));
                }
                None => self.rule(&rules::PORT, &path, node.span),
            }
        }
        exposed
    }
}

/// The numbers of a range, which is short.
fn range(text: &str) -> Option<Vec<u16>> {
    const MOST: u16 = 100;
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    match text.split_once('-') {
        None => Some(vec![number(text)?]),
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last && last - first < MOST).then(|| (first..=last).collect())
        }
    }
}

/// Reads `[address:][host:]container[/protocol]`.
fn short_port(text: &str, span: Span) -> Option<Vec<Published>> {
    let (text, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let udp = match protocol {
        "tcp" => false,
        "udp" => true,
        _ => return None,
    };
    let (host, target) = text.rsplit_once(':').unwrap_or(("", text));
    let targets = range(target)?;
    let (address, host) = host.rsplit_once(':').unwrap_or(("", host));
    let address = match address.trim_start_matches('[').trim_end_matches(']') {
        "" => "0.0.0.0".parse().ok()?,
        address => address.parse::<std::net::IpAddr>().ok()?,
    };
    let hosts = match host {
        "" | "0" => vec![0; targets.len()],
        host => range(host)?,
    };
    let is_of_range = targets.len() == 1 && hosts.len() > 1;
    if hosts.len() != targets.len() && !is_of_range {
        return None;
    }
    let written = |host: u16| match address {
        std::net::IpAddr::V4(address) if address == std::net::Ipv4Addr::LOCALHOST => host.to_string(),
        std::net::IpAddr::V4(address) => format!("{address}:{host}"),
        std::net::IpAddr::V6(address) => format!("[{address}]:{host}"),
    };
    let published = targets.into_iter().zip(hosts).map(|(target, host)| Published {
        name: String::new(),
        target,
        udp,
        host: written(host),
        is_of_range,
        span,
    });
    Some(published.collect())
}

#[cfg(test)]
mod tests {
    use super::{dialled, is_named, short_port};
    use crate::diagnostic::{Sources, Span};

    #[track_caller]
    fn check(text: &str, expect: Option<&[(u16, bool, &str)]>) {
        let span = Span::beginning(Sources::default().add("x", ""));
        let found = short_port(text, span).map(|ports| {
            let port = |port: super::Published| (port.target, port.udp, port.host);
            ports.into_iter().map(port).collect::<Vec<_>>()
        });
        let expect = expect.map(|ports| {
            let port = |(target, udp, host): &(u16, bool, &str)| (*target, *udp, (*host).to_owned());
            ports.iter().map(port).collect::<Vec<_>>()
        });
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn ports_are_read_as_compose_does() {
        check("80", Some(&[(80, false, "0.0.0.0:0")]));
        check("8080:80", Some(&[(80, false, "0.0.0.0:8080")]));
        check("127.0.0.1:8080:80/udp", Some(&[(80, true, "8080")]));
        check("127.0.0.1::80", Some(&[(80, false, "0")]));
        check("[::1]:8080:80", Some(&[(80, false, "[::1]:8080")]));
        check(
            "1-2:3-4",
            Some(&[(3, false, "0.0.0.0:1"), (4, false, "0.0.0.0:2")]),
        );
        check("8080-8081:80", Some(&[(80, false, "0.0.0.0:8080")]));
        for wrong in [
            "", "a", "0", "1:2-3", "1-2:3-5", "2-1:3", "70000", "80/sctp", "x:1:2", "1-60000",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn others_say_how_they_dial() {
        let texts = [
            "postgres://u:p@db:5433/x".to_owned(),
            "dbx:1".to_owned(),
            "http://web/".to_owned(),
        ];
        assert_eq!(dialled("db", &texts), Some(5433));
        assert_eq!(dialled("web", &texts), None);
        assert!(is_named("web", &texts));
        assert!(!is_named("x", &texts));
    }
}

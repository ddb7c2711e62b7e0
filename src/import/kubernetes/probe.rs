//! Turns a cluster's probes into those of a stack.

use super::{Context, RULES, rules};
use crate::import::draft::{Port, seconds};
use crate::import::item::{Item, Map};
use crate::import::record::{Found, Record};
use crate::import::rule::Rule;
use crate::stack::Name;

impl Context<'_> {
    /// Turns one probe; `ports` are those of its container.
    pub(super) fn probe(
        &mut self,
        mut record: Record,
        ports: &[Port],
        expand: &dyn Fn(&str) -> String,
    ) -> Option<Map> {
        let mut map = Map::default();
        let mut tries = false;
        let mut fails = false;
        if let Some(mut http) = record.record("httpGet", "httpGet", self.notes) {
            tries = true;
            let path = http
                .text("path", self.notes)
                .map_or_else(String::new, |path| path.value);
            map.put(
                "http",
                if path.starts_with('/') {
                    path
                } else {
                    format!("/{path}")
                },
            );
            match self.probe_port(&mut http, ports) {
                Some(port) => {
                    let is_only =
                        matches!(ports, [only] if matches!(&port, Item::Text(name) if *name == only.name));
                    if !is_only {
                        map.put("port", port);
                    }
                }
                None => fails = true,
            }
            if http
                .text("scheme", self.notes)
                .is_some_and(|scheme| scheme.value.eq_ignore_ascii_case("https"))
            {
                map.put("scheme", "https");
            }
            let mut headers = Map::default();
            for mut header in http.records("httpHeaders", "header", self.notes) {
                let name = header.text("name", self.notes);
                let value = header.text("value", self.notes);
                if let Some(name) = name {
                    let is_twice = headers.0.iter().any(|member| member.key == name.value);
                    if !is_twice {
                        headers.put_from(
                            &name.value,
                            value.map_or_else(String::new, |value| value.value),
                            name.span,
                        );
                    }
                }
                header.rest(RULES, self.notes);
            }
            map.filled("headers", headers);
            self.probe_host(&rules::PROBE_HOST, &mut http);
            http.rest(RULES, self.notes);
        }
        if let Some(mut tcp) = record.record("tcpSocket", "tcpSocket", self.notes) {
            tries = true;
            match self.probe_port(&mut tcp, ports) {
                Some(port) => map.put("tcp", port),
                None => fails = true,
            }
            self.probe_host(&rules::TCP_HOST, &mut tcp);
            tcp.rest(RULES, self.notes);
        }
        if let Some(mut exec) = record.record("exec", "exec", self.notes) {
            tries = true;
            let command = exec.texts("command", self.notes).unwrap_or_default();
            map.put("exec", Item::texts(command.iter().map(|word| expand(word))));
            exec.rest(RULES, self.notes);
        }
        if let Some(mut grpc) = record.record("grpc", "grpc", self.notes) {
            tries = true;
            match self.probe_port(&mut grpc, ports) {
                Some(port) => map.put("grpc", port),
                None => fails = true,
            }
            let service = grpc
                .text("service", self.notes)
                .filter(|service| !service.value.is_empty());
            map.maybe("service", service.map(|service| service.value));
            grpc.rest(RULES, self.notes);
        }
        if !tries {
            self.rule(&rules::PROBE_KIND, &record.path, record.span);
            return None;
        }
        self.times(&mut record, &mut map);
        record.rest(RULES, self.notes);
        (!fails).then_some(map)
    }

    /// How often, how long, how many: where they aren't what they are in both by default.
    fn times(&mut self, record: &mut Record, map: &mut Map) {
        for (key, ours, default) in [
            ("initialDelaySeconds", "delay", 0),
            ("periodSeconds", "every", 10),
            ("timeoutSeconds", "timeout", 1),
        ] {
            if let Some(Found { value, .. }) = record
                .whole(key, self.notes)
                .filter(|found| found.value != default)
            {
                // Nothing is the default on a cluster, too.
                if value > 0 {
                    map.put(ours, seconds(value));
                }
            }
        }
        for (key, ours, default) in [
            ("failureThreshold", "failures", 3),
            ("successThreshold", "successes", 1),
        ] {
            if let Some(Found { value, .. }) = record
                .whole(key, self.notes)
                .filter(|found| found.value != default)
                && value > 0
            {
                map.put(ours, Item::plain(value));
            }
        }
    }

    fn probe_host(&mut self, rule: &Rule, record: &mut Record) {
        if let Some(host) = record.text("host", self.notes) {
            let path = record.at("host");
            self.rule(rule, &path, host.span);
        }
    }

    /// The port of a probe: its name where it has one, else its number.
    fn probe_port(&mut self, record: &mut Record, ports: &[Port]) -> Option<Item> {
        let Some(port) = record.text("port", self.notes) else {
            self.rule(&rules::PROBE_PORT, &record.path, record.span);
            return None;
        };
        let number = match port.value.parse::<u16>() {
            Ok(number) => number,
            Err(_) => {
                if let Some(named) = ports.iter().find(|other| other.name == port.value) {
                    named.number
                } else {
                    let path = record.at("port");
                    self.rule(&rules::PROBE_PORT, &path, port.span);
                    return None;
                }
            }
        };
        let named = ports
            .iter()
            .find(|other| other.number == number && !other.udp && Name::new(&other.name).is_some());
        Some(named.map_or_else(|| Item::plain(number), |named| Item::from(named.name.as_str())))
    }
}

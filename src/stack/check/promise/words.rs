//! Words that parts of a promise have in common: paths, addresses, patterns, times.

use std::time::Duration;

use regex_lite::Regex;

use super::super::Checker;
use super::LONGEST;
use crate::diagnostic::{Diagnostic, Span, quoted};
use crate::stack::promise::{Amount, Pattern};
use crate::stack::raw::RawDuration;
use crate::stack::raw_promise::RawAmount;
use crate::yaml::{Boolean, Field, List, Map, Spanned, Text};

impl Checker<'_> {
    pub(super) fn absolute_path(&mut self, field: &Field<Text>) -> Option<String> {
        let path = field.get()?;
        if !path.value.0.starts_with('/') {
            self.push(Diagnostic::error(
                path.span,
                "expected an absolute path in the container",
            ));
            return None;
        }
        Some(path.value.0.clone())
    }

    pub(super) fn url(&mut self, written: &Spanned<Text>) -> Option<()> {
        let text = &written.value.0;
        let rest = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"));
        let is_url = rest.is_some_and(|rest| {
            let authority = rest.split(['/', '?']).next().unwrap_or_default();
            let port = authority
                .rsplit_once(':')
                .filter(|(_, port)| !port.ends_with(']'));
            let has_port = port.is_none_or(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0));
            !authority.is_empty() && has_port && !rest.contains(char::is_whitespace)
        });
        if !is_url {
            self.push(
                Diagnostic::error(written.span, format!("{} is no URL", quoted(text)))
                    .help("write it as `http://host:port/path`"),
            );
        }
        is_url.then_some(())
    }

    pub(super) fn address(&mut self, written: &Spanned<Text>) -> Option<()> {
        let text = &written.value.0;
        let is_address = text
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
        if !is_address {
            self.push(
                Diagnostic::error(written.span, format!("{} is no address", quoted(text)))
                    .help("write it as `host:port`"),
            );
        }
        is_address.then_some(())
    }

    pub(super) fn pattern(&mut self, field: &Field<Text>, has_group: bool) -> Option<Pattern> {
        let written = field.get()?;
        let problem = match Regex::new(&written.value.0) {
            Ok(regex) if has_group && regex.captures_len() < 2 => {
                "the regular expression needs a group".to_owned()
            }
            Ok(regex) => return Some(Pattern(regex)),
            Err(error) => format!("no regular expression: {error}"),
        };
        self.push(Diagnostic::error(written.span, problem));
        None
    }

    pub(super) fn statuses(&mut self, field: &Field<List<Text>>) -> Vec<String> {
        let written = field.value().map_or(&[][..], |list| &list.0);
        written.iter().filter_map(|status| self.status(status)).collect()
    }

    pub(super) fn status(&mut self, written: &Spanned<Text>) -> Option<String> {
        let text = &written.value.0;
        let bytes = text.as_bytes();
        let is_status = bytes.len() == 3
            && (b'1'..=b'5').contains(&bytes[0])
            && (bytes[1..] == *b"xx" || bytes[1..].iter().all(u8::is_ascii_digit));
        if !is_status {
            self.push(
                Diagnostic::error(written.span, format!("{} is no status", quoted(text)))
                    .help("write `200`, or a class such as `2xx`"),
            );
            return None;
        }
        Some(text.clone())
    }

    pub(super) fn exactly_one(
        &mut self,
        span: Span,
        what: &str,
        listed: &str,
        keys: &[Option<Span>],
    ) -> Option<()> {
        let mut written = keys.iter().flatten();
        match (written.next(), written.next()) {
            (Some(_), None) => Some(()),
            (None, _) => {
                self.push(Diagnostic::error(span, format!("{what} needs one of {listed}")));
                None
            }
            (Some(first), Some(second)) => {
                self.push(
                    Diagnostic::error(*second, format!("{what} takes only one of {listed}"))
                        .related(*first, "the first"),
                );
                None
            }
        }
    }
}

pub(super) fn text(field: &Field<Text>) -> Option<String> {
    field.value().map(|text| text.0.clone())
}

pub(super) fn texts(field: &Field<List<Text>>) -> Vec<String> {
    let written = field.value().map_or(&[][..], |list| &list.0);
    written.iter().map(|text| text.value.0.clone()).collect()
}

pub(super) fn pairs(field: &Field<Map<Text>>) -> Vec<(String, String)> {
    let nothing = Map::default();
    let written = field.value().unwrap_or(&nothing).0.iter();
    let pairs =
        written.filter_map(|entry| Some((entry.key.value.clone(), entry.value.as_ref()?.value.0.clone())));
    pairs.collect()
}

pub(super) fn flag(field: &Field<Boolean>) -> bool {
    field.value().is_some_and(|boolean| boolean.0)
}

pub(super) fn amount(field: &Field<RawAmount>) -> Option<Amount> {
    field.value().map(|amount| amount.0)
}

pub(super) fn time(field: &Field<RawDuration>, default: u64) -> Duration {
    field
        .value()
        .map_or(Duration::from_millis(default), |time| time.0)
}

/// Like [`time`], and no longer than a promise may take.
pub(super) fn time_or(field: &Field<RawDuration>, default: u64) -> Duration {
    time(field, default).min(LONGEST)
}

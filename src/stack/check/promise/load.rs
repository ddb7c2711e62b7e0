//! Checks the load of a promise: what is asked, how often, and what the answers are to be.

use super::super::Checker;
use super::LONGEST;
use super::Scope;
use super::words::{flag, pairs, text, texts, time, time_or};
use crate::diagnostic::{Diagnostic, Span, quoted};
use crate::stack::promise::{Ask, HttpAsk, Load};
use crate::stack::raw_promise::RawLoad;
use crate::yaml::{Field, List, Map, Spanned, Text};

/// The most questions of a load.
const MOST_QUESTIONS: f64 = 1_000_000.0;

impl Checker<'_> {
    pub(super) fn load(&mut self, written: &Spanned<Box<RawLoad>>, scope: &Scope<'_>) -> Option<Load> {
        let raw = &written.value;
        let asks = [raw.http.key(), raw.tcp.key(), raw.redis.key(), raw.command.key()];
        self.exactly_one(
            written.span,
            "a load",
            "`http`, `tcp`, `redis` and `command`",
            &asks,
        )?;
        let ask = if let Some(url) = raw.http.get() {
            self.words_of_http(raw);
            self.url(url)?;
            Ask::Http(HttpAsk {
                url: url.value.0.clone(),
                method: text(&raw.method).unwrap_or_else(|| "GET".to_owned()),
                headers: pairs(&raw.headers),
                body: text(&raw.body).unwrap_or_default(),
                fresh: flag(&raw.fresh),
            })
        } else if let Some(address) = raw.tcp.get() {
            self.address(address)?;
            Ask::Tcp {
                address: address.value.0.clone(),
                send: text(&raw.send).unwrap_or_default(),
            }
        } else if let Some(address) = raw.redis.get() {
            self.address(address)?;
            for store in raw.stores.value().map_or(&[][..], |list| &list.0) {
                self.address(store)?;
            }
            Ask::Redis {
                address: address.value.0.clone(),
                stores: texts(&raw.stores),
            }
        } else {
            self.command_ask(&raw.command, &raw.target, written.span, scope)?
        };
        let rate = raw.rate.value().map_or(50, |rate| rate.0);
        let time = time(&raw.time, 5000);
        #[expect(clippy::cast_precision_loss, reason = "at most ten thousand")]
        let rate = rate as f64;
        if time > LONGEST || time.as_secs_f64() * rate > MOST_QUESTIONS || time.is_zero() {
            let span = raw.time.key().unwrap_or(written.span);
            self.push(
                Diagnostic::error(
                    span,
                    "a load is at most one hour and a million questions, and not none",
                )
                .help("lower `rate` or `for`"),
            );
            return None;
        }
        Some(Load {
            place: self.place(written.span),
            ask,
            from: self.pod_of(&raw.from, scope),
            rate,
            time,
            timeout: time_or(&raw.timeout, 2000),
            keys: raw
                .keys
                .value()
                .and_then(|keys| u32::try_from(keys.0).ok())
                .unwrap_or(0),
            skew: raw.skew.value().map_or(0.0, |skew| skew.0),
            answer: self.pattern(&raw.answer, false),
            by: self.pattern(&raw.by, true),
            each: flag(&raw.each),
        })
    }

    /// Says which of method and headers HTTP doesn't take (RFC 9110, 5.6.2 and 5.5).
    pub(super) fn words_of_http(&mut self, raw: &RawLoad) {
        let is_token = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
        };
        if let Some(method) = raw.method.get()
            && !is_token(&method.value.0)
        {
            let problem = Diagnostic::error(method.span, format!("{} is no method", quoted(&method.value.0)));
            self.push(problem.help("write `GET` or `POST`"));
        }
        let nothing = Map::default();
        for entry in &raw.headers.value().unwrap_or(&nothing).0 {
            if !is_token(&entry.key.value) {
                let what = format!("{} is no name of a header", quoted(&entry.key.value));
                self.push(Diagnostic::error(entry.key.span, what));
            }
            if let Some(value) = &entry.value
                && value
                    .value
                    .0
                    .contains(|character: char| character.is_control() && character != '\t')
            {
                self.push(Diagnostic::error(
                    value.span,
                    "a header's value holds no control characters",
                ));
            }
        }
    }

    pub(super) fn command_ask(
        &mut self,
        command: &Field<List<Text>>,
        target: &Field<Text>,
        span: Span,
        scope: &Scope<'_>,
    ) -> Option<Ask> {
        let words = texts(command);
        let Some(target) = target.get() else {
            self.push(
                Diagnostic::error(span, "a command needs the container that it runs in")
                    .help("add `in: pod/0/container`"),
            );
            return None;
        };
        let target = self.aim(target, scope, true)?;
        if words.is_empty() {
            self.push(Diagnostic::error(
                command.key().unwrap_or(span),
                "a command needs a word",
            ));
            return None;
        }
        Some(Ask::Command {
            target,
            command: words,
        })
    }
}

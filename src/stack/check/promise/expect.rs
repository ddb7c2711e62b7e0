//! Checks what a promise expects.

use super::super::Checker;
use super::Scope;
use super::words::{amount, flag, text, texts, time_or};
use crate::diagnostic::Diagnostic;
use crate::stack::promise::{Ask, Expect, FileLook, HttpAsk, Load, Look, Once, Part};
use crate::stack::raw_promise::{RawExpect, RawFileLook, RawLook, RawOnce, RawPromise};
use crate::yaml::{List, Spanned};

impl Checker<'_> {
    pub(super) fn expect(
        &mut self,
        written: &Spanned<Box<RawExpect>>,
        promise: &RawPromise,
        load: Option<&Load>,
        scope: &Scope<'_>,
    ) -> Expect {
        let raw = &written.value;
        // What needs a load, and what needs to know who answered.
        let of_load = [
            raw.lost.key(),
            raw.wrong.key(),
            raw.status.key(),
            raw.p50.key(),
            raw.p95.key(),
            raw.p99.key(),
            raw.max.key(),
            raw.affected.key(),
            raw.once.key(),
        ];
        let of_who = [
            raw.share.key(),
            raw.sides.key(),
            raw.moved.key(),
            raw.changed.key(),
            raw.moved_to.key(),
            raw.at_most_one.key(),
        ];
        let is_loaded = !promise.load.is_absent();
        for span in of_load.iter().chain(&of_who).flatten().filter(|_| !is_loaded) {
            self.push(Diagnostic::error(*span, "it needs a `load`"));
        }
        let knows_who = load.is_some_and(|load| {
            let asks_stores = matches!(&load.ask, Ask::Redis { stores, .. } if !stores.is_empty());
            load.by.is_some() || asks_stores
        });
        for span in of_who.iter().flatten().filter(|_| load.is_some() && !knows_who) {
            self.push(
                Diagnostic::error(*span, "it needs to know who answered")
                    .help("give the load a `by`, or `stores` where it is `redis`"),
            );
        }
        if let (Some(span), Some(load)) = (raw.wrong.key(), load)
            && load.answer.is_none()
            && !matches!(load.ask, Ask::Redis { .. })
        {
            self.push(
                Diagnostic::error(span, "it needs to know what is right").help("give the load an `answer`"),
            );
        }
        let times = [
            (Part::P50, &raw.p50),
            (Part::P95, &raw.p95),
            (Part::P99, &raw.p99),
            (Part::Max, &raw.max),
        ];
        let (no_looks, no_files) = (List::default(), List::default());
        let looks = &raw.answers.value().unwrap_or(&no_looks).0;
        let answers: Vec<Look> = looks.iter().filter_map(|look| self.look(look, scope)).collect();
        let looks = &raw.files.value().unwrap_or(&no_files).0;
        let files: Vec<FileLook> = looks
            .iter()
            .filter_map(|look| self.file_look(look, scope))
            .collect();
        let expect = Expect {
            lost: amount(&raw.lost),
            wrong: amount(&raw.wrong),
            status: self.statuses(&raw.status),
            times: times
                .into_iter()
                .filter_map(|(part, field)| Some((part, field.value()?.0)))
                .collect(),
            share: self.shares(&raw.share),
            sides: amount(&raw.sides),
            moved: amount(&raw.moved),
            changed: raw
                .changed
                .value()
                .and_then(|changed| u64::try_from(changed.0).ok()),
            moved_to: texts(&raw.moved_to),
            affected: amount(&raw.affected),
            at_most_one: flag(&raw.at_most_one),
            restarted: self.targets(&raw.restarted, scope),
            kept: self.targets(&raw.kept, scope),
            answers,
            files,
            once: raw.once.get().and_then(|once| self.once(once, scope)),
        };
        if expect == Expect::default() && raw.mistyped.is_empty() && !self.problems.has_errors() {
            self.push(
                Diagnostic::error(written.span, "nothing is expected, so nothing can break")
                    .help("begin with `lost: 0`"),
            );
        }
        expect
    }

    pub(super) fn look(&mut self, written: &Spanned<RawLook>, scope: &Scope<'_>) -> Option<Look> {
        let raw = &written.value;
        let asks = [raw.http.key(), raw.tcp.key(), raw.command.key()];
        self.exactly_one(written.span, "a look", "`http`, `tcp` and `command`", &asks)?;
        let ask = if let Some(url) = raw.http.get() {
            self.url(url)?;
            Ask::Http(HttpAsk {
                url: url.value.0.clone(),
                method: "GET".to_owned(),
                headers: Vec::new(),
                body: String::new(),
                fresh: true,
            })
        } else if let Some(address) = raw.tcp.get() {
            self.address(address)?;
            Ask::Tcp {
                address: address.value.0.clone(),
                send: text(&raw.send).unwrap_or_default(),
            }
        } else {
            self.command_ask(&raw.command, &raw.target, written.span, scope)?
        };
        Some(Look {
            place: self.place(written.span),
            at: raw.at.value().map(|at| at.0),
            within: time_or(&raw.within, 10_000),
            from: self.pod_of(&raw.from, scope),
            ask,
            status: raw.status.get().and_then(|status| self.status(status)),
            matches: self.pattern(&raw.matches, false),
            lacks: self.pattern(&raw.lacks, false),
            refused: flag(&raw.refused),
        })
    }

    pub(super) fn file_look(
        &mut self,
        written: &Spanned<RawFileLook>,
        scope: &Scope<'_>,
    ) -> Option<FileLook> {
        let raw = &written.value;
        let target = raw.target.get().and_then(|target| self.aim(target, scope, true));
        Some(FileLook {
            place: self.place(written.span),
            at: raw.at.value().map(|at| at.0),
            within: time_or(&raw.within, 10_000),
            target: target?,
            path: self.absolute_path(&raw.path)?,
            matches: self.pattern(&raw.matches, false),
            missing: flag(&raw.missing),
        })
    }

    pub(super) fn once(&mut self, written: &Spanned<Box<RawOnce>>, scope: &Scope<'_>) -> Option<Once> {
        let raw = &written.value;
        let target = raw.target.get().and_then(|target| self.aim(target, scope, true));
        let path = if raw.path.is_absent() {
            None
        } else {
            Some(self.absolute_path(&raw.path)?)
        };
        Some(Once {
            place: self.place(written.span),
            target: target?,
            path,
            pattern: self.pattern(&raw.matches, true)?,
            within: time_or(&raw.within, 20_000),
        })
    }
}

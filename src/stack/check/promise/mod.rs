//! Checks promises: what they ask, break and expect is there, and means something.

mod expect;
mod fault;
mod load;
mod target;
mod words;

use std::time::Duration;

use super::Checker;
use crate::diagnostic::{Diagnostic, Span};
use crate::stack::promise::{Fault, Promise, Role};
use crate::stack::raw::RawStack;
use crate::stack::raw_promise::RawPromise;
use crate::stack::{Job, Name, Pod, Secret};
use crate::yaml::{List, Map};
use words::text;

/// The longest that a promise may take.
const LONGEST: Duration = Duration::from_hours(1);

/// What a promise may name.
pub(super) struct Cast<'a> {
    pub pods: &'a [Pod],
    pub jobs: &'a [Job],
    pub secrets: &'a std::collections::BTreeMap<Name, Secret>,
    pub parameters: Vec<&'a str>,
}

impl Checker<'_> {
    pub(super) fn promises(&mut self, raw: &RawStack, cast: &Cast<'_>) -> Vec<Promise> {
        let nothing = Map::default();
        let promises = raw.promises.value().unwrap_or(&nothing);
        self.each(promises, "a promise", |checker, name, span, raw| {
            checker.promise(name, span, raw, cast)
        })
    }

    fn promise(&mut self, name: Name, span: Span, raw: &RawPromise, cast: &Cast<'_>) -> Option<Promise> {
        let nothing = Map::default();
        let mut roles = Vec::new();
        for entry in &raw.roles.value().unwrap_or(&nothing).0 {
            let role = super::name(&entry.key.value, entry.key.span, "a role", self.problems);
            let told = entry.value.as_ref().map(|value| &value.value);
            if let (Some(name), Some(told)) = (role, told) {
                roles.push(Role {
                    name,
                    port: told
                        .port
                        .value()
                        .and_then(|port| u16::try_from(port.0).ok())
                        .unwrap_or(0),
                    path: text(&told.path).unwrap_or_default(),
                });
            }
        }
        let scope = Scope { cast, roles: &roles };
        let load = raw.load.get().and_then(|load| self.load(load, &scope));
        let no_faults = List::default();
        let mut faults: Vec<Fault> = Vec::new();
        for fault in &raw.faults.value().unwrap_or(&no_faults).0 {
            let checked = self.fault(fault, &scope);
            if let (Some(load), Some(checked)) = (&load, &checked)
                && checked.at >= load.time
            {
                let span = fault.value.at.key().unwrap_or(fault.span);
                let problem = Diagnostic::error(span, "the load is over before the fault begins");
                self.push(problem.help("begin it earlier with `at`, or ask longer with the load's `for`"));
            }
            faults.extend(checked);
        }
        let expect = raw
            .expect
            .get()
            .map(|expect| self.expect(expect, raw, load.as_ref(), &scope));
        Some(Promise {
            name,
            place: self.place(span),
            says: text(&raw.says)?,
            load,
            faults,
            expect: expect?,
            has_control: !raw.control.is_absent(),
        })
    }
}

struct Scope<'a> {
    cast: &'a Cast<'a>,
    roles: &'a [Role],
}

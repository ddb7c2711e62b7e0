//! Checks the faults of a promise: what they break, where and when.

use super::super::Checker;
use super::LONGEST;
use super::Scope;
use super::words::{texts, time, time_or};
use crate::diagnostic::{Diagnostic, quoted};
use crate::stack::promise::{Amount, Fault, FaultKind};
use crate::stack::raw_promise::RawFault;
use crate::yaml::{Field, Map, Spanned, Text};

impl Checker<'_> {
    pub(super) fn fault(&mut self, written: &Spanned<RawFault>, scope: &Scope<'_>) -> Option<Fault> {
        let raw = &written.value;
        let kinds = [
            raw.kill.key(),
            raw.stop.key(),
            raw.pause.key(),
            raw.hang.key(),
            raw.restart.key(),
            raw.cut.key(),
            raw.slow.key(),
            raw.fill.key(),
            raw.rotate.key(),
            raw.scale.key(),
            raw.set.key(),
            raw.change.key(),
            raw.exec.key(),
        ];
        self.exactly_one(written.span, "a fault", "`kill`, `stop`, `pause`, `hang`, `restart`, `cut`, `slow`, `fill`, `rotate`, `scale`, `set`, `change` and `exec`", &kinds)?;
        let mut at = |field: &Field<Text>, one| {
            let written = field.get()?;
            Some(self.aim(written, scope, one))
        };
        let kind = if let Some(target) = at(&raw.kill, false) {
            FaultKind::Kill(target?)
        } else if let Some(target) = at(&raw.stop, false) {
            FaultKind::Stop(target?)
        } else if let Some(target) = at(&raw.pause, false) {
            FaultKind::Pause(target?)
        } else if let Some(target) = at(&raw.hang, false) {
            FaultKind::Hang(target?)
        } else if let Some(target) = at(&raw.restart, false) {
            FaultKind::Restart(target?)
        } else if let Some(target) = at(&raw.cut, false) {
            FaultKind::Cut(target?)
        } else if let Some(target) = at(&raw.slow, false) {
            FaultKind::Slow(target?, time(&raw.by, 200))
        } else if let Some(target) = at(&raw.fill, false) {
            let target = target?;
            let volume = self.volume_of(&raw.volume, &target, written.span, scope)?;
            FaultKind::Fill(target, volume)
        } else if let Some(target) = at(&raw.exec, true) {
            let words = texts(&raw.command);
            if words.is_empty() {
                self.push(Diagnostic::error(written.span, "`exec` needs the key `command`"));
                return None;
            }
            FaultKind::Exec(target?, words)
        } else if let Some(secret) = raw.rotate.get() {
            FaultKind::Rotate(self.generated(secret, scope)?)
        } else if let Some(scale) = raw.scale.get() {
            let [entry] = scale.value.0.as_slice() else {
                self.push(Diagnostic::error(
                    scale.span,
                    "`scale` takes one pod and its number of replicas",
                ));
                return None;
            };
            let pod = self.pod_named(&entry.key, scope)?;
            let count = u32::try_from(entry.value.as_ref()?.value.0).ok()?;
            FaultKind::Scale(pod, count)
        } else if let Some(set) = raw.set.get() {
            for entry in &set.value.0 {
                let name = entry.key.value.as_str();
                if !scope.cast.parameters.contains(&name) {
                    let meant = self
                        .problems
                        .did_you_mean(name, scope.cast.parameters.iter().copied());
                    self.push(
                        Diagnostic::error(entry.key.span, format!("no parameter {}", quoted(name)))
                            .maybe_help(meant),
                    );
                }
            }
            let values = set.value.0.iter().filter_map(|entry| {
                let value = entry.value.as_ref()?;
                Some(format!("{}={}", entry.key.value, value.value.0))
            });
            FaultKind::Set(values.collect())
        } else {
            raw.change.get()?;
            FaultKind::Change
        };
        self.times(raw);
        Some(Fault {
            place: self.place(written.span),
            at: time_or(&raw.at, 1000),
            lasts: time_or(&raw.lasts, 1000),
            kind,
        })
    }

    pub(super) fn times(&mut self, raw: &RawFault) {
        for field in [&raw.at, &raw.lasts, &raw.by] {
            if let Some(time) = field.get()
                && time.value.0 > LONGEST
            {
                self.push(Diagnostic::error(time.span, "a promise takes at most one hour"));
            }
        }
        if let Some(by) = raw.by.get()
            && by.value.0.is_zero()
        {
            self.push(Diagnostic::error(
                by.span,
                "what is held still for no time is not slow",
            ));
        }
    }

    pub(super) fn shares(&mut self, field: &Field<Map<Text>>) -> Vec<(String, f64)> {
        let nothing = Map::default();
        let mut share = Vec::new();
        for entry in &field.value().unwrap_or(&nothing).0 {
            let Some(value) = &entry.value else { continue };
            match Amount::parse(&value.value.0) {
                Some(Amount::Percent(percent)) => share.push((entry.key.value.clone(), percent)),
                _ => self.push(Diagnostic::error(value.span, "expected a part such as `10%`")),
            }
        }
        if share.iter().map(|(_, percent)| percent).sum::<f64>() > 100.0 + 1e-9
            && let Some(span) = field.key()
        {
            self.push(Diagnostic::error(span, "the shares are more than the whole"));
        }
        share
    }
}

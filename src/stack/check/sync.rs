//! Checks what `up --watch` copies into a container.

use super::Checker;
use super::paths::normal;
use crate::diagnostic::{Diagnostic, quoted};
use crate::stack::files::project_path;
use crate::stack::raw::RawContainer;
use crate::stack::{Role, Sync};
use crate::yaml::{Map, Shorthand, Spanned};

impl Checker<'_> {
    pub(super) fn syncs(&mut self, raw: &RawContainer) -> Vec<Sync> {
        let nothing = Map::default();
        let mut syncs = Vec::new();
        for entry in &raw.sync.value().unwrap_or(&nothing).0 {
            let Some(value) = &entry.value else { continue };
            let (to, restart) = match &value.value {
                Shorthand::Short(path) => (
                    Some(Spanned {
                        value: path.clone(),
                        span: value.span,
                    }),
                    false,
                ),
                Shorthand::Long(long) => (
                    long.path.get().cloned(),
                    long.restart.value().is_some_and(|boolean| boolean.0),
                ),
            };
            let Some(to) = to else { continue };
            self.container_path(&to);
            let to = normal(&to.value.0);
            let from = match project_path("", &entry.key.value) {
                Ok(from) => from,
                Err(why) => {
                    self.push(
                        Diagnostic::error(entry.key.span, why)
                            .help("what is copied lies in the stack's folder or below it"),
                    );
                    continue;
                }
            };
            if self.files.kind(&from).is_err() {
                self.push(Diagnostic::error(
                    entry.key.span,
                    format!("no file or folder {}", quoted(&from)),
                ));
            }
            syncs.push(Sync { from, to, restart });
        }
        if let (Some(key), Some(Role::Init)) = (raw.sync.key(), raw.role.value()) {
            self.push(
                Diagnostic::error(key, "an init container has ended when files change")
                    .help("leave `sync` out"),
            );
        }
        syncs
    }
}

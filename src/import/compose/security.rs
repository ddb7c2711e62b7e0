//! Decides which standard of a stack a service's container keeps.

use super::{Context, rules};
use crate::diagnostic::Span;
use crate::import::record::{Record, text_of};

/// What a container may do.
pub struct Security {
    pub restricted: bool,
    pub user: Option<(String, Span)>,
    pub read_only: bool,
    pub capabilities: Vec<String>,
}

impl Context<'_> {
    /// Reads user, file system and capabilities; `knows_user` where one that isn't named is no root.
    pub(super) fn security(&mut self, record: &mut Record, is_block: bool, knows_user: bool) -> Security {
        let user = record.text("user", self.notes);
        let user = user.and_then(|user| {
            let text = self.value(&user.value, &record.at("user"), user.span);
            let text = if text == "root" { "0".to_owned() } else { text };
            let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if text.split(':').all(is_number) {
                // Without a group the engine takes root's.
                let text = if text.contains(':') || text == "0" {
                    text
                } else {
                    format!("{text}:0")
                };
                let text = match text.split_once(':') {
                    Some((user, group)) if user == group => user.to_owned(),
                    _ => text,
                };
                return Some((text, user.span));
            }
            self.rule(&rules::USER_NAME, &record.at("user"), user.span);
            None
        });
        let read_only = record
            .boolean("read_only", self.notes)
            .is_some_and(|found| found.value);
        if let Some(privileged) = record
            .boolean("privileged", self.notes)
            .filter(|found| found.value)
        {
            self.rule(&rules::PRIVILEGED, &record.at("privileged"), privileged.span);
        }
        let mut keeps_privileges = false;
        let path = record.at("security_opt");
        for option in record.list("security_opt", self.notes) {
            match text_of(option).unwrap_or_default() {
                "no-new-privileges" | "no-new-privileges:true" | "no-new-privileges=true" => {
                    keeps_privileges = true;
                }
                _ => self.rule(&rules::SECURITY, &path, option.span),
            }
        }
        let add = record.texts("cap_add", self.notes).unwrap_or_default();
        let capabilities: Vec<String> = add
            .iter()
            .map(|name| {
                let upper = name.to_ascii_uppercase();
                upper.strip_prefix("CAP_").map_or(upper.clone(), str::to_owned)
            })
            .collect();
        let path = record.at("cap_drop");
        let drop = record.list("cap_drop", self.notes);
        let drops_all = drop
            .iter()
            .any(|name| text_of(name).is_some_and(|name| name.eq_ignore_ascii_case("all")));
        let is_not_root = match &user {
            Some((user, _)) => user != "0" && !user.starts_with("0:"),
            None => knows_user,
        };
        let is_bound = |name: &String| name == "NET_BIND_SERVICE";
        let restricted = drops_all && is_not_root && keeps_privileges && capabilities.iter().all(is_bound);
        if let (false, Some(first)) = (restricted, drop.first()) {
            self.rule(&rules::DROP, &path, first.span);
        }
        let is_default = |user: &(String, Span)| is_block && user.0 == "65532";
        Security {
            restricted,
            user: user.filter(|user| !is_default(user)),
            read_only,
            capabilities,
        }
    }
}

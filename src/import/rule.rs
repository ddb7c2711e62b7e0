//! What becomes of each field of a foreign file: the ground of the report and of `docs/import.md`.

use crate::export::Field;
use crate::export::Verdict::{Approximated, Dropped, Kept};

/// A row of the page, and what there is to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The row. Its path is the kind of thing that the field stands in, a dot, and the field.
    pub field: Field,
    /// What to do.
    pub remedy: &'static str,
}

impl Rule {
    /// Whether it is about a field of a kind of thing.
    pub fn is_about(&self, scope: &str, key: &str) -> bool {
        self.field
            .path
            .strip_prefix(scope)
            .and_then(|rest| rest.strip_prefix('.'))
            .is_some_and(|keys| keys.split(", ").any(|named| named == key))
    }
}

/// A field that means the same in a stack.
pub const fn kept(path: &'static str, becomes: &'static str) -> Rule {
    kept_when(path, "", becomes, "")
}

/// A field that means the same in a stack, in a case or with something to know.
pub const fn kept_when(
    path: &'static str,
    when: &'static str,
    becomes: &'static str,
    why: &'static str,
) -> Rule {
    Rule {
        field: Field {
            path,
            when,
            verdict: Kept,
            becomes,
            why,
        },
        remedy: "",
    }
}

/// A field that has something close to it in a stack.
pub const fn approximated(
    path: &'static str,
    when: &'static str,
    becomes: &'static str,
    why: &'static str,
    remedy: &'static str,
) -> Rule {
    Rule {
        field: Field {
            path,
            when,
            verdict: Approximated,
            becomes,
            why,
        },
        remedy,
    }
}

/// A field that a stack doesn't have.
pub const fn dropped(
    path: &'static str,
    when: &'static str,
    why: &'static str,
    remedy: &'static str,
) -> Rule {
    Rule {
        field: Field {
            path,
            when,
            verdict: Dropped,
            becomes: "nothing",
            why,
        },
        remedy,
    }
}

/// A document, or a part of one, that can't be read.
pub const UNREADABLE: Rule = dropped(
    "any document",
    "not readable",
    "it can't be read",
    "correct it, and import again",
);
/// A value of the wrong type.
pub const TYPE: Rule = dropped(
    "any field",
    "of the wrong type",
    "it is of another type than the field takes",
    "correct it, and import again",
);
/// A field that nobody knows.
pub const UNKNOWN: Rule = dropped(
    "any field",
    "unknown",
    "no such field is known",
    "see whether its name is right; if it is, a stack has nothing for it",
);
/// What the checker of stacks refuses.
pub const REFUSED: Rule = dropped(
    "any field",
    "that `motif check` would refuse",
    "a stack can't hold it",
    "change it, and import again",
);
/// A name that a stack can't have.
pub const NAME: Rule = approximated(
    "any name",
    "not 1 to 63 of `a-z`, `0-9` and `-`, or taken",
    "the nearest free name",
    "names in a stack are DNS labels, and stand once",
    "see whether anything dials the old name",
);

/// The rows that files of every kind share.
#[cfg(test)]
pub const COMMON: &[Rule] = &[UNREADABLE, TYPE, UNKNOWN, NAME, REFUSED];

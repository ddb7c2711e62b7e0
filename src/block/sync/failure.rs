//! Why there is no new version.

/// The kind of a failure, as the metrics count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The source can't be reached, or says no.
    Source,
    /// It took too long.
    Timeout,
    /// It changes while it is read.
    Changing,
    /// It is larger than allowed.
    TooLarge,
    /// A path or a link leads out of it.
    Escape,
    /// It isn't what it should be.
    Invalid,
    /// The new version can't be written.
    Target,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Source,
        Self::Timeout,
        Self::Changing,
        Self::TooLarge,
        Self::Escape,
        Self::Invalid,
        Self::Target,
    ];

    /// One word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Timeout => "timeout",
            Self::Changing => "changing",
            Self::TooLarge => "too-large",
            Self::Escape => "escape",
            Self::Invalid => "invalid",
            Self::Target => "target",
        }
    }
}

/// Why there is no new version, in one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Failure {
    /// What the metrics count.
    pub kind: Kind,
    /// What the log says. The same cause has the same reason.
    pub reason: String,
}

impl Failure {
    /// A failure.
    pub fn new(kind: Kind, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
        }
    }

    /// The source, or what was said about it.
    pub fn source(reason: impl Into<String>) -> Self {
        Self::new(Kind::Source, reason)
    }

    /// The source isn't what it should be.
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, reason)
    }

    /// Larger than so many bytes.
    pub fn too_large(bytes: u64) -> Self {
        Self::new(Kind::TooLarge, format!("it is larger than {bytes} bytes"))
    }
}

//! Text that Compose leaves as it is: it replaces `$NAME` and `${NAME}` in every value of its file.

use serde::Serialize;

/// A value of a Compose file, ready to stand in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Text(String);

impl Text {
    /// A text that means itself.
    pub fn literal(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().replace('$', "$$"))
    }

    /// The value of a variable of whoever runs Compose; without it, Compose stops and says the message.
    pub fn variable(name: &str, message: &str) -> Self {
        Self(format!("${{{name}?{message}}}"))
    }

    /// Texts that mean themselves.
    pub fn literals<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Vec<Self> {
        texts.into_iter().map(Self::literal).collect()
    }
}

//! Reads a password from its file, each time that it is used, so that a rotated one is taken up.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

/// More than any password.
const LIMIT: usize = 4096;

/// A secret: it shows as stars.
#[derive(Clone)]
pub struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl Password {
    /// The file's content, without its last line feed. Without a file there is none.
    pub fn read(path: Option<&Path>) -> anyhow::Result<Option<Self>> {
        let Some(path) = path else { return Ok(None) };
        let text = fs::read_to_string(path)
            .with_context(|| format!("failed to read the password file `{}`", path.display()))?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.len() > LIMIT || text.contains('\0') {
            bail!("the file `{}` holds no password", path.display());
        }
        Ok(Some(Self(text.to_owned())))
    }

    /// What goes to the server.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A text without the password in it.
    pub fn hide(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        text.replace(&self.0, "***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_a_files_content_and_does_not_show() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, "s3cret\n").unwrap();
        let password = Password::read(Some(&path)).unwrap().unwrap();
        assert_eq!(password.expose(), "s3cret");
        assert_eq!(format!("{password:?}"), "***");
        assert_eq!(password.hide("user s3cret refused"), "user *** refused");
        assert!(Password::read(None).unwrap().is_none());
        assert!(Password::read(Some(&folder.path().join("none"))).is_err());
    }
}

//! Asks a program whether a new version is good.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::failure::{Failure, Kind};

/// How much of what the program says is a reason.
const SAID: u64 = 4096;
/// How long its words are waited for when it has ended.
const WORDS: Duration = Duration::from_secs(1);

/// Runs the words in a folder. No words mean that everything is good.
pub async fn validate(words: &[String], folder: &Path, limit: Duration) -> Result<(), Failure> {
    let Some((program, arguments)) = words.split_first() else {
        return Ok(());
    };
    let failed = |reason: String| Failure::invalid(format!("the validation `{program}` {reason}"));
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // What it started ends with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(format!("can't be run: {error}")))?;
    let group = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    let said = tokio::spawn(listen(child.stderr.take()));
    let status = timeout(limit, child.wait()).await;
    if let Some(group) = group {
        // Nobody is left where it ended by itself and alone.
        let _ = kill_process_group(group, Signal::KILL);
    }
    match status {
        Err(_) => Err(Failure::new(
            Kind::Timeout,
            format!(
                "the validation `{program}` takes longer than {} ms",
                limit.as_millis()
            ),
        )),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => {
            let said = timeout(WORDS, said).await;
            let said = said.ok().and_then(Result::ok).unwrap_or_default();
            let colon = if said.is_empty() { "" } else { ": " };
            Err(failed(format!("ends with {status}{colon}{said}")))
        }
    }
}

/// The beginning of what a program says, in one line; the rest is read, so that it can go on.
async fn listen(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else {
        return String::new();
    };
    let mut bytes = Vec::new();
    // What can't be read is not said.
    let _ = (&mut stream).take(SAID).read_to_end(&mut bytes).await;
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    let text = String::from_utf8_lossy(&bytes);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str], limit: Duration) -> Result<(), Failure> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let folder = tempfile::tempdir().unwrap();
        let runtime = crate::block::runtime::single().unwrap();
        runtime.block_on(validate(&words, folder.path(), limit))
    }

    #[test]
    fn an_exit_code_decides() {
        let patience = Duration::from_mins(1);
        assert_eq!(check(&[], patience), Ok(()));
        assert_eq!(check(&["true"], patience), Ok(()));
        assert_eq!(check(&["test", "-d", "."], patience), Ok(()));
        let said = check(&["sh", "-c", "echo no good >&2; exit 3"], patience).unwrap_err();
        assert_eq!(
            said.reason,
            "the validation `sh` ends with exit status: 3: no good"
        );
        let missing = check(&["/none"], patience).unwrap_err();
        assert!(
            missing
                .reason
                .starts_with("the validation `/none` can't be run: "),
            "{missing:?}"
        );
        // It doesn't end by itself, and what it started holds its output open.
        let slow = check(
            &["sh", "-c", "sleep 1000 & sleep 1000"],
            Duration::from_millis(50),
        )
        .unwrap_err();
        assert_eq!(slow.kind, Kind::Timeout);
    }
}

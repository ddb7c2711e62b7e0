//! Runs a command and takes what it writes.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use super::exposition::{self, Family};
use crate::block::source::{self, LIMIT};

/// Runs the words to their end, within the time, and reads their output.
pub async fn run(words: &[String], timeout: Duration) -> anyhow::Result<Vec<Family>> {
    let (program, arguments) = words.split_first().context("there is no command")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("failed to start `{program}`"))?;
    let group = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    let ended = source::within(timeout, read(&mut child)).await;
    if let Some(group) = group.filter(|_| ended.is_err()) {
        // It may have started others. They may be gone already.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let text = ended?;
    exposition::parse(&text).map_err(|why| anyhow!("the output is wrong: {why}"))
}

async fn read(child: &mut Child) -> anyhow::Result<String> {
    let stdout = child.stdout.take().context("there is no output")?;
    let mut bytes = Vec::new();
    let limit = LIMIT as u64;
    stdout.take(limit + 1).read_to_end(&mut bytes).await?;
    ensure!(bytes.len() <= LIMIT, "the output is larger than {LIMIT} bytes");
    let status = child.wait().await?;
    if !status.success() {
        bail!("the command failed: {status}");
    }
    String::from_utf8(bytes).context("the output is no text")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &[&str], timeout: Duration) -> Result<usize, String> {
        let words: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let families = runtime.block_on(super::run(&words, timeout));
        families
            .map(|families| families.len())
            .map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn what_a_command_writes_is_taken_if_all_is_well() {
        let long = Duration::from_mins(1);
        assert_eq!(run(&["printf", "a 1\\nb 2\\n"], long), Ok(2));
        let check = |line: &[&str], expect: &str| {
            let error = run(line, long).unwrap_err();
            assert!(error.starts_with(expect), "{error}");
        };
        check(&["/nonexistent"], "failed to start `/nonexistent`");
        check(&["false"], "the command failed: exit status: 1");
        check(&["printf", "a"], "the output is wrong: line 1");
        check(&["yes"], "the output is larger");
        check(&["printf", "\\377"], "the output is no text");
        let slow = run(&["sh", "-c", "sleep 600 & sleep 600"], Duration::from_millis(50));
        assert_eq!(slow, Err("no answer within 50 ms".to_owned()));
    }
}

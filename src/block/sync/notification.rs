//! Tells somebody that the content changed: a process of the pod by a signal, or a server by a request.

use std::fs;
use std::path::Path;
use std::str::FromStr;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::client::{Address, Client, collect};

/// As many characters of a command's name as the kernel keeps.
const NAME: usize = 15;
/// Most of an answer that is read.
const ANSWER: u64 = 64 * 1024;

/// Who is told, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notification {
    /// Nobody.
    None,
    /// The process of this name.
    Signal {
        /// The signal.
        signal: Signal,
        /// The command's name.
        process: String,
    },
    /// A server, by a POST.
    Http(Address),
}

const SIGNALS: [(&str, Signal); 8] = [
    ("HUP", Signal::HUP),
    ("INT", Signal::INT),
    ("QUIT", Signal::QUIT),
    ("KILL", Signal::KILL),
    ("TERM", Signal::TERM),
    ("USR1", Signal::USR1),
    ("USR2", Signal::USR2),
    ("WINCH", Signal::WINCH),
];

impl FromStr for Notification {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        let wrong = || {
            format!(
                "`{text}` is not `none`, `signal:HUP:PROCESS`, `restart:PROCESS` or `http:http://host/path`"
            )
        };
        let (kind, rest) = text.split_once(':').ok_or_else(wrong)?;
        let named = |name: &str| {
            if name.is_empty() || name.contains('/') {
                Err(format!("`{name}` is not the name of a command"))
            } else {
                Ok(name.to_owned())
            }
        };
        match kind {
            "http" | "https" if rest.starts_with("//") => text.parse().map(Self::Http),
            "http" => rest.parse().map(Self::Http),
            "restart" => Ok(Self::Signal {
                signal: Signal::TERM,
                process: named(rest)?,
            }),
            "signal" => {
                let (signal, process) = rest.split_once(':').ok_or_else(wrong)?;
                let bare = signal.strip_prefix("SIG").unwrap_or(signal);
                let known = SIGNALS.iter().find(|(name, _)| *name == bare);
                let all = SIGNALS.map(|(name, _)| name).join(", ");
                Ok(Self::Signal {
                    signal: known
                        .ok_or_else(|| format!("`{signal}` is not a signal that can be sent: {all}"))?
                        .1,
                    process: named(process)?,
                })
            }
            _ => Err(wrong()),
        }
    }
}

impl Notification {
    /// Tells once. An error is why it has to be told again.
    pub async fn tell(&self, client: &Client, target: &Path, version: &str) -> Result<(), String> {
        match self {
            Self::None => Ok(()),
            Self::Signal { signal, process } => {
                let found = topmost(&processes(), process, std::process::id());
                if found.is_empty() {
                    return Err(format!("there is no process `{process}`"));
                }
                for id in found {
                    let id = i32::try_from(id).ok().and_then(Pid::from_raw);
                    id.ok_or("a process without an id".to_owned())
                        .and_then(|id| kill_process(id, *signal).map_err(|error| error.to_string()))
                        .map_err(|error| format!("failed to signal `{process}`: {error}"))?;
                }
                Ok(())
            }
            Self::Http(address) => {
                let body = json!({ "target": target, "version": version }).to_string();
                let kind = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
                let response = client
                    .send(Method::POST, address, &[kind], Bytes::from(body))
                    .await
                    .map_err(|failure| failure.reason)?;
                let status = response.status();
                // It was heard, whatever the rest of the answer is.
                let _ = collect(response, ANSWER).await;
                if status.is_success() {
                    Ok(())
                } else {
                    Err(format!("`{address}` answers {status}"))
                }
            }
        }
    }
}

/// A process, as `/proc` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    id: u32,
    parent: u32,
    /// The name that the kernel keeps.
    name: String,
    /// The last part of the command's path.
    command: String,
}

fn processes() -> Vec<Process> {
    let Ok(listed) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    listed
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let id = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read(entry.path().join("stat")).ok()?;
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            process(id, &stat, &command)
        })
        .collect()
}

/// Reads `/proc/ID/stat` and `cmdline`. A name may hold spaces and parentheses; a zombie is no process any more.
fn process(id: u32, stat: &[u8], command: &[u8]) -> Option<Process> {
    let stat = String::from_utf8_lossy(stat);
    let (head, tail) = stat.rsplit_once(") ")?;
    let name = head.split_once('(')?.1;
    let mut fields = tail.split(' ');
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let parent = fields.next()?.parse().ok()?;
    let command = command.split(|byte| *byte == 0).next().unwrap_or_default();
    let command = String::from_utf8_lossy(command);
    // A program may write what it likes there: nginx writes `nginx: master process ...`.
    let command = command.rsplit('/').next().unwrap_or_default();
    Some(Process {
        id,
        parent,
        name: name.to_owned(),
        command: command.to_owned(),
    })
}

/// The processes of a name that aren't children of another such: a server, and not its workers.
fn topmost(processes: &[Process], name: &str, own: u32) -> Vec<u32> {
    let short: String = name.chars().take(NAME).collect();
    let is_meant =
        |process: &&Process| process.id != own && (process.name == short || process.command == name);
    let meant: Vec<_> = processes.iter().filter(is_meant).collect();
    meant
        .iter()
        .filter(|process| meant.iter().all(|other| other.id != process.parent))
        .map(|process| process.id)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_is_a_word_and_its_object() {
        let signal = |signal, process: &str| {
            Ok(Notification::Signal {
                signal,
                process: process.to_owned(),
            })
        };
        assert_eq!("none".parse(), Ok(Notification::None));
        assert_eq!("signal:HUP:nginx".parse(), signal(Signal::HUP, "nginx"));
        assert_eq!("signal:SIGUSR1:a:b".parse(), signal(Signal::USR1, "a:b"));
        assert_eq!("restart:app".parse(), signal(Signal::TERM, "app"));
        for text in ["http://a/b", "http:http://a/b"] {
            assert_eq!(
                text.parse(),
                Ok(Notification::Http("http://a/b".parse().unwrap()))
            );
        }
        assert_eq!(
            "https://a/b".parse(),
            Ok(Notification::Http("https://a/b".parse().unwrap()))
        );
        for wrong in [
            "",
            "hup",
            "signal:HUP",
            "signal:HUP:",
            "signal:9:a",
            "signal:STOP:a",
            "restart:",
            "restart:/bin/a",
            "http:a",
            "shell:rm",
        ] {
            assert!(wrong.parse::<Notification>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_process_is_found_by_its_commands_name() {
        let read = |id, stat: &str, command: &str| process(id, stat.as_bytes(), command.as_bytes());
        let processes: Vec<_> = [
            read(1, "1 (pause) S 0 1", "/motif\0block\0pause\0"),
            read(7, "7 (nginx) S 1 7", "nginx: master process nginx\0"),
            read(8, "8 (nginx) S 7 7", "nginx: worker process\0"),
            read(9, "9 (odd ) S (x) S 1 9", "/usr/bin/odd\0-x\0"),
            read(10, "10 (a-rather-long-n) S 1 9", "/opt/a-rather-long-name\0"),
            read(11, "11 (nginx) Z 1 9", ""),
            read(12, "12 (sync) S 1 9", "/motif\0"),
        ]
        .into_iter()
        .flatten()
        .collect();
        let check = |name: &str, expect: &[u32]| assert_eq!(topmost(&processes, name, 12), expect, "{name}");
        check("nginx", &[7]);
        check("odd", &[9]);
        check("odd ) S (x", &[9]);
        check("a-rather-long-name", &[10]);
        check("sync", &[]);
        check("motif", &[1]);
        check("none", &[]);
        assert_eq!(read(1, "1 (x", ""), None);
        assert_eq!(read(1, "", ""), None);
    }
}

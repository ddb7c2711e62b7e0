//! Turns events and requests into JSON lines on stdout, without making whoever logs wait.
//!
//! Each thread appends to a buffer of its own; one writer empties all of them, at most 100 ms later.
//! Where stdout is not read, lines are dropped and counted: the data path goes on.

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// How long a line may wait for others.
const DELAY: Duration = Duration::from_millis(100);
/// A buffer of this size is written without waiting.
const FULL: usize = 128 * 1024;
/// What one thread keeps when stdout is not read.
const LIMIT: usize = 4 * 1024 * 1024;

#[derive(Debug, Default)]
struct Buffer {
    lines: Vec<u8>,
    dropped: u64,
}

enum Wake {
    Lines,
    Flush(SyncSender<()>),
}

struct Log {
    block: &'static str,
    /// Whether stdout is kept for what the block makes.
    on_stderr: bool,
    buffers: Mutex<Vec<Arc<Mutex<Buffer>>>>,
    wake: Sender<Wake>,
}

static LOG: OnceLock<Log> = OnceLock::new();

thread_local! {
    static BUFFER: Arc<Mutex<Buffer>> = {
        let buffer = Arc::<Mutex<Buffer>>::default();
        if let Some(log) = LOG.get() {
            lock(&log.buffers).push(Arc::clone(&buffer));
        }
        buffer
    };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the writer. Before it, lines go nowhere.
pub fn start(block: &'static str) {
    start_on(block, false);
}

/// The same for a block whose stdout is data: events go to stderr.
pub fn start_on_stderr(block: &'static str) {
    start_on(block, true);
}

fn start_on(block: &'static str, on_stderr: bool) {
    let (wake, woken) = channel();
    let log = Log {
        block,
        on_stderr,
        buffers: Mutex::default(),
        wake,
    };
    if LOG.set(log).is_err() {
        return;
    }
    let writer = std::thread::Builder::new().name("log".to_owned());
    // Without its writer the block still serves; there is nobody to tell.
    let _ = writer.spawn(move || {
        while let Ok(wake) = woken.recv() {
            let mut flush = match wake {
                Wake::Flush(done) => Some(done),
                Wake::Lines => match woken.recv_timeout(DELAY) {
                    Ok(Wake::Flush(done)) => Some(done),
                    Ok(Wake::Lines) | Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return,
                },
            };
            write_out();
            if let Some(done) = flush.take() {
                let _ = done.send(());
            }
        }
    });
}

fn write_out() {
    let Some(log) = LOG.get() else { return };
    let buffers = lock(&log.buffers).clone();
    let mut out: Box<dyn Write> = if log.on_stderr {
        Box::new(std::io::stderr().lock())
    } else {
        Box::new(std::io::stdout().lock())
    };
    for buffer in buffers {
        let Buffer { lines, dropped } = std::mem::take(&mut *lock(&buffer));
        // Whoever read stdout is gone: nothing is left to do with the lines.
        let _ = out.write_all(&lines);
        if dropped > 0 {
            let _ = out.write_all(&render(
                log.block,
                "warning",
                "log lines dropped",
                &serde_json::json!({ "lines": dropped }),
            ));
        }
    }
    let _ = out.flush();
}

/// The name that lines carry.
pub fn block() -> &'static str {
    LOG.get().map_or("", |log| log.block)
}

/// Writes what is there, before the process ends. Waits at most a second for stdout.
pub fn flush() {
    if let Some(log) = LOG.get() {
        let (done, written) = sync_channel(1);
        if log.wake.send(Wake::Flush(done)).is_ok() {
            let _ = written.recv_timeout(Duration::from_secs(1));
        }
    }
}

/// Appends one whole line, its line feed included.
pub fn line(append: impl FnOnce(&mut Vec<u8>)) {
    let Some(log) = LOG.get() else { return };
    BUFFER.with(|buffer| {
        let mut buffer = lock(buffer);
        let before = buffer.lines.len();
        if before > LIMIT {
            buffer.dropped += 1;
            return;
        }
        append(&mut buffer.lines);
        let after = buffer.lines.len();
        if before == 0 || (before < FULL && after >= FULL) {
            let _ = log.wake.send(Wake::Lines);
        }
    });
}

/// Logs that something happened, as it should.
#[expect(
    clippy::needless_pass_by_value,
    reason = "callers write `json!({..})` in place"
)]
pub fn info(event: &str, fields: Value) {
    write("info", event, &fields);
}

/// Logs that something is wrong and the block goes on.
#[expect(
    clippy::needless_pass_by_value,
    reason = "callers write `json!({..})` in place"
)]
pub fn warning(event: &str, fields: Value) {
    write("warning", event, &fields);
}

fn write(level: &str, event: &str, fields: &Value) {
    if let Some(log) = LOG.get() {
        line(|buffer| buffer.extend_from_slice(&render(log.block, level, event, fields)));
    }
}

fn render(block: &str, level: &str, event: &str, fields: &Value) -> Vec<u8> {
    let mut line = Vec::with_capacity(256);
    line.extend_from_slice(b"{\"time\":\"");
    Timestamp::now().append(&mut line);
    let _ = write!(line, "\",\"level\":\"{level}\",\"block\":\"{block}\",\"event\":");
    append_string(&mut line, event);
    for (key, value) in fields.as_object().into_iter().flatten() {
        line.push(b',');
        append_string(&mut line, key);
        line.push(b':');
        let _ = write!(line, "{value}");
    }
    line.extend_from_slice(b"}\n");
    line
}

/// Appends a JSON string: quoted and escaped.
pub fn append_string(line: &mut Vec<u8>, text: &str) {
    append_bytes(line, text.as_bytes());
}

/// Appends bytes as a JSON string; what is not UTF-8 or can't be printed is escaped byte by byte, as Latin-1.
pub fn append_bytes(line: &mut Vec<u8>, bytes: &[u8]) {
    line.push(b'"');
    if bytes
        .iter()
        .all(|byte| matches!(byte, b' '..=b'~') && *byte != b'"' && *byte != b'\\')
    {
        line.extend_from_slice(bytes);
    } else if let Ok(text) = str::from_utf8(bytes) {
        for character in text.chars() {
            match character {
                '"' => line.extend_from_slice(b"\\\""),
                '\\' => line.extend_from_slice(b"\\\\"),
                control if u32::from(control) < 0x20 || control == '\u{7f}' => {
                    let _ = write!(line, "\\u{:04x}", u32::from(control));
                }
                other => line.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    } else {
        for byte in bytes {
            match byte {
                b'"' | b'\\' => line.extend_from_slice(&[b'\\', *byte]),
                b' '..=b'~' => line.push(*byte),
                other => {
                    let _ = write!(line, "\\u{other:04x}");
                }
            }
        }
    }
    line.push(b'"');
}

/// Appends a whole number.
pub fn append_number(line: &mut Vec<u8>, number: u64) {
    let mut digits = [0_u8; 20];
    let mut first = digits.len();
    let mut rest = number;
    loop {
        first -= 1;
        digits[first] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    line.extend_from_slice(&digits[first..]);
}

/// An instant of the calendar, in UTC, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    milliseconds: u64,
}

impl Timestamp {
    /// This instant.
    pub fn now() -> Self {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            milliseconds: u64::try_from(elapsed.as_millis()).unwrap_or_default(),
        }
    }

    /// Appends it as RFC 3339 does.
    pub fn append(self, line: &mut Vec<u8>) {
        let seconds = self.milliseconds / 1000;
        let (year, month, day) = civil(seconds / 86_400);
        append_digits(line, year, 4);
        let clock = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60];
        for (separator, number) in [b'-', b'-', b'T', b':', b':']
            .into_iter()
            .zip([month, day].into_iter().chain(clock))
        {
            line.push(separator);
            append_digits(line, number, 2);
        }
        line.push(b'.');
        append_digits(line, self.milliseconds % 1000, 3);
        line.push(b'Z');
    }

    /// Appends it as access logs of web servers do: `02/Jan/2026:03:04:05 +0000`.
    pub fn append_to_access_log(self, line: &mut Vec<u8>) {
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let seconds = self.milliseconds / 1000;
        let (year, month, day) = civil(seconds / 86_400);
        let month = usize::try_from(month - 1).unwrap_or_default();
        append_digits(line, day, 2);
        let _ = write!(line, "/{}/", MONTHS[month]);
        append_digits(line, year, 4);
        for number in [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60] {
            line.push(b':');
            append_digits(line, number, 2);
        }
        line.extend_from_slice(b" +0000");
    }
}

fn append_digits(line: &mut Vec<u8>, number: u64, width: u32) {
    for place in (0..width).rev() {
        line.push(b'0' + u8::try_from(number / 10_u64.pow(place) % 10).unwrap_or_default());
    }
}

/// Turns days since 1970-01-01 into a date, by eras of 400 years that begin on 1 March.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar() {
        let check = |milliseconds: u64, expect: &str| {
            let mut line = Vec::new();
            Timestamp { milliseconds }.append(&mut line);
            assert_eq!(String::from_utf8_lossy(&line), expect);
        };
        let mut line = Vec::new();
        let milliseconds = 1_709_251_199_007;
        Timestamp { milliseconds }.append_to_access_log(&mut line);
        assert_eq!(line, b"29/Feb/2024:23:59:59 +0000");
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_399_999, "2000-02-28T23:59:59.999Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(1_709_251_199_007, "2024-02-29T23:59:59.007Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn a_line_is_json_whatever_it_holds() {
        for bytes in [
            b"plain".as_slice(),
            b"quote\" and \\",
            b"line\nfeed\x7f",
            "caf\u{e9}".as_bytes(),
            b"\xff\xfe\"raw",
        ] {
            let mut line = Vec::new();
            append_bytes(&mut line, bytes);
            let read: Result<String, _> = serde_json::from_slice(&line);
            let read = read.unwrap_or_else(|error| panic!("{bytes:?}: {error}"));
            if let Ok(text) = str::from_utf8(bytes) {
                assert_eq!(read, text);
            }
        }
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 7, 10, 4_294_967_296, u64::MAX] {
            let mut line = Vec::new();
            append_number(&mut line, number);
            assert_eq!(String::from_utf8_lossy(&line), number.to_string());
        }
    }
}

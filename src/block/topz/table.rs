//! Shows processes to a person or to a program.

use std::cmp::Ordering;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::process::TICKS;

/// One process.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its number.
    pub pid: u32,
    /// Its program's name.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// CPU time of the last window, in percent of one core; nothing before the first window is over.
    pub cpu: Option<f64>,
    /// Resident memory, in percent of all.
    pub memory: f64,
    /// Resident memory in KiB.
    pub resident: u64,
    /// Ticks since it started.
    pub age: u64,
}

/// What processes are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Their numbers.
    Pid,
    /// CPU time, the most first.
    Cpu,
    /// Memory, the most first.
    Memory,
}

/// Orders processes; equal ones by their numbers.
pub fn sort(rows: &mut [Row], by: Sort) {
    let descending = |left: f64, right: f64| right.partial_cmp(&left).unwrap_or(Ordering::Equal);
    rows.sort_by(|left, right| {
        let first = match by {
            Sort::Pid => Ordering::Equal,
            Sort::Cpu => descending(left.cpu.unwrap_or(0.0), right.cpu.unwrap_or(0.0)),
            Sort::Memory => right.resident.cmp(&left.resident),
        };
        first.then(left.pid.cmp(&right.pid))
    });
}

/// The command line as one line; that of a process without arguments is its name in brackets.
fn command(row: &Row) -> String {
    if row.arguments.is_empty() {
        return printable(&format!("[{}]", row.name));
    }
    printable(&row.arguments.join(" "))
}

/// What a terminal would act on, written out.
fn printable(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// A size in KiB, with one decimal.
fn size(kibibytes: u64) -> String {
    let (unit, scale) = match kibibytes {
        0..1024 => return format!("{kibibytes}Ki"),
        1024..1_048_576 => ("Mi", 1024),
        _ => ("Gi", 1_048_576),
    };
    let tenths = kibibytes * 10 / scale;
    format!("{}.{}{unit}", tenths / 10, tenths % 10)
}

/// An age, in its two largest units.
fn age(ticks: u64) -> String {
    let seconds = ticks / u64::from(TICKS);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// A table for people.
pub fn table(rows: &[Row]) -> String {
    let mut lines = vec![["PID", "CPU%", "MEM%", "RSS", "AGE", "CMDLINE"].map(str::to_owned)];
    for row in rows {
        lines.push([
            row.pid.to_string(),
            row.cpu.map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.1}")),
            format!("{:.1}", row.memory),
            size(row.resident),
            age(row.age),
            command(row),
        ]);
    }
    let mut widths = [0; 6];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.len().max(*width);
        }
    }
    let mut text = String::new();
    for [numbers @ .., command] in &lines {
        for (cell, width) in numbers.iter().zip(widths) {
            let _ = write!(text, "{cell:>width$}  ");
        }
        let _ = writeln!(text, "{command}");
    }
    text
}

/// The same for programs.
pub fn processes(rows: &[Row]) -> Value {
    let rounded = |number: f64| (number * 10.0).round() / 10.0;
    let rows = rows.iter().map(|row| {
        json!({
            "pid": row.pid, "cpu": row.cpu.map(rounded), "memory": rounded(row.memory),
            "resident": row.resident * 1024, "age": row.age / u64::from(TICKS), "name": row.name,
            "arguments": row.arguments,
        })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pid: u32, cpu: Option<f64>, resident: u64, arguments: &[&str]) -> Row {
        Row {
            pid,
            name: "program".to_owned(),
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            cpu,
            memory: 0.25,
            resident,
            age: u64::from(pid) * 100,
        }
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [
            row(1, Some(0.0), 512, &["sleep", "infinity"]),
            row(4_000, Some(123.45), 2_097_152, &[]),
            row(90_061, None, 15_360, &["a\nb", "\u{1b}[31m"]),
        ];
        let expect = "  PID   CPU%  MEM%     RSS    AGE  CMDLINE\n\
                      \u{20}   1    0.0   0.2   512Ki     1s  sleep infinity\n\
                      \u{20}4000  123.5   0.2   2.0Gi  1h6m  [program]\n\
                      90061      -   0.2  15.0Mi   1d1h  a\\nb \\u{1b}[31m\n";
        let normal = |text: &str| {
            let lines = text
                .lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
            lines.collect::<Vec<_>>()
        };
        let shown = table(&rows);
        assert_eq!(normal(&shown), normal(expect));
        let commands: Vec<_> = shown
            .lines()
            .zip(["CMDLINE", "sleep", "[program]", "a\\nb"])
            .map(|(line, command)| line.find(command))
            .collect();
        assert!(commands.iter().all(|place| *place == commands[0]), "{shown}");
    }

    #[test]
    fn the_greatest_come_first() {
        let rows = [
            row(1, Some(5.0), 10, &[]),
            row(2, None, 30, &[]),
            row(3, Some(7.0), 20, &[]),
            row(4, Some(7.0), 20, &[]),
        ];
        let order = |by| {
            let mut rows = rows.clone();
            sort(&mut rows, by);
            rows.map(|row| row.pid)
        };
        assert_eq!(order(Sort::Pid), [1, 2, 3, 4]);
        assert_eq!(order(Sort::Cpu), [3, 4, 1, 2]);
        assert_eq!(order(Sort::Memory), [2, 3, 4, 1]);
    }

    #[test]
    fn a_program_reads_bytes_and_seconds() {
        let shown = processes(&[row(7, Some(1.26), 4, &["x", "y"])]);
        let expect = json!([{
            "pid": 7, "cpu": 1.3, "memory": 0.3, "resident": 4096, "age": 7, "name": "program", "arguments": ["x", "y"],
        }]);
        assert_eq!(shown, expect);
    }
}

//! Writes one JSON object per event to standard output.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes one event; the fields stand beside time, level and message, and their values are JSON.
pub fn log(level: &str, message: &str, fields: &[(&str, String)]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut line = format!(
        "{{\"time\":\"{}\",\"level\":{},\"message\":{}",
        timestamp(now.as_secs(), now.subsec_millis()),
        json_string(level),
        json_string(message)
    );
    for (name, value) in fields {
        line.push_str(&format!(",{}:{}", json_string(name), value));
    }
    line.push_str("}\n");
    // Where standard output is gone, there is nobody to tell.
    let _ = std::io::stdout().write_all(line.as_bytes());
}

/// Quotes a text as JSON.
pub fn json_string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if (control as u32) < 0x20 => quoted.push_str(&format!("\\u{:04x}", control as u32)),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// Seconds since 1970 as a date and time in UTC (Howard Hinnant's civil calendar).
pub fn timestamp(seconds: u64, milliseconds: u32) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

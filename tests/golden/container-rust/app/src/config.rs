//! Reads the service's parameters from its environment.

use std::time::Duration;

/// The parameters; their names, defaults and units are the container's interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub host: String,
    pub port: u16,
    pub greeting: String,
    pub shutdown_grace: Duration,
}

impl Config {
    /// Checks every parameter; an empty one counts as not set.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let value = |name: &str, default: &str| {
            lookup(name).filter(|text| !text.is_empty()).unwrap_or_else(|| default.to_owned())
        };
        Ok(Self {
            host: value("HOST", "0.0.0.0"),
            port: port("PORT", &value("PORT", "8080"))?,
            greeting: value("GREETING", "Hello"),
            shutdown_grace: duration("SHUTDOWN_GRACE", &value("SHUTDOWN_GRACE", "10s"))?,
        })
    }
}

fn digits(text: &str) -> Option<u64> {
    let valid = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| text.parse().ok()).flatten()
}

fn port(name: &str, text: &str) -> Result<u16, String> {
    digits(text)
        .and_then(|port| u16::try_from(port).ok())
        .ok_or_else(|| format!("{name} must be a port from 0 to 65535, not {text:?}"))
}

fn duration(name: &str, text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let milliseconds = match &text[unit_at..] {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    match (digits(&text[..unit_at]), milliseconds) {
        (Some(number), Some(unit)) => Ok(Duration::from_millis(number * unit)),
        _ => Err(format!("{name} must be a duration such as 500ms, 10s or 1m, not {text:?}")),
    }
}

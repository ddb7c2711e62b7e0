//! Processor time and memory in Kubernetes' notation.

use std::fmt;

/// Processor time in thousandths of a core: `250m`, `2`, `0.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MilliCpu(pub u64);

impl MilliCpu {
    /// Reads Kubernetes' notation; `None` when it is not one or is finer than `1m`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix('m') {
            Some(milli) => digits(milli).map(Self),
            None => scaled(text, 1000).map(Self),
        }
        .filter(|cpu| cpu.0 > 0)
    }
}

impl fmt::Display for MilliCpu {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) {
            write!(formatter, "{}", self.0 / 1000)
        } else {
            write!(formatter, "{}m", self.0)
        }
    }
}

/// A size in bytes: `64Mi`, `1Gi`, `500M`, `1048576`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

const UNITS: [(&str, u64); 10] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
];

impl Bytes {
    /// Reads Kubernetes' notation; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, factor) = UNITS
            .iter()
            .find_map(|(unit, factor)| text.strip_suffix(unit).map(|number| (number, *factor)))
            .unwrap_or((text, 1));
        scaled(number, factor).map(Self).filter(|bytes| bytes.0 > 0)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (binary, decimal) = UNITS.split_at(5);
        let whole = |(_, factor): &&(&str, u64)| self.0.is_multiple_of(*factor);
        let unit = binary
            .iter()
            .rev()
            .find(whole)
            .or_else(|| decimal.iter().rev().find(whole));
        match unit {
            Some((unit, factor)) => write!(formatter, "{}{unit}", self.0 / factor),
            None => write!(formatter, "{}", self.0),
        }
    }
}

/// Reads any Kubernetes quantity (`250m`, `0.5`, `64Mi`, `10k`) in thousandths; `None` when it is not one.
pub fn quantity(text: &str) -> Option<u64> {
    match text.strip_suffix('m') {
        Some(milli) => digits(milli),
        None => UNITS
            .iter()
            .find_map(|(unit, factor)| text.strip_suffix(unit).map(|number| (number, *factor)))
            .map_or_else(
                || scaled(text, 1000),
                |(number, factor)| scaled(number, factor.checked_mul(1000)?),
            ),
    }
}

fn digits(text: &str) -> Option<u64> {
    let valid = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| text.parse().ok()).flatten()
}

/// `text × factor` without floating point; `None` when the result is not whole.
fn scaled(text: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let (whole, fraction_digits) = (digits(whole)?, digits(fraction)?);
    let divisor = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = fraction_digits.checked_mul(factor)?;
    if !part.is_multiple_of(divisor) {
        return None;
    }
    whole.checked_mul(factor)?.checked_add(part / divisor)
}

#[cfg(test)]
mod tests {
    use super::{Bytes, MilliCpu, quantity};

    #[test]
    fn quantities_are_exact() {
        assert_eq!(MilliCpu::parse("0.25"), Some(MilliCpu(250)));
        assert_eq!(MilliCpu::parse("2"), Some(MilliCpu(2000)));
        assert_eq!(MilliCpu::parse("0.0001"), None);
        assert_eq!(MilliCpu::parse("0"), None);
        assert_eq!(Bytes::parse("1.5Gi"), Some(Bytes(3 << 29)));
        assert_eq!(Bytes::parse("500M"), Some(Bytes(500_000_000)));
        assert_eq!(Bytes::parse("64MB"), None);
        assert_eq!(Bytes::parse("99999999P"), None);
        assert_eq!(Bytes(64 << 20).to_string(), "64Mi");
        assert_eq!(quantity("250m"), Some(250));
        assert_eq!(quantity("1Ki"), Some(1_024_000));
        assert_eq!(quantity("x"), None);
    }
}

//! Turns `500ms`, `2s` or `1m30s` into a duration.

use std::time::Duration;

const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// Parses a duration whose every number has a unit.
pub fn parse(text: &str) -> Result<Duration, String> {
    let mut rest = text;
    let mut milliseconds = 0_u64;
    if rest.is_empty() {
        return Err("a duration is a number and a unit, like `500ms` or `2s`".to_owned());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let number: u64 = number
            .parse()
            .map_err(|_| format!("`{text}` is not a duration like `500ms`, `2s` or `1m30s`"))?;
        if unit.is_empty() && after.is_empty() {
            return Err(format!("`{text}` has no unit: write `{text}s` or `{text}ms`"));
        }
        let scale = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, scale)| *scale)
            .ok_or_else(|| format!("`{text}` is not a duration: the units are `ms`, `s`, `m` and `h`"))?;
        milliseconds = number
            .checked_mul(scale)
            .and_then(|part| milliseconds.checked_add(part))
            .filter(|total| u32::try_from(*total).is_ok())
            .ok_or_else(|| format!("`{text}` is longer than 49 days"))?;
        rest = after;
    }
    Ok(Duration::from_millis(milliseconds))
}

/// Parses a duration that is not zero.
pub fn parse_positive(text: &str) -> Result<Duration, String> {
    match parse(text)? {
        Duration::ZERO => Err("it must be longer than zero".to_owned()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, milliseconds: Option<u64>) {
        assert_eq!(
            parse(text).ok(),
            milliseconds.map(Duration::from_millis),
            "{text}"
        );
    }

    #[test]
    fn every_number_has_a_unit() {
        check("500ms", Some(500));
        check("2s", Some(2_000));
        check("1m30s", Some(90_000));
        check("1h", Some(3_600_000));
        check("0s", Some(0));
        for wrong in [
            "",
            "10",
            "s",
            "1.5s",
            "-1s",
            "1d",
            "1s2",
            "1 s",
            "99999999999h",
            "1sm",
        ] {
            check(wrong, None);
        }
        assert_eq!(
            parse("10").unwrap_err(),
            "`10` has no unit: write `10s` or `10ms`"
        );
    }
}

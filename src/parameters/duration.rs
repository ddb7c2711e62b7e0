//! Durations: `500ms`, `2s`, `1m30s`, `1h`.

use std::time::Duration;

const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Reads a duration: numbers with units from large to small, each unit once. `None` when it is not one.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut smallest = u64::MAX;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        if *factor >= smallest {
            return None;
        }
        smallest = *factor;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*factor)?)?;
        rest = after;
    }
    (smallest != u64::MAX).then(|| Duration::from_millis(total))
}

#[cfg(test)]
mod tests {
    use super::parse_duration;

    #[track_caller]
    fn check(text: &str, milliseconds: Option<u128>) {
        assert_eq!(
            parse_duration(text).map(|duration| duration.as_millis()),
            milliseconds
        );
    }

    #[test]
    fn durations_have_units() {
        check("500ms", Some(500));
        check("2s", Some(2_000));
        check("1m30s", Some(90_000));
        check("1d", Some(86_400_000));
        check("0s", Some(0));
        for wrong in [
            "",
            "5",
            "s",
            "5 s",
            "-5s",
            "1.5s",
            "30s1m",
            "1s1s",
            "5S",
            "99999999999999999d",
        ] {
            check(wrong, None);
        }
    }
}

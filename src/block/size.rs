//! Turns `64KiB` or `1GiB` into a number of bytes.

const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("K", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
];

/// Parses a number of bytes, as Kubernetes writes them (`64Ki`, `1M`), with or without a final `B`.
pub fn parse(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = if unit.len() > 1 {
        unit.strip_suffix('B').unwrap_or(unit)
    } else {
        unit
    };
    let scale = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, scale)| *scale);
    number
        .parse::<u64>()
        .ok()
        .zip(scale)
        .and_then(|(number, scale)| number.checked_mul(scale))
        .ok_or_else(|| format!("`{text}` is not a size like `64Ki`, `10Mi` or `1Gi`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, bytes: Option<u64>) {
        assert_eq!(parse(text).ok(), bytes, "{text}");
    }

    #[test]
    fn bytes_and_their_multiples() {
        check("0", Some(0));
        check("10B", Some(10));
        check("64Ki", Some(65_536));
        check("64KiB", Some(65_536));
        check("1M", Some(1_000_000));
        check("1GiB", Some(1 << 30));
        for wrong in ["", "Ki", "1.5Mi", "-1", "1Ti", "1kb", "99999999999Gi"] {
            check(wrong, None);
        }
    }
}

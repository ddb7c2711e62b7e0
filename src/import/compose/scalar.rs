//! Reads unquoted values as Compose does: it makes numbers, booleans and times of them, and texts of those again.

use std::fmt::Write as _;

/// The text that Compose makes of an unquoted value: `1.0` is `1`, `010` is `8`, `True` is `true`.
pub fn text(written: &str) -> String {
    let is_numeric = written.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first));
    match written {
        "True" | "TRUE" => "true".to_owned(),
        "False" | "FALSE" => "false".to_owned(),
        _ if is_numeric => time(written)
            .or_else(|| number(written))
            .unwrap_or_else(|| written.to_owned()),
        _ => written.to_owned(),
    }
}

/// A number, as its reader understands it.
fn number(written: &str) -> Option<String> {
    // Behind a dot nothing but digits counts.
    let plain = match written.strip_prefix('.') {
        Some(_) => written.to_owned(),
        None => written.replace('_', ""),
    };
    let (sign, digits) = match plain.strip_prefix(['-', '+']) {
        Some(digits) if plain.starts_with('-') => ("-", digits),
        Some(digits) => ("", digits),
        None => ("", plain.as_str()),
    };
    if let Some(whole) = whole(digits) {
        let is_known = match sign {
            "-" => whole <= 1 << 63,
            _ => whole <= u128::from(u64::MAX),
        };
        if is_known {
            return Some(if whole == 0 {
                "0".to_owned()
            } else {
                format!("{sign}{whole}")
            });
        }
    }
    let is_decimal = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte))
        && digits.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    let value: f64 = plain
        .parse()
        .ok()
        .filter(|value: &f64| is_decimal && value.is_finite())?;
    Some(shortest(value))
}

/// A whole number in any of its notations.
fn whole(digits: &str) -> Option<u128> {
    let of = |prefixes: [&str; 2], radix| {
        let digits = prefixes.iter().find_map(|prefix| digits.strip_prefix(prefix))?;
        Some((digits, radix))
    };
    let (digits, radix) = of(["0x", "0X"], 16)
        .or_else(|| of(["0o", "0O"], 8))
        .or_else(|| of(["0b", "0B"], 2))
        .or_else(|| Some((digits.strip_prefix('0').filter(|rest| !rest.is_empty())?, 8)))
        .unwrap_or((digits, 10));
    let is_whole = !digits.starts_with(['+', '-']);
    u128::from_str_radix(digits, radix).ok().filter(|_| is_whole)
}

/// The fewest digits that say a number; those of a large or a small one with their power of ten.
fn shortest(value: f64) -> String {
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return value.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// A date, or a date and a time; Compose writes both out.
fn time(written: &str) -> Option<String> {
    let (date, rest) = match written.find(['T', 't', ' ']) {
        Some(at) => written.split_at(at),
        None => (written, ""),
    };
    let numbers = |text: &str, separator: char| -> Option<Vec<u32>> {
        let number = |part: &str| {
            let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|_| is_number && part.len() <= 4)
        };
        text.split(separator).map(number).collect()
    };
    let [year, month, day] = numbers(date, '-')?[..] else {
        return None;
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if date.find('-') != Some(4) || !(1..=days).contains(&day) {
        return None;
    }
    let mut text = format!("{year:04}-{month:02}-{day:02}");
    if rest.is_empty() {
        return Some(text + " 00:00:00 +0000 UTC");
    }
    let clock = &rest[1..];
    let (clock, zone) = match (rest.starts_with(' '), clock.find(['Z', '+', '-'])) {
        (true, None) => (clock, "Z"),
        (false, Some(at)) => clock.split_at(at),
        _ => return None,
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let [hour, minute, second] = numbers(clock, ':')?[..] else {
        return None;
    };
    if hour > 23 || minute > 59 || second > 59 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Writing to a string can't fail.
    let _ = write!(text, " {hour:02}:{minute:02}:{second:02}");
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        let _ = write!(text, ".{fraction}");
    }
    if zone == "Z" {
        return Some(text + " +0000 UTC");
    }
    let (hours, minutes) = zone[1..].split_once(':')?;
    let is_two = |digits: &str| digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let offset = format!("{}{hours}{minutes}", &zone[..1]);
    (is_two(hours) && is_two(minutes)).then(|| format!("{text} {offset} {offset}"))
}

#[cfg(test)]
mod tests {
    use super::text;

    /// Measured: what `docker compose config` 2.26.1 says of each.
    #[test]
    fn values_are_those_of_compose() {
        for (written, expected) in [
            ("1.0", "1"),
            ("010", "8"),
            ("0x1F", "31"),
            ("True", "true"),
            ("FALSE", "false"),
            ("tRUE", "tRUE"),
            ("yes", "yes"),
            ("1_000", "1000"),
            ("1__0", "10"),
            ("_1", "_1"),
            ("123456789.5", "1.234567895e+08"),
            ("123456.5", "123456.5"),
            ("999999.0", "999999"),
            ("1234567.0", "1.234567e+06"),
            ("1e6", "1e+06"),
            ("100000.0", "100000"),
            ("-0.0", "-0"),
            ("100000000000000000000", "1e+20"),
            ("18446744073709551615", "18446744073709551615"),
            ("9223372036854775808", "9223372036854775808"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("1e3", "1000"),
            ("1e21", "1e+21"),
            ("1e-7", "1e-07"),
            ("1e400", "1e400"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            (".5e3", "500"),
            ("._5", "._5"),
            ("1.", "1"),
            ("+5", "5"),
            ("+1.5", "1.5"),
            ("-0", "0"),
            ("-0x10", "-16"),
            ("-010", "-8"),
            ("08", "8"),
            ("0_8", "8"),
            ("00", "0"),
            ("0b11", "3"),
            ("0b2", "0b2"),
            ("0o17", "15"),
            ("0x", "0x"),
            ("0x1p4", "0x1p4"),
            (".0x1", ".0x1"),
            ("1:30", "1:30"),
            ("1.50_0", "1.5"),
            ("1-2", "1-2"),
            ("infinity", "infinity"),
            ("nan", "nan"),
            ("2001-01-01", "2001-01-01 00:00:00 +0000 UTC"),
            ("2001-01-01T10:00:00Z", "2001-01-01 10:00:00 +0000 UTC"),
            ("2001-1-1 1:2:3", "2001-01-01 01:02:03 +0000 UTC"),
            ("2001-01-01T10:00:00.5+02:00", "2001-01-01 10:00:00.5 +0200 +0200"),
            ("2001-02-29", "2001-02-29"),
            ("2001-01-01T10", "2001-01-01T10"),
            ("20210101", "20210101"),
            ("192.168.0.1", "192.168.0.1"),
            ("1.27-alpine", "1.27-alpine"),
            ("", ""),
        ] {
            assert_eq!(text(written), expected, "{written}");
        }
    }
}

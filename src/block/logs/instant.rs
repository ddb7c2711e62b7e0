//! Reads the times that logs write, and writes them as RFC 3339 in UTC.

use crate::block::log::append_number;

/// A time: seconds since 1970 and the digits after the decimal point, as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Instant<'a> {
    seconds: i64,
    fraction: &'a [u8],
}

/// Appends a time as RFC 3339 in UTC, if the text is one.
pub fn append(line: &mut Vec<u8>, text: &str) -> bool {
    let bytes = text.trim_ascii().as_bytes();
    let read = calendar(bytes)
        .or_else(|| access_log(bytes))
        .or_else(|| epoch(bytes));
    match read {
        Some(instant) if (0..=253_402_300_799).contains(&instant.seconds) => {
            instant.append(line);
            true
        }
        _ => false,
    }
}

impl Instant<'_> {
    fn append(self, line: &mut Vec<u8>) {
        let days = self.seconds.div_euclid(86_400);
        let clock = self.seconds.rem_euclid(86_400);
        let (year, month, day) = date(days);
        digits(line, year, 4);
        for (separator, number) in [
            (b'-', month),
            (b'-', day),
            (b'T', clock / 3600),
            (b':', clock / 60 % 60),
            (b':', clock % 60),
        ] {
            line.push(separator);
            digits(line, number, 2);
        }
        if !self.fraction.is_empty() {
            line.push(b'.');
            line.extend_from_slice(self.fraction);
        }
        line.push(b'Z');
    }
}

fn digits(line: &mut Vec<u8>, number: i64, width: u32) {
    for place in (0..width).rev() {
        let digit = number / 10_i64.pow(place) % 10;
        line.push(b'0' + u8::try_from(digit).unwrap_or_default());
    }
}

/// `2026-01-02T03:04:05.678+01:00`; also with a space, with slashes, with a comma, and without a zone, which is UTC.
fn calendar(bytes: &[u8]) -> Option<Instant<'_>> {
    let (head, rest) = bytes.split_at_checked(19)?;
    let separator = head[4];
    if !matches!(separator, b'-' | b'/')
        || head[7] != separator
        || !matches!(head[10], b'T' | b't' | b' ')
        || head[13] != b':'
        || head[16] != b':'
    {
        return None;
    }
    let local = moment(
        number(&head[..4])?,
        number(&head[5..7])?,
        number(&head[8..10])?,
        &head[11..],
    )?;
    let (fraction, zone) = match rest.split_first() {
        Some((b'.' | b',', after)) => {
            let length = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if length == 0 {
                return None;
            }
            after.split_at(length)
        }
        _ => rest.split_at(0),
    };
    Some(Instant {
        seconds: local - offset(zone.trim_ascii_start())?,
        fraction: &fraction[..fraction.len().min(9)],
    })
}

/// `10/Oct/2000:13:55:36 -0700`.
fn access_log(bytes: &[u8]) -> Option<Instant<'_>> {
    const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let (head, zone) = bytes.split_at_checked(20)?;
    if head[2] != b'/' || head[6] != b'/' || [head[11], head[14], head[17]] != [b':'; 3] {
        return None;
    }
    let month = MONTHS
        .chunks(3)
        .zip(1..)
        .find(|(name, _)| *name == &head[3..6])?
        .1;
    let local = moment(number(&head[7..11])?, month, number(&head[..2])?, &head[12..])?;
    Some(Instant {
        seconds: local - offset(zone.trim_ascii_start())?,
        fraction: &[],
    })
}

/// Seconds since 1970 with or without a fraction; milliseconds, microseconds or nanoseconds by the number's length.
fn epoch(bytes: &[u8]) -> Option<Instant<'_>> {
    let whole = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (integer, rest) = bytes.split_at(whole);
    let fraction = match rest.split_first() {
        None => &[],
        Some((b'.', fraction)) if whole == 10 && fraction.iter().all(u8::is_ascii_digit) => fraction,
        Some(_) => return None,
    };
    match whole {
        10 => Some(Instant {
            seconds: number(integer)?,
            fraction: &fraction[..fraction.len().min(9)],
        }),
        13 | 16 | 19 => Some(Instant {
            seconds: number(&integer[..10])?,
            fraction: &integer[10..],
        }),
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0_i64, |sum, byte| {
        byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0'))
    })
}

/// Nothing and `Z` are none, else `+01:00`, `-0700` or `+01`, in seconds.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, rest) = match zone.split_first() {
        None | Some((b'Z' | b'z', [])) => return Some(0),
        Some((b'+', rest)) => (1, rest),
        Some((b'-', rest)) => (-1, rest),
        Some(_) if zone == b"UTC" || zone == b"GMT" => return Some(0),
        Some(_) => return None,
    };
    let (hours, minutes) = match rest {
        [a, b] => ([*a, *b], [b'0', b'0']),
        [a, b, c, d] | [a, b, b':', c, d] => ([*a, *b], [*c, *d]),
        _ => return None,
    };
    let (hours, minutes) = (number(&hours)?, number(&minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Seconds since 1970 of a date and a `HH:MM:SS`.
fn moment(year: i64, month: i64, day: i64, clock: &[u8]) -> Option<i64> {
    let hour = number(&clock[..2])?;
    let minute = number(&clock[3..5])?;
    let second = number(&clock[6..8])?;
    let valid = (1..=12).contains(&month)
        && (1..=length(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    valid.then(|| days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn length(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01, counting years from 1 March so that a leap day is a year's last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date of a number of days since 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

/// Appends milliseconds since 1970.
pub fn append_milliseconds(line: &mut Vec<u8>, milliseconds: u64) {
    let mut digits = Vec::with_capacity(3);
    append_number(&mut digits, 1000 + milliseconds % 1000);
    Instant {
        seconds: i64::try_from(milliseconds / 1000).unwrap_or_default(),
        fraction: &digits[1..],
    }
    .append(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_many_logs_are_read() {
        let check = |text: &str, expect: Option<&str>| {
            let mut line = Vec::new();
            let read = append(&mut line, text);
            let shown = String::from_utf8(line).unwrap();
            assert_eq!(read.then_some(shown.as_str()), expect, "{text}");
            assert!(read || shown.is_empty());
        };
        check("2026-01-02T03:04:05Z", Some("2026-01-02T03:04:05Z"));
        check(
            "2026-01-02T03:04:05.678901234Z",
            Some("2026-01-02T03:04:05.678901234Z"),
        );
        check("2026-01-01T00:30:00+01:00", Some("2025-12-31T23:30:00Z"));
        check("2024-02-29 23:59:59,123 -0130", Some("2024-03-01T01:29:59.123Z"));
        check("2026/01/02 03:04:05", Some("2026-01-02T03:04:05Z"));
        check("10/Oct/2000:13:55:36 -0700", Some("2000-10-10T20:55:36Z"));
        check("1767323045", Some("2026-01-02T03:04:05Z"));
        check("1767323045.25", Some("2026-01-02T03:04:05.25Z"));
        check("1767323045678", Some("2026-01-02T03:04:05.678Z"));
        check("1767323045678901234", Some("2026-01-02T03:04:05.678901234Z"));
        for wrong in [
            "",
            "now",
            "2026-13-02T03:04:05Z",
            "2026-02-29T03:04:05Z",
            "2026-01-02T25:04:05Z",
            "2026-01-02T03:04:05.Z",
            "2026-01-02T03:04:05+1",
            "2026-01-02 03-04-05",
            "10/Okt/2000:13:55:36 -0700",
            "12345",
            "1969-12-31T23:59:59Z",
            "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn every_day_is_the_day_after_the_one_before() {
        for day in 0..80_000 {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }

    #[test]
    fn milliseconds_have_three_digits() {
        let mut line = Vec::new();
        append_milliseconds(&mut line, 1_767_323_045_007);
        assert_eq!(String::from_utf8(line).unwrap(), "2026-01-02T03:04:05.007Z");
    }
}

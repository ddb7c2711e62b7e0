//! When a job is due: the five fields of cron, as Kubernetes reads them, in UTC.

use time::{Date, Duration, Month, OffsetDateTime};

/// A schedule, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether a day has to fit both its fields: one of them is a `*`. Otherwise one is enough.
    both_days: bool,
}

/// A field: its name, its least and greatest value, and the words for its values, if any.
struct Field {
    name: &'static str,
    least: u32,
    greatest: u32,
    words: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field {
        name: "minute",
        least: 0,
        greatest: 59,
        words: &[],
    },
    Field {
        name: "hour",
        least: 0,
        greatest: 23,
        words: &[],
    },
    Field {
        name: "day of the month",
        least: 1,
        greatest: 31,
        words: &[],
    },
    Field {
        name: "month",
        least: 1,
        greatest: 12,
        words: &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
    },
    Field {
        name: "day of the week",
        least: 0,
        greatest: 6,
        words: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    },
];

/// The words that stand for five fields.
const SHORTHANDS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// How far ahead a due time is looked for: the 29th of February is at most eight years away.
const HORIZON: i64 = 366 * 9;

impl Schedule {
    /// Reads a schedule; says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let shorthand = SHORTHANDS.iter().find(|(word, _)| *word == trimmed);
        let fields: Vec<&str> = shorthand
            .map_or(trimmed, |(_, fields)| fields)
            .split_whitespace()
            .collect();
        let &[minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(if trimmed.starts_with('@') {
                let words: Vec<&str> = SHORTHANDS.iter().map(|(word, _)| *word).collect();
                format!("`{trimmed}` is none of `{}`", words.join("`, `"))
            } else {
                format!(
                    "a schedule has five fields (minute, hour, day of the month, month, day of the week), found {}",
                    fields.len()
                )
            });
        };
        let (minutes, _) = set(minute, &FIELDS[0])?;
        let (hours, _) = set(hour, &FIELDS[1])?;
        let (days, any_day) = set(day, &FIELDS[2])?;
        let (months, _) = set(month, &FIELDS[3])?;
        let (weekdays, any_weekday) = set(weekday, &FIELDS[4])?;
        let schedule = Self {
            text: trimmed.to_owned(),
            minutes,
            hours,
            days,
            months,
            weekdays,
            both_days: any_day || any_weekday,
        };
        // A leap year has every day that there is.
        let leap_year = Date::from_calendar_date(2028, Month::January, 1).expect("it is a date");
        if schedule.next(leap_year.midnight().assume_utc()).is_none() {
            return Err("no month has such a day".to_owned());
        }
        Ok(schedule)
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first due time after this one, to the minute.
    pub fn next(&self, after: OffsetDateTime) -> Option<OffsetDateTime> {
        let after = after.to_offset(time::UtcOffset::UTC);
        let first = after.unix_timestamp().div_euclid(60) + 1;
        let first = OffsetDateTime::from_unix_timestamp(first * 60).ok()?;
        let from = u32::from(first.hour()) * 60 + u32::from(first.minute());
        let today = (0..1).map(|_| (first.date(), from));
        let later =
            (1..HORIZON).filter_map(|days| Some((first.date().checked_add(Duration::days(days))?, 0)));
        today
            .chain(later)
            .filter(|(date, _)| self.has_day(*date))
            .find_map(|(date, from)| {
                let minute = self.minute_from(from)?;
                Some(date.midnight().assume_utc() + Duration::minutes(i64::from(minute)))
            })
    }

    fn has_day(&self, date: Date) -> bool {
        let has = |set: u64, value: u8| set & (1 << value) != 0;
        let in_month = has(self.days, date.day());
        let in_week = has(self.weekdays, date.weekday().number_days_from_sunday());
        has(self.months, u8::from(date.month()))
            && if self.both_days {
                in_month && in_week
            } else {
                in_month || in_week
            }
    }

    /// The first due minute of a day at or after one.
    fn minute_from(&self, from: u32) -> Option<u32> {
        (from..24 * 60)
            .find(|minute| self.hours & (1 << (minute / 60)) != 0 && self.minutes & (1 << (minute % 60)) != 0)
    }
}

/// A field as the set of its values, and whether it is a `*` that leaves the day to the other field.
fn set(text: &str, field: &Field) -> Result<(u64, bool), String> {
    let mut values = 0;
    let mut is_any = false;
    for part in text.split(',') {
        let wrong = |why: String| format!("`{part}` is no {}: {why}", field.name);
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => match step.parse::<u32>() {
                Ok(step) if step > 0 => (range, Some(step)),
                _ => return Err(wrong("behind `/` stands a number above 0".to_owned())),
            },
            None => (part, None),
        };
        let value = |text: &str| value(text, field).map_err(wrong);
        let (first, last) = match range.split_once('-') {
            _ if matches!(range, "*" | "?") => {
                is_any |= step.is_none_or(|step| step == 1);
                (field.least, field.greatest)
            }
            Some((first, last)) => (value(first)?, value(last)?),
            None => {
                let first = value(range)?;
                // `5/15` begins at 5 and goes on to the end.
                (first, if step.is_some() { field.greatest } else { first })
            }
        };
        if first > last {
            return Err(wrong(format!("{first} comes after {last}")));
        }
        let step = usize::try_from(step.unwrap_or(1)).unwrap_or(usize::MAX);
        values |= (first..=last)
            .step_by(step)
            .fold(0, |set, value| set | 1_u64 << value);
    }
    Ok((values, is_any))
}

fn value(text: &str, field: &Field) -> Result<u32, String> {
    let word = field
        .words
        .iter()
        .position(|word| text.eq_ignore_ascii_case(word))
        .and_then(|index| u32::try_from(index).ok())
        .map(|index| index + field.least);
    let number = word.or_else(|| text.parse().ok().filter(|_| !text.starts_with('+')));
    let range = field.least..=field.greatest;
    match number {
        Some(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("it is {} to {}", field.least, field.greatest)),
    }
}

#[cfg(test)]
mod tests {
    use time::format_description::well_known::Rfc3339;

    use super::*;

    fn at(text: &str) -> OffsetDateTime {
        OffsetDateTime::parse(text, &Rfc3339).unwrap()
    }

    #[track_caller]
    fn check(schedule: &str, after: &str, expect: &[&str]) {
        let schedule = Schedule::parse(schedule).unwrap();
        let mut now = at(after);
        for expect in expect {
            now = schedule.next(now).unwrap();
            assert_eq!(now.format(&Rfc3339).unwrap(), *expect);
        }
    }

    #[test]
    fn the_next_time_is_strictly_later() {
        check(
            "* * * * *",
            "2026-01-31T23:58:59.9Z",
            &["2026-01-31T23:59:00Z", "2026-02-01T00:00:00Z"],
        );
        check("*/15 * * * *", "2026-01-01T00:15:00Z", &["2026-01-01T00:30:00Z"]);
        check(
            "5/20 3 * * *",
            "2026-01-01T03:25:00Z",
            &["2026-01-01T03:45:00Z", "2026-01-02T03:05:00Z"],
        );
        check("@hourly", "2026-01-01T00:00:00+00:30", &["2026-01-01T00:00:00Z"]);
        check(
            "0 22-23,1 * * *",
            "2026-01-01T00:00:00Z",
            &[
                "2026-01-01T01:00:00Z",
                "2026-01-01T22:00:00Z",
                "2026-01-01T23:00:00Z",
            ],
        );
    }

    #[test]
    fn a_day_fits_both_fields_or_one_as_cron_has_it() {
        // Friday the 13th, and any Friday or 13th.
        check(
            "0 0 13 * *",
            "2026-02-01T00:00:00Z",
            &["2026-02-13T00:00:00Z", "2026-03-13T00:00:00Z"],
        );
        check("0 0 * * FRI", "2026-02-07T00:00:00Z", &["2026-02-13T00:00:00Z"]);
        check(
            "0 0 13 * fri",
            "2026-02-06T01:00:00Z",
            &["2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z"],
        );
        check("0 0 13 * */2", "2026-02-07T01:00:00Z", &["2026-02-08T00:00:00Z"]);
        check(
            "0 0 29 feb *",
            "2026-01-01T00:00:00Z",
            &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"],
        );
        check("0 0 ? * ?", "2026-01-01T00:00:00Z", &["2026-01-02T00:00:00Z"]);
        check("0 0 29 2 *", "2096-03-01T00:00:00Z", &["2104-02-29T00:00:00Z"]);
    }

    #[test]
    fn what_is_no_schedule_says_why() {
        for (text, expect) in [
            (
                "* * * *",
                "a schedule has five fields (minute, hour, day of the month, month, day of the week), found 4",
            ),
            (
                "@often",
                "`@often` is none of `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight`, `@hourly`",
            ),
            ("60 * * * *", "`60` is no minute: it is 0 to 59"),
            ("* * 0 * *", "`0` is no day of the month: it is 1 to 31"),
            ("* * * * 7", "`7` is no day of the week: it is 0 to 6"),
            (
                "*/0 * * * *",
                "`*/0` is no minute: behind `/` stands a number above 0",
            ),
            ("5-1 * * * *", "`5-1` is no minute: 5 comes after 1"),
            ("+5 * * * *", "`+5` is no minute: it is 0 to 59"),
            ("1,,2 * * * *", "`` is no minute: it is 0 to 59"),
            ("* * 30 2 *", "no month has such a day"),
            (
                "",
                "a schedule has five fields (minute, hour, day of the month, month, day of the week), found 0",
            ),
        ] {
            assert_eq!(Schedule::parse(text), Err(expect.to_owned()));
        }
    }
}

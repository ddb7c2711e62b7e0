//! Where a logical service's backend may be said: what each provider's text means, as pure functions.

use crate::block::proxy::Upstream;

/// Who may know the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Provider {
    /// Variables: `<NAME>_ADDRESS`, or `<NAME>_SERVICE_HOST` and `<NAME>_SERVICE_PORT`
    Env,
    /// The first line of --file that is no comment
    File,
    /// The name of --dns
    Dns,
    /// The stack's service of the name, at --port
    Service,
}

impl Provider {
    /// Every one, in the order in which they are asked where none is given.
    pub const ALL: [Self; 4] = [Self::Env, Self::File, Self::Dns, Self::Service];

    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Env => "env",
            Self::File => "file",
            Self::Dns => "dns",
            Self::Service => "service",
        }
    }
}

/// What a logical name's variables begin with.
pub fn prefix(name: &str) -> String {
    name.to_ascii_uppercase().replace(['-', '.'], "_")
}

/// The backend that variables say, or why they say none.
pub fn from_variables(name: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Upstream, String> {
    let prefix = prefix(name);
    let set = |suffix: &str| {
        let name = format!("{prefix}_{suffix}");
        let value = variable(&name).filter(|value| !value.is_empty());
        (name, value)
    };
    let (address_name, address) = set("ADDRESS");
    if let Some(address) = address {
        return address
            .parse()
            .map_err(|reason| format!("`{address_name}`: {reason}"));
    }
    let ((host_name, host), (port_name, port)) = (set("SERVICE_HOST"), set("SERVICE_PORT"));
    match (host, port) {
        (Some(host), Some(port)) => {
            let place = if host.contains(':') {
                format!("[{host}]:{port}")
            } else {
                format!("{host}:{port}")
            };
            place
                .parse()
                .map_err(|reason| format!("`{host_name}` and `{port_name}`: {reason}"))
        }
        (Some(_), None) => Err(format!("`{port_name}` is not set")),
        (None, Some(_)) => Err(format!("`{host_name}` is not set")),
        (None, None) => Err(format!("neither `{address_name}` nor `{host_name}` is set")),
    }
}

/// The backend that a file says, or why it says none.
pub fn from_text(text: &str) -> Result<Upstream, String> {
    let lines = text.lines().map(str::trim);
    let mut places = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    places.next().ok_or("it has no line that is no comment")?.parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], expect: Result<(&str, u16), &str>) {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let read = from_variables("my-db", variable);
        let read = read.as_ref().map(|place| (place.host.as_str(), place.port));
        assert_eq!(read.map_err(String::as_str), expect);
    }

    #[test]
    fn variables_say_it_in_two_ways() {
        check(&[("MY_DB_ADDRESS", "db.example:5432")], Ok(("db.example", 5432)));
        check(
            &[
                ("MY_DB_SERVICE_HOST", "10.0.0.1"),
                ("MY_DB_SERVICE_PORT", "5432"),
                ("MY_DB_ADDRESS", ""),
            ],
            Ok(("10.0.0.1", 5432)),
        );
        check(
            &[("MY_DB_SERVICE_HOST", "fd00::1"), ("MY_DB_SERVICE_PORT", "1")],
            Ok(("fd00::1", 1)),
        );
        check(
            &[
                ("MY_DB_ADDRESS", "first:1"),
                ("MY_DB_SERVICE_HOST", "second"),
                ("MY_DB_SERVICE_PORT", "2"),
            ],
            Ok(("first", 1)),
        );
        check(
            &[],
            Err("neither `MY_DB_ADDRESS` nor `MY_DB_SERVICE_HOST` is set"),
        );
        check(
            &[("MY_DB_SERVICE_HOST", "db")],
            Err("`MY_DB_SERVICE_PORT` is not set"),
        );
        check(
            &[("MY_DB_ADDRESS", "db")],
            Err("`MY_DB_ADDRESS`: `db` is not `HOST:PORT`"),
        );
        // What Docker's links wrote beside: no number.
        check(
            &[
                ("MY_DB_SERVICE_HOST", "db"),
                ("MY_DB_SERVICE_PORT", "tcp://10.0.0.1:5432"),
            ],
            Err("`MY_DB_SERVICE_HOST` and `MY_DB_SERVICE_PORT`: `db:tcp://10.0.0.1:5432` is not `HOST:PORT`"),
        );
    }

    #[test]
    fn a_file_s_first_line_counts() {
        let check = |text: &str, expect: Option<&str>| {
            let read = from_text(text).ok().map(|place| place.host);
            assert_eq!(read.as_deref(), expect, "{text:?}");
        };
        check("db:1\n", Some("db"));
        check("# the old one: old:1\n\n  db:1  \nother:2\n", Some("db"));
        check("", None);
        check("# db:1", None);
        check("db", None);
    }
}

//! Picks numbers out of a JSON document.

use std::str::FromStr;

use serde_json::Value;

use super::exposition::{Family, Kind, Labels, is_name};

/// A metric and where its number is: `name=json.path[:counter|gauge]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    pub name: String,
    path: String,
    kind: Kind,
}

impl FromStr for Pick {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` is not `NAME=PATH[:counter|gauge]`"))?;
        if !is_name(name) {
            return Err(format!("`{name}` is no name of a metric"));
        }
        let (path, kind) = match rest.rsplit_once(':') {
            Some((path, "counter")) => (path, Kind::Counter),
            Some((path, "gauge")) => (path, Kind::Gauge),
            Some((_, other)) => return Err(format!("`{other}` is neither counter nor gauge")),
            None => (rest, Kind::Gauge),
        };
        if path.split('.').any(str::is_empty) {
            return Err(format!("`{path}` is no path like `pool.connections.0.open`"));
        }
        Ok(Self {
            name: name.to_owned(),
            path: path.to_owned(),
            kind,
        })
    }
}

impl Pick {
    fn value(&self, document: &Value) -> Option<f64> {
        let mut value = document;
        for part in self.path.split('.') {
            value = match value {
                Value::Array(items) => items.get(part.parse::<usize>().ok()?)?,
                other => other.get(part)?,
            };
        }
        match value {
            Value::Bool(is_true) => Some(f64::from(u8::from(*is_true))),
            other => other.as_f64(),
        }
    }
}

/// The metrics whose numbers are there.
pub fn families(document: &Value, picks: &[Pick]) -> Vec<Family> {
    picks
        .iter()
        .filter_map(|pick| {
            let value = pick.value(document)?;
            let help = format!("The value at {}", pick.path);
            Some(Family::new(&pick.name, pick.kind, help).with(Labels::new(), value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_picked() {
        let document = json!({ "a": { "b": [1, { "c": 2.5 }] }, "up": true, "text": "3", "n": null });
        let value = |text: &str| text.parse::<Pick>().unwrap().value(&document);
        assert_eq!(value("x=a.b.0"), Some(1.0));
        assert_eq!(value("x=a.b.1.c:counter"), Some(2.5));
        assert_eq!(value("x=up:gauge"), Some(1.0));
        for absent in ["x=text", "x=n", "x=a", "x=a.b.7", "x=a.b.x", "x=none"] {
            assert_eq!(value(absent), None, "{absent}");
        }
    }

    #[test]
    fn what_is_no_pick_is_refused() {
        for wrong in ["", "a", "1a=b", "a=", "a=b..c", "a=b:histogram", "a b=c"] {
            assert!(wrong.parse::<Pick>().is_err(), "{wrong}");
        }
    }
}

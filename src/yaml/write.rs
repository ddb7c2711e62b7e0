//! Turns values into YAML that every reader, of YAML 1.1 and 1.2, reads back unchanged.

use serde::Serialize;
use serde::ser::{Error as _, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;
use serde_yaml::LitStr;

/// Why a value can't be written.
#[derive(Debug, thiserror::Error)]
#[error("failed to write YAML: {0}")]
pub struct Error(String);

/// Writes one document.
pub fn to_string(value: &impl Serialize) -> Result<String, Error> {
    let value = serde_json::to_value(value).map_err(|error| Error(error.to_string()))?;
    // Without block scalars and folding by its own choice: a literal block is asked for by `Readable`.
    let options = serde_yaml::ser_options! { prefer_block_scalars: false };
    let mut text = String::new();
    serde_yaml::to_fmt_writer_with_options(&mut text, &Readable(&value), options)
        .map_err(|error| Error(error.to_string()))?;
    Ok(text)
}

/// Writes documents one after the other, each but the first after a line `---`.
pub fn to_string_multiple<'a, T: Serialize + 'a>(
    values: impl IntoIterator<Item = &'a T>,
) -> Result<String, Error> {
    let documents: Vec<String> = values.into_iter().map(to_string).collect::<Result<_, _>>()?;
    Ok(documents.join("---\n"))
}

/// A value whose texts of several lines are literal blocks, where every reader understands the block.
struct Readable<'a>(&'a Value);

impl Serialize for Readable<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) if reads_as_block(text) => LitStr(text).serialize(serializer),
            Value::Array(items) => {
                let mut sequence = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    sequence.serialize_element(&Readable(item))?;
                }
                sequence.end()
            }
            Value::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, &Readable(value))?;
                }
                map.end()
            }
            Value::Number(number) if number.as_f64().is_some_and(f64::is_infinite) => {
                Err(S::Error::custom("a number is not finite"))
            }
            other => other.serialize(serializer),
        }
    }
}

/// Whether a text can be a literal block for readers of YAML 1.1 too: they refuse one whose first line begins
/// with a tab, and what can't be printed can't stand in a block at all.
fn reads_as_block(text: &str) -> bool {
    let first = text.trim_start_matches('\n');
    text.contains('\n')
        && !first.is_empty()
        && !first.starts_with(['\t', ' '])
        && text.chars().all(|character| {
            matches!(character, '\n' | '\t' | ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{to_string, to_string_multiple};
    use crate::diagnostic::{Collector, Sources};
    use crate::yaml::{Content, Node, read};

    /// What our own reader makes of YAML; every scalar that was quoted is a text.
    fn back(node: &Node) -> Value {
        match &node.content {
            Content::Scalar { text, plain: true } if text.parse::<i64>().is_ok() => {
                json!(text.parse::<i64>().unwrap())
            }
            Content::Scalar { text, .. } => json!(text),
            Content::Sequence(items) => items.iter().map(back).collect(),
            Content::Mapping(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), back(&entry.value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Content::Empty | Content::Unresolved => Value::Null,
        }
    }

    fn reread(yaml: &str) -> Value {
        let mut problems = Collector::default();
        let node = read(&mut Sources::default(), "x.yaml", yaml.as_bytes(), &mut problems);
        assert_eq!(problems.count(), 0, "{problems:?}\n{yaml}");
        back(&node.expect("no problem, so a document"))
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "(?s).{0,12}",
            "[ \\n\\t:#a-]{0,12}",
            "[0-9_.:eE+-]{0,8}",
            "[a-zA-Z~<=]{0,5}"
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![text().prop_map(Value::from), any::<i32>().prop_map(Value::from)];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(text(), inner, 0..6)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in value()) {
            let yaml = to_string(&value).expect("plain values can be written");
            prop_assert_eq!(reread(&yaml), value, "{}", yaml);
        }
    }

    #[test]
    fn documents_stand_apart() {
        let yaml = to_string_multiple(&[json!({ "a": 1 }), json!({ "b": "no" })]).unwrap();
        assert_eq!(yaml, "a: 1\n---\nb: \"no\"\n");
    }
}

//! One declaration of a record makes its struct, its decoding and its JSON Schema, which so can't drift apart.

use schemars::Schema;

/// Adds a description to a part of a schema.
pub fn schema_with_description(mut schema: Schema, description: &[&str]) -> Schema {
    let text = description
        .iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join(" ");
    schema.insert("description".into(), text.trim().into());
    schema
}

/// Declares a record: `field "key": Type` or `field "key" required: Type`, each with a doc comment.
///
/// The words before the struct name it in messages: "a container takes no key …".
macro_rules! record {
    (
        $(#[doc = $doc:literal])+
        pub struct $name:ident ($what:literal) {
            $( $(#[doc = $field_doc:literal])+ $field:ident $key:literal $($required:ident)? : $type:ty, )*
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            /// The key that it stands under.
            pub owner: $crate::diagnostic::Span,
            /// Keys that unknown keys were probably meant to be: nothing more is said about these.
            pub mistyped: Vec<&'static str>,
            $( $(#[doc = $field_doc])+ pub $field: $crate::yaml::Field<$type>, )*
        }

        impl $name {
            /// Every key that it takes.
            pub const KEYS: &[&str] = &[$($key),*];
        }

        impl $crate::yaml::Decode for $name {
            fn decode(node: &$crate::yaml::Node, decoder: &mut $crate::yaml::Decoder<'_>) -> Option<Self> {
                let entries = decoder.mapping(node, concat!($what, " as a mapping"))?;
                let mut record = Self { owner: decoder.owner, mistyped: Vec::new(), $( $field: $crate::yaml::Field::Absent, )* };
                for entry in entries {
                    match entry.key.as_str() {
                        $( $key => record.$field = $crate::yaml::Field::of(entry, decoder), )*
                        _ => record.mistyped.extend(decoder.unknown_key(entry, $what, Self::KEYS)),
                    }
                }
                $( $( $crate::yaml::record!(@$required record, $field, $key, $what, decoder); )? )*
                Some(record)
            }
        }

        impl ::schemars::JsonSchema for $name {
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($name).trim_start_matches("Raw").into()
            }

            fn schema_id() -> ::std::borrow::Cow<'static, str> {
                concat!(module_path!(), "::", stringify!($name)).into()
            }

            fn json_schema(generator: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                let mut properties = ::serde_json::Map::new();
                let required: &[&str] = &[$( $( $crate::yaml::record!(@word $required $key), )? )*];
                $(
                    let schema = generator.subschema_for::<$type>();
                    let schema = $crate::yaml::schema_with_description(schema, &[$($field_doc),+]);
                    properties.insert($key.into(), schema.to_value());
                )*
                let mut schema = ::schemars::json_schema!({
                    "type": "object",
                    "properties": properties,
                    "additionalProperties": false,
                });
                if !required.is_empty() {
                    schema.insert("required".into(), required.into());
                }
                $crate::yaml::schema_with_description(schema, &[$($doc),+])
            }
        }
    };
    (@required $record:ident, $field:ident, $key:literal, $what:literal, $decoder:ident) => {
        if $record.$field.is_absent() && !$record.mistyped.contains(&$key) {
            let owner = $decoder.owner;
            $decoder.push($crate::diagnostic::Diagnostic::error(
                owner,
                concat!($what, " needs the key `", $key, "`"),
            ));
        }
    };
    (@word required $key:literal) => {
        $key
    };
}

/// Declares that an enum is written as one of some words.
macro_rules! words {
    ($type:ty as $what:literal { $( $word:literal => $value:expr, )+ }) => {
        impl $crate::yaml::Decode for $type {
            fn decode(node: &$crate::yaml::Node, decoder: &mut $crate::yaml::Decoder<'_>) -> Option<Self> {
                let words = [$($word),+];
                let listed = $crate::diagnostic::Listed(words.to_vec(), "or");
                let $crate::yaml::Content::Scalar { text, .. } = &node.content else {
                    decoder.unexpected(node, &format!("{}: {listed}", $what));
                    return None;
                };
                match text.as_str() {
                    $( $word => Some($value), )+
                    _ => {
                        let help = decoder
                            .problems
                            .did_you_mean(text, words)
                            .unwrap_or_else(|| format!("it is {listed}"));
                        decoder.push(
                            $crate::diagnostic::Diagnostic::error(
                                node.span,
                                format!("{} is not {}", $crate::diagnostic::quoted(text), $what),
                            )
                            .help(help),
                        );
                        None
                    }
                }
            }
        }

        impl ::schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                ::schemars::json_schema!({
                    "anyOf": [
                        { "enum": [$($word),+] },
                        { "type": "string", "pattern": "^\\$\\{[^}]*\\}$" },
                    ],
                })
            }
        }
    };
}

pub(crate) use {record, words};

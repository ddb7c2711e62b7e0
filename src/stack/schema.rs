//! The JSON Schema of `stack.yaml`, made from the records that read it.

use schemars::generate::SchemaSettings;

use super::raw::RawStack;

/// The schema as one JSON document, ending with a line break.
pub fn json_schema() -> String {
    let mut schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<RawStack>();
    let mut ordered = serde_json::Map::new();
    ordered.extend(schema.remove("$schema").map(|value| ("$schema".into(), value)));
    ordered.insert("title".into(), "stack.yaml".into());
    ordered.extend(
        schema
            .remove("description")
            .map(|value| ("description".into(), value)),
    );
    ordered.extend(schema.ensure_object().clone());
    format!("{:#}\n", serde_json::Value::Object(ordered))
}

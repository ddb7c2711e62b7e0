//! The files of a chart: what it is called, its values with their rules, and its templates.

use std::fmt::Write;

use serde_json::{Map, Value as Json, json};

use super::build::Template;
use super::sample::Setting;
use super::{GLOBAL, IMAGES, Knob, Request, probe, text};
use crate::export::kubernetes::TextError;
use crate::export::mark::{comment, header};
use crate::stack::{Kind, Value};
use crate::yaml;

/// The oldest Kubernetes that the objects are for.
const KUBERNETES: &str = ">=1.29.0-0";

/// Writes all files.
pub fn files(
    request: Request<'_>,
    knobs: &[Knob],
    asked: &[bool],
    templates: &[Template],
) -> Result<Vec<(String, String)>, TextError> {
    let head = header(request.stack);
    let asked: Vec<&Knob> = knobs
        .iter()
        .zip(asked)
        .filter(|(_, asked)| **asked)
        .map(|(knob, _)| knob)
        .collect();
    let mut files = vec![
        ("Chart.yaml".to_owned(), format!("{head}{}", about(request)?)),
        ("values.yaml".to_owned(), format!("{head}{}", values(&asked)?)),
        ("values.schema.json".to_owned(), schema(request, &asked)?),
    ];
    let mut texts = Vec::new();
    for template in templates {
        let text = text::template(knobs, template)?;
        texts.push(text.clone());
        files.push((
            format!("templates/{}.yaml", template.key),
            format!("{head}{text}"),
        ));
    }
    if let Some(helpers) = text::helpers(&texts) {
        files.push(("templates/_helpers.tpl".to_owned(), format!("{head}{helpers}")));
    }
    Ok(files)
}

fn about(request: Request<'_>) -> Result<String, yaml::Error> {
    yaml::to_string(&json!({
        "apiVersion": "v2",
        "name": request.stack.as_str(),
        "description": format!("The stack {}", request.stack),
        "type": "application",
        "version": version(request.tag).unwrap_or_else(|| "0.1.0".to_owned()),
        "appVersion": request.tag,
        "kubeVersion": KUBERNETES,
    }))
}

/// A tag as a semantic version, where it is one or the beginning of one.
fn version(tag: &str) -> Option<String> {
    let tag = tag.strip_prefix('v').unwrap_or(tag);
    let split = tag.find(['-', '+']).unwrap_or(tag.len());
    let (numbers, rest) = tag.split_at(split);
    let mut numbers: Vec<&str> = numbers.split('.').collect();
    let is_number = |text: &&str| {
        !text.is_empty()
            && text.len() < 10
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && (text.len() == 1 || !text.starts_with('0'))
    };
    let is_rest = |text: &str| {
        text.is_empty()
            || text[1..].split('.').all(|word| {
                let is_word = word
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
                !word.is_empty()
                    && is_word
                    && (is_number(&word) || !word.bytes().all(|byte| byte.is_ascii_digit()))
            })
    };
    if numbers.len() > 3 || !numbers.iter().all(is_number) || !is_rest(rest) {
        return None;
    }
    numbers.resize(3, "0");
    Some(format!("{}{rest}", numbers.join(".")))
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::Text(text) => text.as_str().into(),
        Value::Integer(value) => (*value).into(),
        Value::Number(value, _) => (*value).into(),
        Value::Boolean(value) => (*value).into(),
    }
}

fn values(asked: &[&Knob]) -> Result<String, yaml::Error> {
    let mut text = String::new();
    let mut group = String::new();
    for knob in asked {
        let (indent, text) = match knob.setting {
            Setting::Parameter(_) => ("", &mut text),
            Setting::Registry | Setting::Tag => ("  ", &mut group),
        };
        for line in knob.parameter.help.iter().flat_map(|help| help.lines()) {
            let _ = writeln!(text, "{indent}# {line}");
        }
        let value: Map<String, Json> = [(knob.parameter.name.clone(), json_of(&knob.value))]
            .into_iter()
            .collect();
        for line in yaml::to_string(&value)?.lines() {
            let _ = writeln!(text, "{indent}{line}");
        }
    }
    if !group.is_empty() {
        let _ = write!(text, "{IMAGES}:\n{group}");
    }
    Ok(text)
}

fn schema(request: Request<'_>, asked: &[&Knob]) -> Result<String, TextError> {
    let mut properties = Map::new();
    let mut group = Map::new();
    for knob in asked {
        let target = match knob.setting {
            Setting::Parameter(_) => &mut properties,
            Setting::Registry | Setting::Tag => &mut group,
        };
        target.insert(knob.parameter.name.clone(), rules(knob));
    }
    let record = |properties: Map<String, Json>| {
        let required: Vec<String> = properties.keys().cloned().collect();
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    };
    if !group.is_empty() {
        properties.insert(IMAGES.to_owned(), record(group));
    }
    let mut whole = record(properties);
    // Helm gives it to every chart that is a part of another one.
    whole["properties"][GLOBAL] = json!({ "type": "object" });
    let mut document = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": comment(request.stack),
    });
    if let (Json::Object(document), Json::Object(whole)) = (&mut document, whole) {
        document.extend(whole);
    }
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

/// What a value may be.
fn rules(knob: &Knob) -> Json {
    let parameter = &knob.parameter;
    let mut rules = match (&knob.setting, parameter.kind) {
        (Setting::Registry, _) => json!({ "type": "string", "pattern": "^[A-Za-z0-9.:_/-]+$" }),
        (Setting::Tag, _) => json!({ "type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$" }),
        (_, Kind::String) => json!({ "type": "string" }),
        (_, Kind::Path) => json!({ "type": "string", "minLength": 1 }),
        (_, Kind::Image) => json!({ "type": "string", "pattern": "^[A-Za-z0-9._:/@-]+$" }),
        (_, Kind::Duration) => json!({
            "type": "string",
            "minLength": 2,
            "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$",
        }),
        (_, Kind::Quantity) => json!({
            "type": "string",
            "pattern": "^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$",
        }),
        (_, Kind::Integer) => json!({ "type": "integer" }),
        (_, Kind::Port) => json!({ "type": "integer", "minimum": 1, "maximum": 65535 }),
        (_, Kind::Number) => json!({ "type": "number" }),
        (_, Kind::Boolean) => json!({ "type": "boolean" }),
        (_, Kind::Choice) => json!({ "enum": parameter.choices }),
    };
    if let Some(pattern) = &parameter.pattern {
        rules["pattern"] = format!("^(?:{})$", pattern.written()).into();
    }
    let is_number = matches!(parameter.kind, Kind::Integer | Kind::Number | Kind::Port);
    let bounds = [("minimum", &parameter.minimum), ("maximum", &parameter.maximum)];
    let bounds: Vec<(&str, &Value)> = bounds
        .into_iter()
        .filter_map(|(name, bound)| Some((name, bound.as_ref()?)))
        .collect();
    for (name, bound) in bounds.iter().filter(|_| is_number) {
        rules[*name] = json_of(bound);
    }
    if parameter.kind == Kind::Integer && rules["maximum"].is_null() {
        rules["maximum"] = probe::LARGEST.into();
    }
    // A schema has no order of texts: there the rule is at least said.
    let said = bounds.iter().filter(|_| !is_number);
    let said = said.map(|(name, bound)| format!("{name} {bound}"));
    let description: Vec<String> = parameter.help.iter().cloned().chain(said).collect();
    if !description.is_empty() {
        rules["description"] = description.join("; ").into();
    }
    rules
}

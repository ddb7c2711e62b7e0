//! The template engine, made strict.

use std::collections::BTreeMap;
use std::io::{self, Write};

use tera::{Context, ErrorKind, Kwargs, State, Tera, TeraResult, Value};

use super::{Error, MOST_BYTES, lint, quote};
use crate::pattern::{Answers, Pattern, TemplateFile};

/// Templates that are parsed, and checked to name only what their pattern declares.
pub struct Engine(Tera);

impl Engine {
    /// Parses the templates among some files, and what they include.
    pub fn new<'a>(pattern: &Pattern, files: impl Iterator<Item = &'a TemplateFile>) -> Result<Self, Error> {
        let mut templates: Vec<(&str, &str)> = Vec::new();
        for file in files.filter(|file| file.rendered) {
            templates.push((&file.source, text(&file.source, &file.bytes)?));
        }
        let count = templates.len();
        // How deep in loops each was checked.
        let mut wanted: BTreeMap<String, usize> = BTreeMap::new();
        let mut locals = vec!["loop".to_owned()];
        let mut checked = 0;
        while checked < templates.len() {
            let (file, template) = templates[checked];
            checked += 1;
            // What is included stands after all that include it, and so sees what they set.
            let found = lint::lint(
                pattern,
                file,
                template,
                if checked > count { &locals } else { &locals[..1] },
                wanted.get(file).copied().unwrap_or_default(),
            )?;
            locals.extend(found.locals.into_iter().skip(1));
            for (include, loops) in found.includes {
                let is_checked = wanted.get(&include).is_some_and(|checked| *checked >= loops);
                if !is_checked && let Some((name, bytes)) = pattern.includes.get_key_value(&include) {
                    wanted.insert(include, loops);
                    templates.push((name, text(name, bytes)?));
                }
            }
        }
        let mut tera = strict();
        templates.sort_unstable();
        templates.dedup();
        tera.add_raw_templates(templates)
            .map_err(|error| explain(&error, ""))?;
        Ok(Self(tera))
    }

    /// Renders one template.
    pub fn render(&self, file: &str, context: &Context, answers: &Answers) -> Result<Vec<u8>, Error> {
        let mut output = Bounded(Vec::new());
        match self.0.render_to(file, context, &mut output) {
            Ok(()) => Ok(output.0),
            Err(error) => Err(match error.kind() {
                ErrorKind::Io(io::ErrorKind::FileTooLarge) => Error::Large(file.to_owned()),
                ErrorKind::Io(io::ErrorKind::InvalidData) => Error::Unquoted {
                    file: file.to_owned(),
                    candidates: answers
                        .values
                        .iter()
                        .filter(|(_, value)| !quote::is_plain(&value.to_string()))
                        .map(|(name, _)| name.clone())
                        .collect(),
                },
                _ => explain(&error, file),
            }),
        }
    }
}

fn text<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, Error> {
    std::str::from_utf8(bytes).map_err(|_| Error::Encoding(file.to_owned()))
}

fn explain(error: &tera::Error, file: &str) -> Error {
    match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => Error::Template {
            file: report.filename().to_owned(),
            line: report.span().start_line,
            column: report.span().start_col + 1,
            message: report.message().to_owned(),
        },
        other => Error::File {
            file: if file.is_empty() {
                "templates".into()
            } else {
                file.to_owned()
            },
            message: other.to_string(),
        },
    }
}

/// Refuses to grow past what a file may render to.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MOST_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn strict() -> Tera {
    let mut tera = Tera::new();
    // Every template, whatever its name.
    tera.autoescape_on([""]);
    tera.set_escape_fn(only_plain);
    tera.register_filter("str", |value: Value, _: Kwargs, _: &State| printed(&value));
    tera.register_filter("stack", |value: Value, _: Kwargs, _: &State| {
        quoted(value, |text| Some(quote::stack(text)))
    });
    tera.register_filter("yaml", |value: Value, _: Kwargs, _: &State| {
        quoted(value, |text| Some(quote::yaml(text)))
    });
    tera.register_filter("json", |value: Value, _: Kwargs, _: &State| {
        quoted(value, |text| Some(quote::json(text)))
    });
    tera.register_filter("shell", |value: Value, _: Kwargs, _: &State| {
        quoted(value, |text| Some(quote::shell(text)))
    });
    tera.register_filter("dockerfile", |value: Value, _: Kwargs, _: &State| {
        quoted(value, quote::dockerfile)
    });
    tera.register_filter("code", |value: Value, _: Kwargs, _: &State| {
        quoted(Value::from(printed(&value)?), |text| Some(quote::code(text)))
    });
    tera.register_filter("line", |value: Value, _: Kwargs, _: &State| {
        quoted(value, |text| Some(quote::line(text)))
    });
    tera.register_function("range", range);
    tera
}

fn only_plain(text: &str, output: &mut dyn Write) -> io::Result<()> {
    if quote::is_plain(text) {
        output.write_all(text.as_bytes())
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}

fn printed(value: &Value) -> TeraResult<String> {
    if value.is_undefined() || value.is_none() {
        return Err(tera::Error::message("this has no value"));
    }
    Ok(value.to_string())
}

/// Numbers and booleans mean themselves everywhere; texts are quoted.
fn quoted(value: Value, quote: impl Fn(&str) -> Option<String>) -> TeraResult<Value> {
    if value.is_number() || value.is_bool() {
        return Ok(value);
    }
    let Some(text) = value.as_str() else {
        return Err(tera::Error::message(format!(
            "only a text, a number or a boolean can be quoted, not {}",
            value.name()
        )));
    };
    match quote(text) {
        Some(quoted) => Ok(Value::safe_string(&quoted)),
        None => Err(tera::Error::message(
            "a text with a line break or another control character can't stand here",
        )),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the engine calls functions with this signature"
)]
/// The engine's own goes to 100,000, which nested loops make for ever.
fn range(arguments: Kwargs, _: &State) -> TeraResult<Value> {
    let end = arguments.must_get::<i64>("end")?;
    let start = arguments.get::<i64>("start")?.unwrap_or(0);
    if end.saturating_sub(start) > 1000 {
        return Err(tera::Error::message("a range has at most 1000 numbers"));
    }
    Ok(Value::from((start..end).collect::<Vec<i64>>()))
}

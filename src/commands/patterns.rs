//! `motif patterns`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use crate::disk;
use crate::pattern::{Catalogue, Misplaced, Pattern, Question};
use crate::render;
use crate::terminal::{Exit, Failure, Format, Printer};

/// List the patterns, or show what one is, asks, promises and writes
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct PatternsArgs {
    #[command(subcommand)]
    command: Option<Show>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Args)]
struct Options {
    /// Write a table, or JSON
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
    /// Look for patterns in this folder too
    #[arg(long, value_name = "DIR")]
    catalog: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Show {
    /// Show what a pattern is, asks, promises and writes
    Show {
        /// The pattern, or its family when that has but one
        pattern: String,
        #[command(flatten)]
        options: Options,
    },
}

/// Lists the patterns, or shows one.
pub fn run(args: &PatternsArgs, printer: Printer) -> Result<Exit, Failure> {
    let (text, format) = match &args.command {
        Some(Show::Show { pattern, options }) => {
            let catalogue = catalogue(options.catalog.as_deref())?;
            let pattern = find(&catalogue, pattern)?;
            let text = match options.format {
                Format::Table => page(&pattern),
                Format::Json => format!("{:#}\n", document(&pattern)),
            };
            (text, options.format)
        }
        None => {
            let catalogue = catalogue(args.options.catalog.as_deref())?;
            let patterns: Vec<Pattern> = catalogue
                .entries()
                .iter()
                .map(|entry| Ok(catalogue.load(entry)?))
                .collect::<Result<_, Failure>>()?;
            let text = match args.options.format {
                Format::Table => listing(&patterns),
                Format::Json => {
                    let documents: Vec<_> = patterns.iter().map(document).collect();
                    format!("{:#}\n", json!(documents))
                }
            };
            (text, args.options.format)
        }
    };
    match format {
        Format::Table => printer.page(text)?,
        Format::Json => printer.data(text)?,
    }
    Ok(Exit::Done)
}

/// The patterns in the binary and in a folder of the user's.
pub fn catalogue(folder: Option<&Path>) -> Result<Catalogue, Failure> {
    let mut catalogue = Catalogue::embedded();
    if let Some(folder) = folder {
        let files = disk::read_folder(folder)?;
        catalogue
            .add(&folder.to_string_lossy(), files)
            .map_err(|wrong| Failure::usage(lines("the catalogue can't be used", &wrong)))?;
    }
    Ok(catalogue)
}

fn lines(what: &str, wrong: &[Misplaced]) -> String {
    match wrong {
        [one] => format!("{what}: {one}"),
        _ => wrong
            .iter()
            .fold(format!("{what}:"), |text, one| format!("{text}\n  {one}")),
    }
}

/// Finds a pattern by name and loads it. A user's own is checked to the last template.
pub fn find(catalogue: &Catalogue, name: &str) -> Result<Pattern, Failure> {
    let entry = catalogue.find(name).map_err(|error| {
        let hint = error.hint();
        Failure::usage(error).hint(hint)
    })?;
    let pattern = catalogue.load(&entry)?;
    if !entry.is_embedded {
        render::check(&pattern)?;
    }
    Ok(pattern)
}

fn listing(patterns: &[Pattern]) -> String {
    let width = patterns
        .iter()
        .map(|pattern| pattern.name.len())
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    for pattern in patterns {
        let _ = writeln!(text, "{:width$}  {}", pattern.name, pattern.summary);
    }
    text
}

fn page(pattern: &Pattern) -> String {
    let mut text = format!("{}: {}\n", pattern.name, pattern.summary);
    if !pattern.about.is_empty() {
        let _ = write!(text, "\n{}\n", wrapped(&pattern.about, 0));
    }
    section(
        &mut text,
        "Parts",
        pattern.parts.iter().map(|(name, does)| format!("{name}: {does}")),
    );
    section(&mut text, "Parameters", pattern.questions.iter().map(describe));
    section(&mut text, "Promises", pattern.promises.iter().cloned());
    section(&mut text, "Files", grouped(files(pattern)));
    let _ = write!(text, "\nmotif new {} NAME\n", pattern.name);
    if let Some(addition) = &pattern.addition {
        let _ = writeln!(text, "motif add {} --to POD", pattern.name);
        section(
            &mut text,
            "Parameters of `motif add`",
            addition
                .questions
                .iter()
                .filter(|question| question.name != "pod" && question.name != "folder")
                .map(describe),
        );
    }
    text
}

fn section(text: &mut String, title: &str, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.collect();
    if !items.is_empty() {
        let _ = write!(text, "\n{title}\n");
        for item in items {
            let _ = writeln!(text, "  {}", wrapped(&item, 4));
        }
    }
}

fn describe(question: &Question) -> String {
    let mut text = format!("{}  {}", question.name, question.kind());
    if let Some(default) = &question.parameter.default {
        let _ = write!(text, "; default {default}");
    }
    for (when, value) in &question.defaults {
        let _ = write!(text, ", {value} when {when}");
    }
    if !question.when.0.is_empty() {
        let _ = write!(text, "; asked when {}", question.when);
    }
    if let Some(help) = &question.parameter.help {
        let _ = write!(text, "\n{help}");
    }
    text
}

/// Every path that the pattern may write, with its condition.
fn files(pattern: &Pattern) -> Vec<(String, Option<String>)> {
    let mut files: Vec<_> = pattern
        .files
        .iter()
        .map(|file| {
            let when = (!file.when.0.is_empty()).then(|| file.when.to_string());
            (file.target.to_string(), when)
        })
        .collect();
    files.push((render::ANSWERS.to_owned(), None));
    files.sort();
    files
}

/// Files by condition, those without one first.
fn grouped(files: Vec<(String, Option<String>)>) -> impl Iterator<Item = String> {
    let mut groups: BTreeMap<Option<String>, Vec<String>> = BTreeMap::new();
    for (path, when) in files {
        groups.entry(when).or_default().push(path);
    }
    groups.into_iter().map(|(when, paths)| {
        let before = when.map(|when| format!("when {when}: ")).unwrap_or_default();
        format!("{before}{}", paths.join(", "))
    })
}

/// Breaks lines at 96 characters; the lines after the first are indented.
fn wrapped(text: &str, indent: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && indent + line.chars().count() + 1 + word.chars().count() > 96 {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

fn document(pattern: &Pattern) -> serde_json::Value {
    let conditions = |when: &crate::pattern::Condition| (!when.0.is_empty()).then(|| when.to_string());
    let parameters: Vec<_> = pattern
        .questions
        .iter()
        .map(|question| {
            let parameter = &question.parameter;
            json!({
                "name": question.name,
                "type": parameter.kind.to_string(),
                "default": parameter.default.as_ref().map(ToString::to_string),
                "choices": parameter.choices,
                "help": parameter.help,
                "when": conditions(&question.when),
            })
        })
        .collect();
    json!({
        "name": pattern.name,
        "version": pattern.version,
        "summary": pattern.summary,
        "about": pattern.about,
        "parts": pattern.parts.iter().map(|(name, does)| json!({ "name": name, "does": does })).collect::<Vec<_>>(),
        "parameters": parameters,
        "promises": pattern.promises,
        "files": files(pattern).into_iter().map(|(path, when)| json!({ "path": path, "when": when })).collect::<Vec<_>>(),
    })
}

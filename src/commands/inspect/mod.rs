//! `motif inspect`.

mod diff;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::commands::engine::{failed, runtime};
use crate::engine::docker::Docker;
use crate::engine::docker::image::Image;
use crate::terminal::{Exit, Failure, Format, Printer, table};

/// Show an image's interface: its parameters, ports, user and program
///
/// Parameters are read from the image's labels `dev.motif.parameter.NAME`, and those that it doesn't
/// describe from its environment. `--diff` compares the parameters of two images; the exit code is 1 when a
/// change breaks who sets them: a name, a type or a unit is another one, or a value has to be given.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The image's name, or a container's image as `motif ps` shows it
    #[arg(value_name = "IMAGE", required_unless_present = "diff")]
    image: Option<String>,
    /// Compare the parameters of two images
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], conflicts_with = "image")]
    diff: Vec<String>,
    /// Print for people, or as one JSON document
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

/// Shows the image, or what changed between two.
pub fn run(args: &InspectArgs, host: Option<&str>, printer: Printer) -> Result<Exit, Failure> {
    let names = args.image.iter().chain(&args.diff);
    let images = names
        .map(|name| read(name, host))
        .collect::<Result<Vec<_>, _>>()?;
    match &images[..] {
        [old, new] => compare(old, new, args.format, printer),
        images => {
            for image in images {
                let parameters = parameters(image);
                match args.format {
                    Format::Json => printer.data(format!("{:#}\n", document(image, &parameters)))?,
                    Format::Table => printer.page(page(image, &parameters))?,
                }
            }
            Ok(Exit::Done)
        }
    }
}

fn read(name: &str, host: Option<&str>) -> Result<Image, Failure> {
    let found = runtime()?.block_on(async {
        let docker = Docker::connect(host)
            .await
            .map_err(|error| failed(error.into()))?;
        docker.inspect(name).await.map_err(failed)
    })?;
    found.ok_or_else(|| {
        Failure::from(anyhow::anyhow!("there is no image `{name}` on the engine")).hint(format!(
            "`docker pull {name}` fetches it; `motif up` builds a stack's own"
        ))
    })
}

fn compare(old: &Image, new: &Image, format: Format, printer: Printer) -> Result<Exit, Failure> {
    let differences = diff::compare(&parameters(old), &parameters(new));
    let is_breaking = differences
        .iter()
        .any(|difference| difference.change.is_breaking());
    match format {
        Format::Json => {
            let changes: Vec<Value> = differences.iter().map(diff::Difference::document).collect();
            printer.data(format!(
                "{:#}\n",
                json!({ "breaking": is_breaking, "changes": changes })
            ))?;
        }
        Format::Table if differences.is_empty() => printer.status("both take the same parameters"),
        Format::Table => {
            let rows: Vec<Vec<String>> = differences.iter().map(diff::Difference::row).collect();
            printer.page(table(&["PARAMETER", "CHANGE", "OLD", "NEW", ""], &rows))?;
        }
    }
    Ok(if is_breaking { Exit::Failed } else { Exit::Done })
}

const PARAMETER: &str = "dev.motif.parameter.";
const BLOCK: &str = "dev.motif.block.";
const ABOUT: &str = "org.opencontainers.image.";

/// A parameter of an image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Parameter {
    /// The block that it belongs to, in an image with several.
    block: Option<String>,
    name: String,
    /// The kind of value, which is its unit.
    kind: String,
    default: Option<String>,
    is_required: bool,
    is_repeated: bool,
    choices: Vec<String>,
    help: String,
}

/// The parameters that the labels describe, then the rest of the environment.
fn parameters(image: &Image) -> Vec<Parameter> {
    let set: BTreeMap<&str, &str> = image
        .env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut parameters: Vec<Parameter> = image
        .labels
        .iter()
        .filter_map(|(key, text)| Some(parameter(key.strip_prefix(PARAMETER)?, text, &set)))
        .collect();
    let undescribed: Vec<Parameter> = image
        .env
        .iter()
        .filter(|(name, _)| name != "PATH" && !parameters.iter().any(|parameter| &parameter.name == name))
        .map(|(name, value)| Parameter {
            name: name.clone(),
            kind: "text".to_owned(),
            default: Some(value.clone()),
            ..Parameter::default()
        })
        .collect();
    parameters.extend(undescribed);
    parameters
}

/// Reads `address; default 0.0.0.0:8080; Address to serve on`. What the image sets wins over what it says.
fn parameter(name: &str, text: &str, set: &BTreeMap<&str, &str>) -> Parameter {
    let (block, name) = match name.rsplit_once('.') {
        Some((block, name)) => (Some(block.to_owned()), name),
        None => (None, name),
    };
    let mut parts = text.split("; ");
    let mut parameter = Parameter {
        block,
        name: name.to_owned(),
        kind: parts.next().unwrap_or_default().to_owned(),
        ..Parameter::default()
    };
    let mut help = Vec::new();
    for part in parts {
        // Whatever comes after the first word of help is help.
        match part {
            "repeated" if help.is_empty() => parameter.is_repeated = true,
            "required" if help.is_empty() => parameter.is_required = true,
            part if help.is_empty() && (part.starts_with("default ") || part == "default") => {
                parameter.default = Some(
                    part.strip_prefix("default")
                        .unwrap_or_default()
                        .trim_start()
                        .to_owned(),
                );
            }
            part if help.is_empty() && part.starts_with("one of ") => {
                parameter.choices = part["one of ".len()..].split('|').map(str::to_owned).collect();
            }
            part => help.push(part),
        }
    }
    parameter.help = help.join("; ");
    if let Some(value) = set.get(name).filter(|value| !value.is_empty()) {
        parameter.default = Some((*value).to_owned());
    }
    parameter
}

fn document(image: &Image, parameters: &[Parameter]) -> Value {
    let about: BTreeMap<&str, &String> = image
        .labels
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(ABOUT)?, value)))
        .collect();
    let blocks: BTreeMap<&str, &String> = image
        .labels
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(BLOCK)?, value)))
        .collect();
    json!({
        "id": image.id,
        "names": image.names,
        "created": image.created.and_then(|created| created.format(&Rfc3339).ok()),
        "size": image.size,
        "platform": image.platform,
        "about": about,
        "user": image.user,
        "entrypoint": image.entrypoint,
        "command": image.command,
        "directory": image.directory,
        "ports": image.ports,
        "blocks": blocks,
        "parameters": parameters.iter().map(|parameter| json!({
            "block": parameter.block,
            "name": parameter.name,
            "type": parameter.kind,
            "default": parameter.default,
            "required": parameter.is_required,
            "repeated": parameter.is_repeated,
            "choices": parameter.choices,
            "help": parameter.help,
        })).collect::<Vec<_>>(),
    })
}

fn page(image: &Image, parameters: &[Parameter]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "{name:12}{value}");
        }
    };
    let about = |name: &str| {
        image
            .labels
            .get(&format!("{ABOUT}{name}"))
            .map_or("", String::as_str)
    };
    line("image", &image.names.join(", "));
    line("title", about("title"));
    line("about", about("description"));
    line("version", about("version"));
    line("platform", &image.platform);
    line("size", &size(image.size));
    line(
        "user",
        if image.user.is_empty() {
            "root"
        } else {
            &image.user
        },
    );
    line("entrypoint", &words(&image.entrypoint));
    line("command", &words(&image.command));
    line(
        "directory",
        if image.directory == "/" {
            ""
        } else {
            &image.directory
        },
    );
    line("ports", &image.ports.join(", "));
    line("id", &image.id);

    let mut blocks: Vec<Option<&str>> = parameters
        .iter()
        .map(|parameter| parameter.block.as_deref())
        .collect();
    blocks.dedup();
    for block in blocks {
        let of_block = parameters
            .iter()
            .filter(|parameter| parameter.block.as_deref() == block);
        let rows: Vec<Vec<String>> = of_block.map(row).collect();
        let title = match block {
            Some(block) => {
                let about = image
                    .labels
                    .get(&format!("{BLOCK}{block}"))
                    .map_or("", String::as_str);
                format!("block {block}: {about}")
            }
            None => "parameters".to_owned(),
        };
        let _ = write!(
            text,
            "\n{title}\n\n{}",
            table(&["NAME", "TYPE", "DEFAULT", "HELP"], &rows)
        );
    }
    text
}

fn row(parameter: &Parameter) -> Vec<String> {
    let kind = match &parameter.choices[..] {
        [] => parameter.kind.clone(),
        choices => choices.join("|"),
    };
    let kind = if parameter.is_repeated {
        format!("{kind}, repeated")
    } else {
        kind
    };
    let default = match &parameter.default {
        Some(default) => default.clone(),
        None if parameter.is_required => "(required)".to_owned(),
        None => String::new(),
    };
    vec![parameter.name.clone(), kind, default, parameter.help.clone()]
}

/// Words as they would be typed.
fn words(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        let is_plain =
            !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || "\"'\\$`".contains(c));
        if is_plain {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// A size in the units that Docker uses.
pub fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => {
            let tenths = (bytes * 10 + unit / 2) / unit;
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, text: &str, expect: &[&str]) {
        let set = BTreeMap::from([("PORT", "9000"), ("EMPTY", "")]);
        let found = parameter(name, text, &set);
        let mut cells = row(&found);
        cells.insert(0, found.block.unwrap_or_default());
        assert_eq!(cells, expect);
    }

    #[test]
    fn a_label_says_type_default_and_help() {
        check(
            "HOST",
            "address; default 0.0.0.0; address to listen on",
            &["", "HOST", "address", "0.0.0.0", "address to listen on"],
        );
        check(
            "PORT",
            "port; default 8080; TCP port",
            &["", "PORT", "port", "9000", "TCP port"],
        );
        check("EMPTY", "text; default; a; b", &["", "EMPTY", "text", "", "a; b"]);
        check(
            "X",
            "text; required; help; default none",
            &["", "X", "text", "(required)", "help; default none"],
        );
        check(
            "proxy.MOTIF_MODE",
            "mode; default http; one of http|tcp; What it speaks",
            &["proxy", "MOTIF_MODE", "http|tcp", "http", "What it speaks"],
        );
        check(
            "X",
            "host; repeated; required; Where to",
            &["", "X", "host, repeated", "(required)", "Where to"],
        );
        check("X", "", &["", "X", "", "", ""]);
    }

    #[test]
    fn what_is_set_and_not_described_is_a_parameter_too() {
        let image = Image {
            env: [("PATH", "/bin"), ("MODE", "fast"), ("PORT", "1")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            labels: BTreeMap::from([("dev.motif.parameter.PORT".to_owned(), "port; the port".to_owned())]),
            ..Image::default()
        };
        let found = parameters(&image);
        let names: Vec<&str> = found.iter().map(|parameter| parameter.name.as_str()).collect();
        assert_eq!(names, ["PORT", "MODE"]);
        assert_eq!(found[0].default.as_deref(), Some("1"));
    }

    #[test]
    fn sizes_and_words_read_well() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(12_345_678), "12.3 MB");
        assert_eq!(size(1_960_000_000), "2.0 GB");
        assert_eq!(
            words(&["/bin/sh".to_owned(), "-c".to_owned(), "it's".to_owned()]),
            r"/bin/sh -c 'it'\''s'"
        );
    }
}

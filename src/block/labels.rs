//! Turns the catalogue into the labels of the block image: a container's parameters are its API.

use std::collections::BTreeMap;

use super::catalogue::{Flag, catalogue};

/// The labels of the image that holds the blocks.
///
/// A parameter's label is its type, then, each where it applies, whether it is repeated, whether it
/// is required or its default, and its choices; the rest is its help. The parts are divided by `; `.
/// `dev.motif.parameter.proxy.MOTIF_LISTEN: "address; default 0.0.0.0:8080; Address to serve on"`
pub fn labels() -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> = [
        ("title", "motif blocks"),
        ("description", env!("CARGO_PKG_DESCRIPTION")),
        ("version", env!("CARGO_PKG_VERSION")),
        ("licenses", env!("CARGO_PKG_LICENSE")),
    ]
    .into_iter()
    .map(|(name, value)| (format!("org.opencontainers.image.{name}"), value.to_owned()))
    .collect();
    for entry in catalogue().into_iter().filter(|entry| !entry.internal) {
        labels.insert(format!("dev.motif.block.{}", entry.name), entry.description);
        for flag in entry.flags {
            if let Some(variable) = &flag.environment {
                let key = format!("dev.motif.parameter.{}.{variable}", entry.name);
                labels.insert(key, describe(&flag));
            }
        }
    }
    labels
}

fn describe(flag: &Flag) -> String {
    let mut parts = vec![flag.value.to_lowercase()];
    if flag.repeated {
        parts.push("repeated".to_owned());
    }
    if flag.required {
        parts.push("required".to_owned());
    }
    if let Some(default) = &flag.default {
        parts.push(format!("default {default}"));
    }
    // What is true or false needs no list.
    if !flag.choices.is_empty() && flag.value != "BOOLEAN" {
        parts.push(format!("one of {}", flag.choices.join("|")));
    }
    parts.push(flag.help.clone());
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_of_a_block_for_stacks_is_described() {
        let labels = labels();
        assert_eq!(
            labels["dev.motif.parameter.http-echo.MOTIF_MESSAGE"],
            "text; default hello; Text that every answer carries"
        );
        assert_eq!(
            labels["dev.motif.parameter.http-echo.MOTIF_READY_FILE"],
            "path; Ready only while this file exists"
        );
        assert!(
            labels
                .keys()
                .all(|key| !key.contains(".pause") && !key.contains(".probe"))
        );
    }
}

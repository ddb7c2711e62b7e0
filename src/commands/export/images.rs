//! Which images an export names.

use crate::engine::binary::Binary;
use crate::stack::{ImageReference, Source, Stack};
use crate::terminal::Failure;

/// The block image's name on this machine; it takes the digest of this program to know it.
pub fn block_image(stack: &Stack) -> Result<String, Failure> {
    let specs = stack
        .pods()
        .iter()
        .map(|pod| &pod.spec)
        .chain(stack.jobs().iter().map(|job| &job.spec));
    let is_block = |source: &Source| matches!(source, Source::Block(_));
    if specs
        .flat_map(|spec| &spec.containers)
        .any(|container| is_block(&container.source))
    {
        running_block_image()
    } else {
        Ok(String::new())
    }
}

/// The name of the block image that this program would make.
pub fn running_block_image() -> Result<String, Failure> {
    let binary = Binary::running().map_err(|error| {
        let hint = error.hint();
        let failure = Failure::from(error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    Ok(binary.image())
}

/// Reads a registry, with or without a path in it.
pub fn registry(text: &str) -> Result<String, String> {
    let registry = text.strip_suffix('/').unwrap_or(text);
    let is_prefix = ImageReference::new(&format!("{registry}/motif-block:1")).is_some();
    match registry.split_once("://") {
        Some((_, host)) => Err(format!("leave out the scheme: `{host}`")),
        None if is_prefix => Ok(registry.to_owned()),
        None => Err("a registry looks like `registry.example/team`".to_owned()),
    }
}

/// Reads a tag.
pub fn tag(text: &str) -> Result<String, String> {
    match ImageReference::new(&format!("image:{text}")) {
        Some(_) if !text.contains(['@', '/', ':']) => Ok(text.to_owned()),
        _ => Err(
            "a tag has 1 to 128 letters, digits, `_`, `.` and `-`, and starts with a letter, digit or `_`"
                .to_owned(),
        ),
    }
}

//! `motif export kubernetes --kustomize`.

use std::fs;
use std::path::Path;

use super::output::File;
use crate::export::kubernetes::Export;
use crate::export::kustomize::{base, overlay, overlay_path};
use crate::stack::Name;
use crate::terminal::Failure;

/// The files of the base, and of those overlays that are not there.
pub fn files(export: &Export, overlays: &[Name], folder: &Path) -> Result<Vec<File>, Failure> {
    let mut files = base(export)?;
    for name in overlays {
        let path = overlay_path(name);
        // Whatever stands there is the user's.
        if fs::symlink_metadata(folder.join(&path)).is_err() {
            files.push((path, overlay(export, name)?));
        }
    }
    Ok(files
        .into_iter()
        .map(|(path, text)| File::new(path, text))
        .collect())
}

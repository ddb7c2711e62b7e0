//! Turns exported objects into YAML or JSON text: one stream, or a file for each.

use serde::Serialize;

use super::{Export, Object};
use crate::export::mark::header;
use crate::yaml;

/// The form of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// YAML that readers of YAML 1.1 and 1.2 read alike.
    Yaml,
    /// JSON.
    Json,
}

impl Form {
    /// The ending of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Yaml => "yaml",
            Self::Json => "json",
        }
    }
}

/// Why objects can't be written.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// As YAML.
    #[error(transparent)]
    Yaml(#[from] yaml::Error),
    /// As JSON.
    #[error("failed to write JSON")]
    Json(#[from] serde_json::Error),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    api_version: &'static str,
    kind: &'static str,
    items: Vec<&'a Object>,
}

impl Export {
    /// All objects in one text: YAML documents, or one JSON list.
    pub fn stream(&self, form: Form) -> Result<String, TextError> {
        let objects = self.documents.iter().map(|document| &document.object);
        match form {
            Form::Yaml => Ok(format!(
                "{}{}",
                header(&self.stack),
                yaml::to_string_multiple(objects)?
            )),
            Form::Json => json(&List {
                api_version: "v1",
                kind: "List",
                items: objects.collect(),
            }),
        }
    }

    /// A file for each object: its name and its text.
    pub fn files(&self, form: Form) -> Result<Vec<(String, String)>, TextError> {
        self.documents
            .iter()
            .map(|document| {
                let text = match form {
                    Form::Yaml => format!("{}{}", header(&self.stack), yaml::to_string(&document.object)?),
                    Form::Json => json(&document.object)?,
                };
                Ok((format!("{}.{}", document.file_stem, form.extension()), text))
            })
            .collect()
    }
}

fn json(value: &impl Serialize) -> Result<String, TextError> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

//! Checks how a folder becomes an image.

use super::Checker;
use super::pod::PodScope;
use crate::diagnostic::{Diagnostic, quoted};
use crate::stack::files::{FileError, FileKind, project_path};
use crate::stack::raw::RawBuild;
use crate::stack::{Build, Name, Source};
use crate::yaml::{Map, Shorthand, Spanned, Text};

impl Checker<'_> {
    pub(super) fn build(
        &mut self,
        build: &Spanned<Shorthand<Text, RawBuild>>,
        pod: &PodScope<'_>,
    ) -> Option<Source> {
        let nothing = Map::default();
        let (mut secrets, mut platform) = (Vec::new(), None);
        if let Shorthand::Long(long) = &build.value {
            secrets = self.build_secrets(long, pod);
            platform = self.platform(long);
        }
        let (context, dockerfile, args, target) = match &build.value {
            Shorthand::Short(context) => (
                &Spanned {
                    value: context.clone(),
                    span: build.span,
                },
                None,
                &nothing,
                None,
            ),
            Shorthand::Long(long) => (
                long.context.get()?,
                long.dockerfile.get(),
                long.args.value().unwrap_or(&nothing),
                long.target.value(),
            ),
        };
        let folder = self.project_folder(context)?;
        let name = dockerfile.map_or("Dockerfile", |dockerfile| dockerfile.value.0.as_str());
        let span = dockerfile.map_or(context.span, |dockerfile| dockerfile.span);
        match project_path(&folder, name) {
            Ok(path) if self.files.kind(&path) != Ok(FileKind::File) => self.push(
                Diagnostic::error(span, format!("no file {}", quoted(&path)))
                    .help("a build needs a Dockerfile in its folder; name another with `dockerfile:`"),
            ),
            Ok(_) => {}
            Err(why) => self.push(Diagnostic::error(span, why)),
        }
        let mut build_args = Vec::new();
        for arg in &args.0 {
            if arg.key.value.is_empty() || arg.key.value.contains(['=', '\0']) {
                self.push(Diagnostic::error(
                    arg.key.span,
                    format!("{} can't name a build argument", quoted(&arg.key.value)),
                ));
            }
            if let Some(value) = &arg.value {
                build_args.push((arg.key.value.clone(), value.value.0.clone()));
            }
        }
        Some(Source::Build(Build {
            context: folder,
            dockerfile: name.to_owned(),
            args: build_args,
            target: target.map(|target| target.0.clone()),
            secrets,
            platform,
        }))
    }

    fn build_secrets(&mut self, build: &RawBuild, pod: &PodScope<'_>) -> Vec<(String, Name, String)> {
        let nothing = Map::default();
        let mut secrets = Vec::new();
        for entry in &build.secrets.value().unwrap_or(&nothing).0 {
            let id = &entry.key.value;
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if id.is_empty() || !id.chars().all(is_plain) {
                self.push(
                    Diagnostic::error(entry.key.span, format!("{} can't be a secret's id", quoted(id)))
                        .help("it is made of letters, digits, `-`, `_` and `.`"),
                );
            }
            let Some(value) = &entry.value else { continue };
            if let Some((secret, key)) = self.secret_key(&value.value, pod) {
                secrets.push((id.clone(), secret, key));
            }
        }
        secrets
    }

    fn platform(&mut self, build: &RawBuild) -> Option<String> {
        let written = build.platform.get()?;
        let text = &written.value.0;
        let parts: Vec<&str> = text.split('/').collect();
        let is_word = |part: &&str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        if matches!(parts.len(), 2 | 3) && parts.iter().all(is_word) {
            return Some(text.clone());
        }
        self.push(
            Diagnostic::error(written.span, format!("{} is no platform", quoted(text))).help(
                "a platform is a system and an architecture: `linux/amd64`, `linux/arm64`, `linux/arm/v7`",
            ),
        );
        None
    }

    fn project_folder(&mut self, written: &Spanned<Text>) -> Option<String> {
        let folder = match project_path("", &written.value.0) {
            Ok(folder) => folder,
            Err(why) => {
                self.push(
                    Diagnostic::error(written.span, why)
                        .help("a build context lies in the stack's folder or below it"),
                );
                return None;
            }
        };
        let problem = match self.files.kind(&folder) {
            Ok(FileKind::Folder) => return Some(folder),
            Ok(FileKind::File) => Diagnostic::error(
                written.span,
                format!("{} is a file, not a folder", quoted(&folder)),
            )
            .help("name the folder, and the Dockerfile with `dockerfile:`"),
            Err(error @ (FileError::Outside | FileError::Other(_))) => Diagnostic::error(
                written.span,
                format!("the folder {} can't be used: {error}", quoted(&folder)),
            ),
            Err(_) => {
                let siblings = self.files.list(".").unwrap_or_default();
                let meant = self
                    .problems
                    .did_you_mean(&folder, siblings.iter().map(String::as_str));
                Diagnostic::error(written.span, format!("no folder {}", quoted(&folder))).maybe_help(meant)
            }
        };
        self.push(problem);
        None
    }
}

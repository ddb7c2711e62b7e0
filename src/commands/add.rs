//! `motif add`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::changed_files::ChangedFiles;
use super::new::{answer, nobody_to_ask};
use super::patterns;
use super::stack_args::{LoadedStack, StackArgs, blocks};
use crate::diagnostic::{Listed, nearest};
use crate::disk::{self, Existing, NewFile};
use crate::parameters::Value;
use crate::pattern::{
    self, Answer, AnswerError, Answers, Catalogue, FRAGMENT, Fact, Pattern, Question, Unresolved,
};
use crate::project::{self, Addition, RelativePath, addition::Written};
use crate::render;
use crate::stack::{self, Container, Pod, Protocol, Role};
use crate::terminal::prompt::{Prompt, can_ask};
use crate::terminal::{Exit, Failure, Printer};

/// Add a pattern to a pod of the stack that is there
///
/// Writes the fragment `motif.PATTERN.POD.yaml` beside the stack, and one line or word into the stack's `include`
/// list; every other byte of it stays. The stack is checked with the fragment first: where it can't be, nothing is
/// written. `motif remove` takes away what was added.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  motif add sidecar/tls --to web
  motif add sidecar/tls --to web --defaults --set port=9443")]
pub struct AddArgs {
    /// The pattern: `motif patterns` lists them
    pattern: String,
    /// The pod that it is added to
    #[arg(long, value_name = "POD")]
    to: String,
    /// Answer a parameter
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Ask nothing: what is not given takes its default
    #[arg(long)]
    defaults: bool,
    /// Show what would be written, and how the stack would change
    #[arg(long)]
    dry_run: bool,
    /// Look for patterns in this folder too
    #[arg(long, value_name = "DIR")]
    catalog: Option<PathBuf>,
    /// Add to this stack instead of `stack.yaml`
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Adds the pattern.
pub fn run(args: &AddArgs, printer: Printer) -> Result<Exit, Failure> {
    let flags = args
        .set
        .iter()
        .map(|text| answer(text))
        .collect::<Result<Vec<_>, _>>()?;
    let catalogue = patterns::catalogue(args.catalog.as_deref())?;
    let pattern = patterns::find(&catalogue, &args.pattern)?;
    let addition = match &pattern.addition {
        Some(addition) => addition.as_ref(),
        None => return Err(nothing_to_add(&pattern, &catalogue)),
    };
    let stack_args = StackArgs {
        file: args.file.clone(),
        ..StackArgs::default()
    };
    let loaded = stack_args.load_quietly()?;
    let stack = &loaded.loaded.stack;
    let pod = stack.pod(&args.to).ok_or_else(|| no_pod(stack, &args.to))?;
    let record = Addition::record_of(&pattern.name, pod.name.as_str());
    if loaded.folder.join(&record).exists() {
        return Err(there_already(&loaded, &pattern.name, pod.name.as_str()));
    }
    let asks = !args.defaults && args.set.is_empty();
    let mut prompt = None;
    if asks && can_ask() {
        prompt = Some(Prompt::new(printer)?);
    }
    let mut ask = |question: &Question, default: Option<&Value>| match &mut prompt {
        // Where there is nothing to choose, nothing is asked.
        _ if question.parameter.choices.len() == 1 => Ok(None),
        Some(prompt) => prompt.value(&question.parameter, default).map(Some),
        None if asks && default.is_none() => Err(nobody_to_ask(&question.name)),
        None => Ok(None),
    };
    let answers = resolve(addition, stack.name().as_str(), pod, &flags, &mut ask)?;
    let rendered = render::render_files(addition, &answers)?;
    let file = args.file.clone().unwrap_or_else(|| PathBuf::from("stack.yaml"));
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    let change = Change::of(
        &loaded,
        &pattern,
        pod,
        &answers,
        &rendered,
        name.unwrap_or_default(),
    )?;
    change.check(&loaded, printer)?;
    let files = change.files();
    if args.dry_run {
        let existing = disk::compare(&loaded.folder, &files)?;
        printer.data(preview(&files, &existing))?;
        return Ok(Exit::Done);
    }
    disk::replace(&loaded.folder, &files)?;
    printer.status(format!(
        "Added `{}` to the pod `{}`: `{}`, which `{}` includes.\n\nNext:\n  motif up -d --wait\nTo take it away:\n  motif remove {} --from {}",
        pattern.name,
        pod.name,
        change.addition.fragment(),
        change.addition.stack,
        pattern.name,
        pod.name,
    ));
    Ok(Exit::Done)
}

/// Its record is there; a run that was killed before its last step did not include it.
fn there_already(loaded: &LoadedStack, pattern: &str, pod: &str) -> Failure {
    let fragment = Addition::fragment_of(pattern, pod);
    let takes_away = format!("`motif remove {pattern} --from {pod}` takes it away");
    if loaded.files.contains(&loaded.folder.join(&fragment)) {
        return Failure::usage(format!("`{pattern}` is in the pod `{pod}` already")).hint(takes_away);
    }
    Failure::usage(format!(
        "`{pattern}` was added to the pod `{pod}`, but the stack does not include `{fragment}`"
    ))
    .hint(format!("{takes_away}; then add it again"))
}

fn nothing_to_add(pattern: &Pattern, catalogue: &Catalogue) -> Failure {
    let failure = Failure::usage(format!(
        "`{}` is a project of its own, and can't be added to a pod",
        pattern.name
    ));
    let entries = catalogue.entries();
    let able: Vec<&str> = entries
        .iter()
        .filter(|entry| {
            catalogue
                .load(entry)
                .is_ok_and(|pattern| pattern.addition.is_some())
        })
        .map(|entry| entry.name.as_str())
        .collect();
    failure.hint(format!("what can be added: {}", Listed(able, "and")))
}

fn no_pod(stack: &stack::Stack, name: &str) -> Failure {
    let names = || stack.pods().iter().map(|pod| pod.name.as_str());
    let failure = Failure::usage(format!(
        "the stack has no pod {}",
        crate::diagnostic::quoted(name)
    ));
    match nearest(name, names()) {
        Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
        None if stack.pods().is_empty() => failure.hint("it has no pods at all"),
        None => failure.hint(format!("it has {}", Listed(names().collect(), "and"))),
    }
}

/// Answers what the addition asks: first which container it is for, then the rest, which depends on that.
fn resolve(
    addition: &Pattern,
    stack: &str,
    pod: &Pod,
    flags: &[Answer],
    ask: &mut pattern::Ask<'_, Failure>,
) -> Result<Answers, Failure> {
    let mut addition = addition.clone();
    let asks = |addition: &Pattern, fact: Fact| {
        addition
            .questions
            .iter()
            .any(|question| question.name == fact.name())
    };
    let needs_port = asks(&addition, Fact::Port);
    let mut chosen = None;
    if asks(&addition, Fact::Container) {
        let able: Vec<&Container> = pod
            .spec
            .with_role(Role::Main)
            .filter(|container| !needs_port || tcp_ports(container).next().is_some())
            .collect();
        if able.is_empty() {
            let what = if needs_port {
                "no container with a TCP port"
            } else {
                "no main container"
            };
            return Err(
                Failure::usage(format!("the pod `{}` has {what}", pod.name)).hint(format!(
                    "`{}` is for one: declare its port under `ports`",
                    addition.name
                )),
            );
        }
        let names: Vec<String> = able.iter().map(|container| container.name.to_string()).collect();
        choose(&mut addition, Fact::Container, &names);
        let only = Pattern {
            questions: vec![question(&addition, Fact::Container)],
            ..addition.clone()
        };
        let given: Vec<Answer> = flags
            .iter()
            .filter(|flag| flag.name == Fact::Container.name())
            .cloned()
            .collect();
        let answers = pattern::resolve(&only, stack, &given, &[], ask).map_err(failure)?;
        let name = answers
            .values
            .get(Fact::Container.name())
            .map(ToString::to_string);
        chosen = able
            .into_iter()
            .find(|container| name.as_deref() == Some(container.name.as_str()));
    }
    if let Some(container) = chosen {
        choose(&mut addition, Fact::Container, &[container.name.to_string()]);
        let ports: Vec<String> = tcp_ports(container).map(|port| port.to_string()).collect();
        choose(&mut addition, Fact::Port, &ports);
    }
    choose(&mut addition, Fact::Pod, &[pod.name.to_string()]);
    let folder = Addition::folder_of(&addition.name, pod.name.as_str());
    choose(&mut addition, Fact::Folder, &[folder]);
    pattern::resolve(&addition, stack, flags, &[], ask).map_err(failure)
}

fn failure(unresolved: Unresolved<Failure>) -> Failure {
    match unresolved {
        Unresolved::Wrong(wrong) => wrong_answers(&wrong),
        Unresolved::Prompt(failure) => failure,
    }
}

/// Says everything that is wrong with answers.
fn wrong_answers(wrong: &[AnswerError]) -> Failure {
    // Here they are in no file.
    let hint = |one: &AnswerError| match one {
        AnswerError::Missing { name } => Some(format!("give it with `--set {name}=…`")),
        _ => one.hint(),
    };
    if let [one] = wrong {
        let failure = Failure::usage(one.to_string());
        return hint(one).into_iter().fold(failure, Failure::hint);
    }
    let mut text = format!("{} answers can't be used:", wrong.len());
    for one in wrong {
        let _ = write!(text, "\n  {one}");
        if let Some(hint) = hint(one) {
            let _ = write!(text, "\n    {hint}");
        }
    }
    Failure::usage(text).hint("`motif patterns show PATTERN` says what it asks")
}

fn tcp_ports(container: &Container) -> impl Iterator<Item = u16> {
    container
        .ports
        .iter()
        .filter(|port| port.protocol == Protocol::Tcp)
        .map(|port| port.port)
}

fn question(addition: &Pattern, fact: Fact) -> Question {
    let found = addition
        .questions
        .iter()
        .find(|question| question.name == fact.name());
    found.cloned().unwrap_or_else(|| fact.question())
}

/// What a fact can be; where it is but one thing, it is that.
fn choose(addition: &mut Pattern, fact: Fact, choices: &[String]) {
    for question in &mut addition.questions {
        if question.name == fact.name() {
            if let [only] = choices {
                question.parameter.default = Some(Value::Text(only.clone()));
            }
            question.parameter.choices = choices.to_vec();
        }
    }
}

/// Everything that would be written.
struct Change {
    addition: Addition,
    record: (String, Vec<u8>),
    added: BTreeMap<String, (Vec<u8>, bool)>,
    stack: Vec<u8>,
    /// The stack can be run, whatever for.
    executable: bool,
}

impl Change {
    fn of(
        loaded: &LoadedStack,
        pattern: &Pattern,
        pod: &Pod,
        answers: &Answers,
        rendered: &project::Project,
        stack: String,
    ) -> Result<Self, Failure> {
        let name = pod.name.as_str();
        let fragment = Addition::fragment_of(&pattern.name, name);
        let folder = Addition::folder_of(&pattern.name, name);
        let mut added = BTreeMap::new();
        for (path, file) in rendered.files() {
            let target = match path.as_str().strip_prefix("files/") {
                Some(inner) => format!("{folder}/{inner}"),
                None if path.as_str() == FRAGMENT => fragment.clone(),
                None => continue,
            };
            RelativePath::new(&target)?;
            added.insert(target, (file.bytes.clone(), file.executable));
        }
        let taken: Vec<&str> = added
            .keys()
            .chain([&folder])
            .filter(|path| std::fs::symlink_metadata(loaded.folder.join(path)).is_ok())
            .map(String::as_str)
            .collect();
        if !taken.is_empty() {
            return Err(
                Failure::usage(format!("{} is there already", Listed(taken, "and")))
                    .hint("move it away: it takes the place of what would be added"),
            );
        }
        let executable = disk::is_executable(&loaded.folder.join(&stack));
        let bytes = disk::read_file(&loaded.folder.join(&stack), 4)?;
        let text = String::from_utf8(bytes)?;
        let insertion = stack::include(&text, &fragment).map_err(|error| {
            let failure = Failure::usage(format!("`{stack}` can't include the fragment: {error}"));
            failure.hint(match error {
                stack::NotEditable::List => "write it as a list, `include: []`",
                _ => "write `include: []` into it yourself, then add again",
            })
        })?;
        let mut edited = text;
        edited.insert_str(insertion.at, &insertion.text);
        let record = Addition::record_of(&pattern.name, name);
        let addition = Addition {
            pattern: pattern.name.clone(),
            version: pattern.version,
            pod: name.to_owned(),
            answers: answers
                .values
                .iter()
                .map(|(name, value)| (name.clone(), value.to_string()))
                .collect(),
            stack,
            inserted: insertion.text,
            files: added
                .iter()
                .map(|(path, (bytes, _))| (path.clone(), Written::of(bytes)))
                .collect(),
            folders: missing_folders(loaded, added.keys().chain([&record])),
        };
        Ok(Self {
            record: (record, addition.to_text().into_bytes()),
            addition,
            added,
            stack: edited.into_bytes(),
            executable,
        })
    }

    /// Checks the stack as it would be.
    fn check(&self, loaded: &LoadedStack, printer: Printer) -> Result<(), Failure> {
        let mut files = ChangedFiles::of(&loaded.folder);
        files.set(&self.addition.stack, Some(self.stack.clone()));
        for (path, (bytes, _)) in &self.added {
            files.set(path, Some(bytes.clone()));
        }
        let options = stack::Options {
            blocks: blocks(),
            ..stack::Options::default()
        };
        match stack::load(&files, &self.addition.stack, &options) {
            Ok(found) => {
                printer.problems(&found.warnings);
                Ok(())
            }
            Err(problems) => {
                printer.problems(&problems);
                Err(Failure::usage(format!(
                    "with `{}` the stack can't be: nothing was written",
                    self.addition.pattern
                )))
            }
        }
    }

    fn files(&self) -> Vec<NewFile<'_>> {
        let mut files: Vec<NewFile<'_>> = self
            .added
            .iter()
            .map(|(path, (bytes, executable))| NewFile {
                path,
                bytes,
                executable: *executable,
                private: false,
            })
            .collect();
        files.push(NewFile {
            path: &self.record.0,
            bytes: &self.record.1,
            executable: false,
            private: false,
        });
        // Last, so that nothing is included before it is there.
        files.push(NewFile {
            path: &self.addition.stack,
            bytes: &self.stack,
            executable: self.executable,
            private: false,
        });
        files
    }
}

/// The folders above some files that are not there, inner ones first.
fn missing_folders<'a>(loaded: &LoadedStack, paths: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut folders: Vec<String> = Vec::new();
    for path in paths {
        for (end, _) in path.match_indices('/') {
            let folder = &path[..end];
            if !loaded.folder.join(folder).exists() && !folders.iter().any(|found| found == folder) {
                folders.push(folder.to_owned());
            }
        }
    }
    folders.sort_by_key(|folder| std::cmp::Reverse(folder.matches('/').count()));
    folders
}

fn preview(files: &[NewFile<'_>], existing: &[Existing]) -> String {
    let mut text = String::new();
    for (file, existing) in files.iter().zip(existing) {
        let old: &[u8] = match existing {
            Existing::Absent => b"",
            Existing::Same => continue,
            Existing::Different(bytes) => bytes,
        };
        text.push_str(&project::unified(file.path, old, file.bytes));
    }
    text
}

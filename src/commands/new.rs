//! `motif new`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::patterns;
use super::stack_args::blocks;
use crate::disk::{self, Existing, NewFile};
use crate::parameters::{Kind, Value};
use crate::pattern::{self, Answer, AnswerError, Answers, AnswersFile, Pattern, Question, Unresolved};
use crate::project::{self, File, Project, RelativePath};
use crate::render;
use crate::stack::{self, MemoryFiles, Name};
use crate::terminal::prompt::{Prompt, can_ask};
use crate::terminal::{Exit, Failure, Printer};

/// The stack of a project.
const STACK: &str = "stack.yaml";

/// What editors complete and check the stack with; its first line names it.
const SCHEMA: &str = ".motif/stack.schema.json";

/// Write a project from a pattern
///
/// Asks at a terminal what was not given. `--set`, `--answers` and `--defaults` ask nothing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  motif new sidecar/tls shop
  motif new sidecar/tls shop --defaults --set app.image=nginx:1.27 --set app.port=80
  motif new container shop --defaults --set app.language=go
  motif new --answers shop/.motif/answers.yaml copy")]
pub struct NewArgs {
    /// The pattern: `motif patterns` lists them. With `--answers`, which says it, the folder to write
    pattern: Option<String>,
    /// The project's name, and its folder's
    name: Option<String>,
    /// Answer a parameter
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Take answers from a file; `--set` comes first
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Ask nothing: what is not given takes its default
    #[arg(long)]
    defaults: bool,
    /// Show what would be written, and how files that exist would change
    #[arg(long)]
    dry_run: bool,
    /// Replace files that exist; others in the folder stay as they are
    #[arg(long)]
    force: bool,
    /// Look for patterns in this folder too
    #[arg(long, value_name = "DIR")]
    catalog: Option<PathBuf>,
    /// Write into this folder; default the project's name
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Resolves the answers, renders the project and writes it.
pub fn run(args: NewArgs, printer: Printer) -> Result<Exit, Failure> {
    let file = match &args.answers {
        Some(path) => read_answers(path)?,
        None => AnswersFile::default(),
    };
    let flags = args
        .set
        .iter()
        .map(|text| answer(text))
        .collect::<Result<Vec<_>, _>>()?;
    let request = Request::of(&args, &file)?;
    let catalogue = patterns::catalogue(args.catalog.as_deref())?;
    let pattern = patterns::find(&catalogue, &request.pattern)?;
    if file.pattern.as_ref() == Some(&pattern.name)
        && file
            .version
            .is_some_and(|version| version != i64::from(pattern.version))
    {
        printer.warning(format!(
            "the answers are of another version of `{}`: the project may come out differently",
            pattern.name
        ));
    }
    let asks = !args.defaults && args.answers.is_none() && args.set.is_empty();
    let mut prompt = None;
    if asks && can_ask() {
        prompt = Some(Prompt::new(printer)?);
    }
    let name = project_name(request.name, prompt.as_mut())?;
    let folder = args
        .output
        .or(request.folder)
        .unwrap_or_else(|| PathBuf::from(name.as_str()));
    if !args.force && !args.dry_run {
        // Before anything is asked, so that no answer is given in vain.
        refuse_existing(&folder)?;
    }
    let mut ask = |question: &Question, default: Option<&Value>| match &mut prompt {
        Some(prompt) => prompt.value(&question.parameter, default).map(Some),
        None if asks => Err(nobody_to_ask(&question.name)),
        None => Ok(None),
    };
    let answers = pattern::resolve(&pattern, name.as_str(), &flags, &file.answers, &mut ask);
    let answers = answers.map_err(|unresolved| match unresolved {
        Unresolved::Wrong(wrong) => wrong_answers(&wrong),
        Unresolved::Prompt(failure) => failure,
    })?;
    let mut project = render::render(&pattern, &answers)?;
    finish(&mut project, &pattern, &answers, printer)?;
    let files: Vec<NewFile<'_>> = project
        .files()
        .iter()
        .map(|(path, file)| NewFile {
            path: path.as_str(),
            bytes: &file.bytes,
            executable: file.executable,
            private: false,
        })
        .collect();
    if args.dry_run {
        let existing = disk::compare(&folder, &files)?;
        printer.data(preview(&folder, &project, &existing))?;
        return Ok(Exit::Done);
    }
    write(&folder, &files, printer)?;
    after(&folder, &answers, printer);
    Ok(Exit::Done)
}

/// Puts the schema beside the stack, and checks the stack before anything is written.
fn finish(
    project: &mut Project,
    pattern: &Pattern,
    answers: &Answers,
    printer: Printer,
) -> Result<(), Failure> {
    if !project.files().keys().any(|path| path.as_str() == STACK) {
        return Ok(());
    }
    let schema = File {
        bytes: stack::json_schema().into_bytes(),
        executable: false,
    };
    project.add(RelativePath::new(SCHEMA)?, schema)?;
    let mut files = MemoryFiles::default();
    for (path, file) in project.files() {
        files.0.insert(path.as_str().to_owned(), file.bytes.clone());
    }
    // A folder that the user has, or will have.
    for question in pattern
        .questions
        .iter()
        .filter(|question| question.parameter.kind == Kind::Path)
    {
        let folder = answers.values.get(&question.name).map(ToString::to_string);
        if let Some(Ok(folder)) = folder.map(|folder| stack::project_path("", &folder)) {
            let dockerfile = if folder == "." {
                "Dockerfile".to_owned()
            } else {
                format!("{folder}/Dockerfile")
            };
            files.0.entry(dockerfile).or_default();
        }
    }
    let options = stack::Options {
        blocks: blocks(),
        ..stack::Options::default()
    };
    match stack::load(&files, STACK, &options) {
        Ok(loaded) => {
            printer.problems(&loaded.warnings);
            Ok(())
        }
        Err(problems) => {
            printer.problems(&problems);
            Err(Failure::usage(
                "these answers make a stack that can't be: nothing was written",
            ))
        }
    }
}

/// What the words on the command line and the answers file ask for.
struct Request {
    pattern: String,
    name: Option<String>,
    folder: Option<PathBuf>,
}

impl Request {
    fn of(args: &NewArgs, file: &AnswersFile) -> Result<Self, Failure> {
        match (&args.pattern, &args.name, &file.pattern) {
            (None, _, Some(pattern)) => Ok(Self {
                pattern: pattern.clone(),
                name: file.name.clone(),
                folder: None,
            }),
            (Some(folder), None, Some(pattern)) => Ok(Self {
                pattern: pattern.clone(),
                name: file.name.clone().or_else(|| {
                    let name = Path::new(folder).file_name()?;
                    Some(name.to_string_lossy().into_owned())
                }),
                folder: Some(PathBuf::from(folder)),
            }),
            (Some(pattern), name, _) => Ok(Self {
                pattern: pattern.clone(),
                name: name.as_ref().or(file.name.as_ref()).cloned(),
                folder: None,
            }),
            (None, _, None) => Err(Failure::usage("no pattern is given")
                .hint("`motif patterns` lists them; then `motif new PATTERN NAME`")),
        }
    }
}

/// The most MiB that a file of answers holds.
const MOST_ANSWERS: u64 = 4;

fn read_answers(path: &Path) -> Result<AnswersFile, Failure> {
    let bytes = disk::read_file(path, MOST_ANSWERS)?;
    Ok(pattern::read_answers(&path.to_string_lossy(), &bytes)?)
}

/// Reads `NAME=VALUE`.
pub fn answer(text: &str) -> Result<Answer, Failure> {
    match text.split_once('=') {
        Some((name, value)) => Ok(Answer {
            name: name.trim().to_owned(),
            text: value.to_owned(),
            place: None,
        }),
        None => Err(Failure::usage(format!("`--set {text}` has no `=`")).hint("write `--set NAME=VALUE`")),
    }
}

fn project_name(given: Option<String>, prompt: Option<&mut Prompt>) -> Result<Name, Failure> {
    let check = |text: &str| match Name::new(text) {
        Some(_) => Ok(()),
        None => Err(
            "a name is 1 to 63 small letters, digits and `-`, and begins and ends with a letter or digit"
                .to_owned(),
        ),
    };
    let text = match (given, prompt) {
        (Some(given), _) => given,
        (None, Some(prompt)) => prompt.text("name (of the project and its folder)", None, check)?,
        (None, None) => {
            return Err(Failure::usage("the project has no name").hint("name it: `motif new PATTERN NAME`"));
        }
    };
    Name::new(&text).ok_or_else(|| {
        let failure = Failure::usage(format!(
            "{} can't name a project",
            crate::diagnostic::quoted(&text)
        ))
        .hint("a name is 1 to 63 small letters, digits and `-`, and begins and ends with a letter or digit");
        match Name::nearest(&text) {
            Some(nearest) => failure.hint(format!("did you mean `{nearest}`?")),
            None => failure,
        }
    })
}

/// Says how to answer where nobody can be asked.
pub fn nobody_to_ask(parameter: &str) -> Failure {
    Failure::usage(format!(
        "`{parameter}` is not answered, and there is no terminal to ask at"
    ))
    .hint(format!(
        "answer it with `--set {parameter}=…`, or take the defaults with `--defaults`"
    ))
}

/// Says everything that is wrong with answers.
pub fn wrong_answers(wrong: &[AnswerError]) -> Failure {
    if let [one] = wrong {
        let failure = Failure::usage(one.to_string());
        return one.hint().into_iter().fold(failure, Failure::hint);
    }
    let mut text = format!("{} answers can't be used:", wrong.len());
    for one in wrong {
        let _ = write!(text, "\n  {one}");
        if let Some(hint) = one.hint() {
            let _ = write!(text, "\n    {hint}");
        }
    }
    Failure::usage(text).hint("`motif patterns show PATTERN` says what it asks")
}

/// An empty folder may be filled; anything else that exists is somebody's.
fn refuse_existing(folder: &Path) -> Result<(), Failure> {
    let is_free = match fs::symlink_metadata(folder) {
        Err(_) => true,
        Ok(metadata) if metadata.is_dir() => fs::read_dir(folder)?.next().is_none(),
        Ok(_) => false,
    };
    if is_free {
        return Ok(());
    }
    Err(Failure::usage(format!("`{}` is there already", folder.display()))
        .hint("write elsewhere with `--output DIR`")
        .hint("`--force` replaces the files that differ, and leaves all others; `--dry-run` shows which"))
}

fn preview(folder: &Path, project: &Project, existing: &[Existing]) -> String {
    let marked = project.files().keys().zip(existing).map(|(path, existing)| {
        let remark = match existing {
            Existing::Absent => "",
            Existing::Same => "(unchanged)",
            Existing::Different(_) => "(changed)",
        };
        (path.as_str(), remark)
    });
    let mut text = project::tree(&folder.to_string_lossy(), marked);
    for ((path, file), existing) in project.files().iter().zip(existing) {
        if let Existing::Different(old) = existing {
            text.push('\n');
            text.push_str(&project::unified(path.as_str(), old, &file.bytes));
        }
    }
    text
}

fn write(folder: &Path, files: &[NewFile<'_>], printer: Printer) -> Result<(), Failure> {
    if !folder.exists() {
        disk::create(folder, files)?;
        printer.status(format!("Wrote {} files to `{}`.", files.len(), folder.display()));
        return Ok(());
    }
    let existing = disk::replace(folder, files)?;
    let count = |wanted: fn(&Existing) -> bool| existing.iter().filter(|existing| wanted(existing)).count();
    printer.status(format!(
        "Wrote `{}`: {} new, {} replaced, {} unchanged.",
        folder.display(),
        count(|existing| *existing == Existing::Absent),
        count(|existing| matches!(existing, Existing::Different(_))),
        count(|existing| *existing == Existing::Same),
    ));
    Ok(())
}

/// Says what to do next.
fn after(folder: &Path, answers: &Answers, printer: Printer) {
    if let Some(pattern_value) = answers.values.get("app.build") {
        let dockerfile = folder.join(pattern_value.to_string()).join("Dockerfile");
        if !dockerfile.exists() {
            printer.warning(format!(
                "there is no `{}` yet: write it before `motif up`, which builds the image from it",
                dockerfile.display()
            ));
        }
    }
    printer.status(format!(
        "\nNext:\n  cd {}\n  motif up -d --wait",
        shell_word(&folder.to_string_lossy())
    ));
}

fn shell_word(text: &str) -> String {
    let is_plain = text
        .chars()
        .all(|character| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-' | '/'));
    if is_plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

//! `motif why`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Args;
use serde_json::json;

use super::engine::{failed, nothing_stands, runtime};
use super::selection::SelectionArgs;
use super::stack_args::StackArgs;
use crate::engine::docker::{Docker, Error};
use crate::engine::overview::{Member, Overview, overview};
use crate::engine::selector::{self, Selector};
use crate::engine::why::{Diagnosis, Wanted, diagnose};
use crate::stack::Stack;
use crate::terminal::{Exit, Failure, Format, Printer};

/// Say why something of the stack is not as it should be
///
/// Follows the causes: which container, how it ended or what its probe got, its last lines, and what it comes after.
/// Exit code 1 when something is wrong.
#[derive(Debug, Args)]
pub struct WhyArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Pods, replicas, jobs or services [default: all]
    #[arg(value_name = "POD")]
    names: Vec<String>,
    /// Print for people, or as one JSON document
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

/// Says what is wrong, and why.
pub fn run(args: &WhyArgs, host: Option<&str>, printer: Printer) -> Result<Exit, Failure> {
    // What the file says helps, and isn't needed.
    let file = StackArgs {
        file: args.selection.file.clone(),
        project_name: args.selection.project_name.clone(),
        ..StackArgs::default()
    };
    let is_written = file.file.is_some() || Path::new("stack.yaml").exists();
    let loaded = match is_written.then(|| file.load_quietly()) {
        None => None,
        Some(Ok(loaded)) => Some(loaded.loaded),
        Some(Err(_)) => {
            printer.warning(
                "the stack's file is not valid, so this is of what stands only; `motif check` says where",
            );
            None
        }
    };
    let stack = loaded.as_ref().map(|loaded| &loaded.stack);
    runtime()?.block_on(async {
        let (docker, name) = args.selection.open(host).await?;
        let members = docker.list(&name).await.map_err(failed)?;
        let is_empty = members.is_empty();
        let selected = select(&name, &args.names, &members, stack)?;
        let found = diagnoses(&docker, members, stack, &selected)
            .await
            .map_err(failed)?;
        match args.format {
            Format::Json => {
                let document = json!(found);
                printer.data(format!("{document:#}\n"))?;
            }
            Format::Table if is_empty => printer.status(nothing_stands(&name)),
            Format::Table => tell(&found, &name, printer)?,
        }
        Ok(if found.is_empty() && !is_empty {
            Exit::Done
        } else {
            Exit::Failed
        })
    })
}

fn tell(found: &[Diagnosis], stack: &str, printer: Printer) -> Result<(), Failure> {
    if found.is_empty() {
        printer.status(format!("everything of stack {stack} is as it should be"));
    }
    for diagnosis in found {
        printer.page(format!("{diagnosis}\n"))?;
    }
    let hints: BTreeSet<String> = found.iter().flat_map(Diagnosis::hints).collect();
    for hint in hints {
        printer.hint(hint);
    }
    Ok(())
}

/// Everything that is wrong with some units; none named is all.
async fn diagnoses(
    docker: &Docker,
    members: Vec<Member>,
    stack: Option<&Stack>,
    selected: &BTreeSet<String>,
) -> Result<Vec<Diagnosis>, Error> {
    let failures = docker.failures(&members).await;
    let (wanted, services) = stack.map(expectations).unwrap_or_default();
    Ok(diagnose(
        &overview(members),
        &failures,
        &wanted,
        &services,
        selected,
    ))
}

/// What a stack that was just brought up is not, as far as it has to do with one of its pods.
pub async fn of_pod(docker: &Docker, stack: &Stack, pod: &str) -> Vec<Diagnosis> {
    let Ok(members) = docker.list(stack.name().as_str()).await else {
        return Vec::new();
    };
    let selected = BTreeSet::from([pod.to_owned()]);
    diagnoses(docker, members, Some(stack), &selected)
        .await
        .unwrap_or_default()
}

type Expectations = (BTreeMap<String, Wanted>, BTreeMap<String, String>);

/// What a stack's file says there should be: pods and jobs, and the pod behind each service.
fn expectations(stack: &Stack) -> Expectations {
    let pods = stack
        .pods()
        .iter()
        .map(|pod| (&pod.name, Some(pod.replicas), &pod.spec));
    let jobs = stack.jobs().iter().map(|job| (&job.name, None, &job.spec));
    let wanted = pods.chain(jobs).map(|(name, replicas, spec)| {
        let after = spec.after.iter().map(|after| after.on.to_string()).collect();
        (name.to_string(), Wanted { replicas, after })
    });
    let services = stack.services().iter();
    let services = services.map(|service| (service.name.to_string(), service.pod.to_string()));
    (wanted.collect(), services.collect())
}

/// The names of what is meant: pods, jobs, services, or replicas.
fn select(
    stack: &str,
    names: &[String],
    members: &[Member],
    file: Option<&Stack>,
) -> Result<BTreeSet<String>, Failure> {
    let mut selected = BTreeSet::new();
    for name in names {
        let is_written = file.is_some_and(|file| {
            file.pod(name).is_some() || file.jobs().iter().any(|job| job.name.as_str() == name)
        });
        if is_written {
            selected.insert(name.clone());
            continue;
        }
        let found = selector::select(stack, &[Selector::new(name)], members, |member| &member.labels);
        let found = found.map_err(|error| {
            let hint = error.hint();
            Failure::from(error).hint(hint)
        })?;
        if found.iter().any(|member| &member.labels.pod == name) {
            selected.insert(name.clone());
        } else {
            let found = found.into_iter().cloned().collect();
            selected.extend(overview(found).iter().map(Overview::name));
        }
    }
    Ok(selected)
}

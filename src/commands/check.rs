//! `motif check`.

use clap::Args;
use serde_json::{Map, Value, json};

use super::export::{self, ReportTarget};
use super::stack_args::StackArgs;
use super::verify::check_changes;
use crate::diagnostic::{Problems, Severity};
use crate::parameters;
use crate::stack::Stack;
use crate::terminal::{Exit, Failure, Format, Printer};

/// Check a stack and report every problem at once
///
/// Reads `stack.yaml` with everything that it includes, fills in its parameters, and checks
/// every name, port, path and reference. Needs no Docker engine.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Print the result for people, or as one JSON document
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
    /// Say what an export would change, too
    #[arg(long, value_name = "TARGET")]
    target: Option<ReportTarget>,
}

/// Checks the stack.
pub fn run(args: &CheckArgs, printer: Printer) -> Result<Exit, Failure> {
    let result = args.stack.load_quietly().and_then(|loaded| {
        let promises = loaded.loaded.stack.promises();
        promises
            .iter()
            .try_for_each(|promise| check_changes(&args.stack, promise))?;
        Ok(loaded)
    });
    if args.format == Format::Json {
        let (document, exit) = match &result {
            Ok(found) => {
                let stack = &found.loaded.stack;
                let mut document = json!({
                    "valid": true,
                    "stack": summary(stack),
                    "problems": list(&found.loaded.warnings),
                });
                let mut exit = Exit::Done;
                if let Some(target) = args.target {
                    let (lines, refused) = match target.report(stack) {
                        Ok(report) => (serde_json::to_value(report.lines())?, Value::Null),
                        Err(failure) => (json!([]), failure.error.to_string().into()),
                    };
                    if !refused.is_null() {
                        exit = Exit::Failed;
                    }
                    document["export"] =
                        json!({ "target": target.word(), "report": lines, "refused": refused });
                }
                (document, exit)
            }
            Err(failure) => match failure.error.downcast_ref::<Problems>() {
                Some(problems) => (
                    json!({ "valid": false, "stack": null, "problems": list(problems) }),
                    Exit::Failed,
                ),
                None => return result.map(|_| Exit::Done),
            },
        };
        printer.data(format!("{document:#}\n"))?;
        return Ok(exit);
    }
    let found = result?;
    printer.problems(&found.loaded.warnings);
    if let Some(target) = args.target {
        export::tell(&target.report(&found.loaded.stack)?, printer);
    }
    printer.status(sentence(&found.loaded.stack));
    Ok(Exit::Done)
}

fn summary(stack: &Stack) -> Value {
    let parameters: Map<String, Value> = stack
        .parameters()
        .iter()
        .map(|(name, value)| (name.clone(), json_value(value)))
        .collect();
    let promises: Map<String, Value> = stack
        .promises()
        .iter()
        .map(|promise| (promise.name.to_string(), promise.says.as_str().into()))
        .collect();
    json!({
        "name": stack.name().as_str(),
        "parameters": parameters,
        "pods": stack.pods().iter().map(|pod| pod.name.as_str()).collect::<Vec<_>>(),
        "jobs": stack.jobs().iter().map(|job| job.name.as_str()).collect::<Vec<_>>(),
        "services": stack.services().iter().map(|service| service.name.as_str()).collect::<Vec<_>>(),
        "secrets": stack.secrets().keys().map(crate::stack::Name::as_str).collect::<Vec<_>>(),
        "promises": promises,
    })
}

fn json_value(value: &parameters::Value) -> Value {
    match value {
        parameters::Value::Text(text) => text.as_str().into(),
        parameters::Value::Integer(value) => (*value).into(),
        parameters::Value::Number(value, _) => (*value).into(),
        parameters::Value::Boolean(value) => (*value).into(),
    }
}

fn list(problems: &Problems) -> Vec<Value> {
    problems
        .list
        .iter()
        .map(|problem| {
            let place = problems.sources.place(problem.span);
            let related: Vec<Value> = problem
                .related
                .iter()
                .map(|(span, label)| {
                    let place = problems.sources.place(*span);
                    json!({ "path": place.path, "line": place.line, "column": place.column, "message": label })
                })
                .collect();
            json!({
                "severity": match problem.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                },
                "message": problem.message,
                "path": place.path,
                "line": place.line,
                "column": place.column,
                "help": problem.help,
                "related": related,
            })
        })
        .collect()
}

/// `stack shop is valid: 2 pods, 1 service`.
fn sentence(stack: &Stack) -> String {
    let parts: Vec<String> = [
        ("pod", stack.pods().len()),
        ("job", stack.jobs().len()),
        ("service", stack.services().len()),
        ("secret", stack.secrets().len()),
        ("promise", stack.promises().len()),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(noun, count)| format!("{count} {noun}{}", if count == 1 { "" } else { "s" }))
    .collect();
    format!("stack `{}` is valid: {}", stack.name(), parts.join(", "))
}

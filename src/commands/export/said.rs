//! What is said about an export: for people or machines, and fatal where that is asked for.

use clap::{Args, ValueEnum};

use crate::export::{Report, ReportLine, Verdict};
use crate::terminal::{Failure, Printer};

/// How the report of an export is given.
#[derive(Debug, Args)]
pub struct SaidArgs {
    /// Fail, and write nothing, when anything isn't kept
    #[arg(long)]
    strict: bool,
    /// The form of what is said on stderr about the export
    ///
    /// Beside a JSON document stderr has nothing but why the command failed.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    report: ReportFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// Lines for people
    Text,
    /// One JSON document
    Json,
}

impl SaidArgs {
    /// What says everything else.
    pub fn printer(&self, printer: Printer) -> Printer {
        match self.report {
            ReportFormat::Text => printer,
            ReportFormat::Json => printer.for_a_document(),
        }
    }

    /// Says the report; fails when something isn't kept and that is not to be.
    pub fn say(&self, report: &Report, printer: Printer) -> Result<(), Failure> {
        match self.report {
            ReportFormat::Text => tell(report, printer),
            ReportFormat::Json => printer.document(serde_json::to_string_pretty(report.lines())?),
        }
        let changed = report.count(Verdict::Approximated) + report.count(Verdict::Dropped);
        if self.strict && changed > 0 {
            let fields = if changed == 1 {
                "field isn't"
            } else {
                "fields aren't"
            };
            return Err(Failure::from(anyhow::anyhow!(
                "{changed} {fields} kept, which `--strict` asks for"
            ))
            .hint("change what is said above, or leave out `--strict`"));
        }
        Ok(())
    }
}

/// Says the report to people.
pub fn tell(report: &Report, printer: Printer) {
    for line in report.lines() {
        match line.row.verdict {
            Verdict::Kept => printer.status(describe(line)),
            Verdict::Approximated | Verdict::Dropped => printer.warning(describe(line)),
        }
    }
}

fn describe(line: &ReportLine) -> String {
    let verdict = match line.row.verdict {
        Verdict::Kept => String::new(),
        other => format!(" is {other}"),
    };
    format!(
        "{}: {}{verdict}: {}\n  {}",
        line.place, line.path, line.message, line.remedy
    )
}

//! The command line: what can be typed, and the one place where the process ends.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::commands;
use crate::terminal::{ColorChoice, Exit, Printer};

/// Container patterns as working software
///
/// Scaffold a pattern, run it as real pods on the local Docker engine,
/// and ship the same stack to a cluster.
#[derive(Debug, Parser)]
#[command(name = "motif", version, max_term_width = 100)]
#[command(
    after_help = "Start with `motif patterns`, then `motif new sidecar/tls shop && cd shop && motif up -d --wait`."
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Use colour
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        global = true,
        env = "MOTIF_COLOR"
    )]
    pub color: ColorChoice,
    /// Say nothing but warnings and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Work in another folder
    #[arg(short = 'C', long, value_name = "DIR", global = true)]
    pub directory: Option<PathBuf>,
    /// Talk to this Docker engine: `unix:///…`, `tcp://…` or `ssh://…`
    #[arg(short = 'H', long, value_name = "ADDRESS", global = true)]
    pub host: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(commands::new::NewArgs),
    Add(commands::add::AddArgs),
    Remove(commands::remove::RemoveArgs),
    Patterns(commands::patterns::PatternsArgs),
    Check(commands::check::CheckArgs),
    Schema(commands::schema::SchemaArgs),
    Up(commands::up::UpArgs),
    Scale(commands::scale::ScaleArgs),
    Verify(commands::verify::VerifyArgs),
    Ps(commands::ps::PsArgs),
    Top(commands::top::TopArgs),
    Why(commands::why::WhyArgs),
    // `-f` follows, as in `docker compose logs`; the file is `--file` here.
    #[command(mut_arg("file", |file| file.short(None)))]
    Logs(commands::logs::LogsArgs),
    Exec(commands::exec::ExecArgs),
    Down(commands::down::DownArgs),
    Supervise(commands::supervise::SuperviseArgs),
    Export(commands::export::ExportArgs),
    Push(commands::push::PushArgs),
    #[command(mut_arg("report", |report| report.help("The form of what is said on stderr about the import")))]
    Import(commands::import::ImportArgs),
    Inspect(commands::inspect::InspectArgs),
    Images(commands::images::ImagesArgs),
    Prune(commands::prune::PruneArgs),
    Block(commands::block::BlockArgs),
    Completions(commands::completions::CompletionsArgs),
    Man(commands::man::ManArgs),
}

/// Runs one command line and ends with its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
            let _ = error.print();
            return exit.into();
        }
    };
    let printer = Printer::new(cli.global.color, cli.global.quiet);
    if let Some(directory) = &cli.global.directory
        && let Err(error) = std::env::set_current_dir(directory)
    {
        printer.failure(
            &anyhow::Error::new(error)
                .context(format!("failed to enter `{}`", directory.display()))
                .into(),
        );
        return Exit::Usage.into();
    }
    let host = cli.global.host.as_deref();
    let result = match cli.command {
        Command::Add(args) => commands::add::run(&args, printer),
        Command::Block(args) => commands::block::run(args, printer),
        Command::Check(args) => commands::check::run(&args, printer),
        Command::Completions(args) => commands::completions::run(&args, Cli::command(), printer),
        Command::Down(args) => commands::down::run(&args, host, printer),
        Command::Exec(args) => commands::exec::run(&args, host, printer),
        Command::Export(args) => commands::export::run(&args, host, printer),
        Command::Images(args) => commands::images::run(&args, host, printer),
        Command::Import(args) => commands::import::run(&args, printer),
        Command::Inspect(args) => commands::inspect::run(&args, host, printer),
        Command::Logs(args) => commands::logs::run(&args, host, printer),
        Command::Man(args) => commands::man::run(&args, Cli::command(), printer),
        Command::New(args) => commands::new::run(args, printer),
        Command::Patterns(args) => commands::patterns::run(&args, printer),
        Command::Prune(args) => commands::prune::run(&args, host, printer),
        Command::Ps(args) => commands::ps::run(&args, host, printer),
        Command::Push(args) => commands::push::run(&args, host, printer),
        Command::Remove(args) => commands::remove::run(&args, printer),
        Command::Scale(args) => commands::scale::run(args, host, printer),
        Command::Schema(args) => commands::schema::run(&args, printer),
        Command::Supervise(args) => commands::supervise::run(&args, host, printer),
        Command::Top(args) => commands::top::run(&args, host, printer),
        Command::Why(args) => commands::why::run(&args, host, printer),
        Command::Verify(args) => commands::verify::run(&args, host, printer),
        Command::Up(args) => commands::up::run(&args, host, printer),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            printer.failure(&failure);
            failure.exit.into()
        }
    }
}

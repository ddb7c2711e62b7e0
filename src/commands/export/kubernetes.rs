//! `motif export kubernetes`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::images::{block_image, registry, tag};
use super::output::{self, File, Removal};
use super::said::SaidArgs;
use super::{helm, kustomize, pin};
use crate::commands::stack_args::StackArgs;
use crate::engine::secrets::Secrets;
use crate::export::Report;
use crate::export::kubernetes::{self, Form, Gateway, Options, SecretValues, Sidecars};
use crate::stack::{Name, Stack};
use crate::terminal::{Exit, Failure, Printer};

/// Print the stack as Kubernetes objects, to be applied as they are
///
/// `motif export kubernetes | kubectl apply -f -`
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct KubernetesArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Put every object into this namespace
    #[arg(short, long, value_name = "NAME", value_parser = name)]
    namespace: Option<Name>,
    /// Write a file for each object into a folder; `-` prints all of them
    ///
    /// Files that an export didn't write are never touched.
    #[arg(short, long, value_name = "DIR", default_value = "-", value_hint = clap::ValueHint::DirPath)]
    output: PathBuf,
    /// Pull built and block images from here, such as `registry.example/team`
    #[arg(long, value_name = "REGISTRY", env = "MOTIF_REGISTRY", value_parser = registry)]
    registry: Option<String>,
    /// The tag of built images
    #[arg(long, value_name = "TAG", default_value = "latest", value_parser = tag)]
    tag: String,
    /// Write the values of secrets, too, instead of how to make them
    ///
    /// Files that hold them are for their owner alone.
    #[arg(long, conflicts_with_all = ["helm", "kustomize"])]
    include_secrets: bool,
    /// Give each service that is published to the world the host `SERVICE.DOMAIN`
    ///
    /// A service with several ports for requests has a host for each: `SERVICE-PORT.DOMAIN`.
    #[arg(long, value_name = "DOMAIN", value_parser = domain)]
    domain: Option<String>,
    /// Publish by routes of this gateway, NAME or NAMESPACE/NAME, instead of an Ingress
    #[arg(long, value_name = "GATEWAY", value_parser = gateway)]
    gateway: Option<Gateway>,
    /// The class of the Ingress; default: the cluster's own
    #[arg(long, value_name = "CLASS", conflicts_with = "gateway", value_parser = domain)]
    ingress_class: Option<String>,
    /// Where sidecars stand in a pod
    #[arg(long, value_name = "FORM", default_value = "native")]
    sidecars: SidecarForm,
    /// The form of the objects
    #[arg(long, value_name = "FORMAT", default_value = "yaml")]
    format: Format,
    /// Name every image with its digest, which its registry is asked for
    ///
    /// `motif push` takes built and block images there.
    #[arg(long, requires = "registry")]
    pin: bool,
    /// Write a Kustomize base into the folder, for overlays to build upon
    #[arg(long, requires = "output", conflicts_with_all = ["helm", "format"])]
    kustomize: bool,
    /// Begin an overlay of this name beside the base, unless it is there; may be repeated
    ///
    /// It is yours: no export writes it again.
    #[arg(long, value_name = "NAME", requires = "kustomize", value_parser = name)]
    overlay: Vec<Name>,
    /// Write a Helm chart into the folder; the stack's parameters are its values
    #[arg(long, requires = "output", conflicts_with_all = ["namespace", "format"])]
    helm: bool,
    /// Write nothing, and fail with a diff when the files in the folder are not what the stack gives
    #[arg(long, requires = "output")]
    check: bool,
    #[command(flatten)]
    said: SaidArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// YAML documents
    Yaml,
    /// One JSON document
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SidecarForm {
    /// Init containers that go on; Kubernetes 1.29 or later
    Native,
    /// Before the main containers, for older clusters and for Podman
    Main,
}

/// Exports the stack.
pub fn run(args: &KubernetesArgs, host: Option<&str>, printer: Printer) -> Result<Exit, Failure> {
    let printer = args.said.printer(printer);
    if output::is_stdout(&args.output) && (args.helm || args.kustomize) {
        return Err(
            Failure::usage("a chart or a base is a folder of files, which stdout is not")
                .hint("name the folder with `--output DIR`"),
        );
    }
    let found = args.stack.load(printer)?;
    let stack = &found.loaded.stack;
    let mut options = Options {
        folder: output::way(Path::new("."), &found.folder)?,
        namespace: args.namespace.clone(),
        registry: args.registry.clone(),
        tag: args.tag.clone(),
        domain: args.domain.clone(),
        gateway: args.gateway.clone(),
        ingress_class: args.ingress_class.clone(),
        sidecars: match args.sidecars {
            SidecarForm::Native => Sidecars::Native,
            SidecarForm::Main => Sidecars::Main,
        },
        secrets: values(args, stack, &found.folder)?,
        ..plain_options(stack)?
    };
    if args.pin {
        options.pins = pin::digests(&kubernetes::references(stack, &options), host)?;
    }
    let mut export = kubernetes::export(stack, &options).map_err(refused)?;
    let mut chart = None;
    if args.helm {
        let (files, report) = helm::files(&args.stack, &found.loaded, &options)?;
        export.report = export.report.and(report);
        chart = Some(files);
    }
    args.said.say(&export.report, printer)?;
    let form = match args.format {
        Format::Yaml => Form::Yaml,
        Format::Json => Form::Json,
    };
    let removal = if args.helm {
        Removal::Helm
    } else {
        Removal::Kubectl
    };
    let files = || -> Result<Vec<File>, Failure> {
        if let Some(chart) = chart {
            return Ok(chart);
        }
        if args.kustomize {
            return kustomize::files(&export, &args.overlay, &args.output);
        }
        let files = export.files(form)?;
        Ok(files
            .into_iter()
            .map(|(path, text)| File::new(path, text))
            .collect())
    };
    if output::is_stdout(&args.output) {
        printer.data(export.stream(form)?)?;
    } else if args.check {
        output::check(&files()?, &args.output, stack.name(), printer)?;
    } else {
        output::write(&files()?, &args.output, stack.name(), removal, printer)?;
    }
    Ok(Exit::Done)
}

/// What is exported when nothing is asked for.
fn plain_options(stack: &Stack) -> Result<Options, Failure> {
    Ok(Options {
        tag: "latest".to_owned(),
        block_image: block_image(stack)?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Options::default()
    })
}

/// What an export would say, or everything that a cluster would refuse.
pub fn report(stack: &Stack) -> Result<Report, Failure> {
    let export = kubernetes::export(stack, &plain_options(stack)?).map_err(refused)?;
    Ok(export.report)
}

/// Everything that a cluster would refuse, in one failure.
pub fn refused(errors: Vec<kubernetes::Error>) -> Failure {
    let count = errors.len();
    let noun = if count == 1 { "thing" } else { "things" };
    let mut message = format!("a cluster would refuse {count} {noun}");
    for error in errors {
        let _ = write!(message, "\n  {error}");
    }
    Failure::from(anyhow::Error::msg(message))
}

fn name(text: &str) -> Result<Name, String> {
    Name::new(text).ok_or_else(|| {
        "a name has 1 to 63 of a-z, 0-9 and -, and starts and ends with a letter or digit".to_owned()
    })
}

/// The values of secrets, where they are asked for.
fn values(args: &KubernetesArgs, stack: &Stack, project: &Path) -> Result<SecretValues, Failure> {
    if !args.include_secrets {
        return Ok(SecretValues::default());
    }
    Secrets::existing(stack, project)
        .map(SecretValues)
        .map_err(|error| {
            let hint = error.hint();
            let failure = Failure::from(error);
            match hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })
}

/// Reads a DNS name; the class of an ingress has the same form.
fn domain(text: &str) -> Result<String, String> {
    let is_domain = text.len() <= 253 && text.split('.').all(|label| Name::new(label).is_some());
    is_domain
        .then(|| text.to_owned())
        .ok_or_else(|| "it has parts of a-z, 0-9 and -, with dots between, as `example.com` has".to_owned())
}

fn gateway(text: &str) -> Result<Gateway, String> {
    let (namespace, gateway) = match text.split_once('/') {
        Some((namespace, gateway)) => (Some(namespace), gateway),
        None => (None, text),
    };
    let namespace = namespace.map(name).transpose();
    let why = |why| format!("it is NAME or NAMESPACE/NAME: {why}");
    Ok(Gateway {
        namespace: namespace.map_err(why)?.map(|name| name.to_string()),
        name: domain(gateway).map_err(why)?,
    })
}

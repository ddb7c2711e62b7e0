//! Turns a folder with a Dockerfile into an image, once for each content.

mod context;
mod dockerfile;
mod ignore;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use bollard::query_parameters::{
    BuildImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptionsBuilder,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use context::Context;
pub use context::ContextError;
use dockerfile::{Dockerfile, Instruction};

use super::{Answer, Docker, Error, ImageId};
use crate::engine::desired::hex;
use crate::engine::labels;
use crate::engine::secrets::Secrets;
use crate::engine::{Events, Work};
use crate::stack;

/// An image to build.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The folder that `build.context` is relative to.
    pub project: &'a Path,
    /// The stack that it is for.
    pub stack: &'a str,
    /// The pod or job that it is for.
    pub pod: &'a str,
    /// The container that it is for.
    pub container: &'a str,
    /// What to build.
    pub build: &'a stack::Build,
    /// The stack's secrets: none of their files goes into an image.
    pub secrets: &'a Secrets,
    /// Whether to build again what is there already, without the builder's cache.
    pub afresh: bool,
}

/// An image that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Its name: `shop-web-app:0123456789ab`.
    pub name: String,
    /// Its digest.
    pub id: ImageId,
    /// Whether it was built just now.
    pub is_new: bool,
}

/// Why an image could not be built.
#[derive(Debug, thiserror::Error)]
#[error("failed to build `{dockerfile}` for `{container}`")]
pub struct BuildError {
    /// The Dockerfile, as a person finds it.
    pub dockerfile: String,
    /// The container that it is for: `web/app`.
    pub container: String,
    /// What went wrong.
    #[source]
    pub cause: BuildFailure,
}

/// What went wrong in a build.
#[derive(Debug, thiserror::Error)]
pub enum BuildFailure {
    /// Before anything was sent.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The engine didn't begin.
    #[error(transparent)]
    Engine(#[from] Answer),
    /// A step failed.
    #[error("{place}: `{instruction}` {end}{}", quoted(output))]
    Step {
        /// File and line.
        place: String,
        /// The instruction.
        instruction: String,
        /// How it ended: `ended with exit code 1`.
        end: String,
        /// Its last lines.
        output: Vec<String>,
    },
    /// The builder failed outside of a step.
    #[error("{reason}{}", quoted(output))]
    Builder {
        /// The builder's word.
        reason: String,
        /// Its last lines.
        output: Vec<String>,
    },
}

impl BuildFailure {
    /// Whether a layer that the builder had found in its cache was gone when it came to use it.
    fn lost_a_layer(&self) -> bool {
        let reason = match self {
            Self::Step { end, .. } => end,
            Self::Builder { reason, .. } => reason,
            Self::Context(_) | Self::Engine(_) => return false,
        };
        reason.contains("unknown parent image ID") || reason.contains("No such image: sha256:")
    }
}

impl BuildError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match &self.cause {
            BuildFailure::Context(error) => error.hint(),
            BuildFailure::Step { end, .. } if is_registry_failure(end) => Some(
                "the base image isn't on the engine and could not be pulled: check its name, `docker pull` it, or `docker login`"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

fn is_registry_failure(text: &str) -> bool {
    [
        "pull access denied",
        "manifest unknown",
        "no such host",
        "manifest for",
        "registry",
        "i/o timeout",
        "connection refused",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}

fn quoted(lines: &[String]) -> String {
    lines
        .iter()
        .fold(String::new(), |text, line| format!("{text}\n    | {line}"))
}

/// How many of the last lines of a failed step are shown.
const SHOWN: usize = 20;

impl Docker {
    /// Makes sure that the image of a folder is on the engine.
    ///
    /// Its tag is the digest of all that goes into it: context, Dockerfile, arguments, target and
    /// the base images as they are on the engine. Where an image with that tag exists, nothing is
    /// sent. Older images of the same container go when a new one was built and nothing uses them.
    pub async fn ensure_built(&self, order: Order<'_>, events: &Events) -> Result<Built, Error> {
        let failed = |cause| failed(&order, cause);
        let recipe = self.recipe(order).await?;
        let name = recipe.name();
        if !order.afresh
            && let Some(id) = self.find_tagged(&name, &recipe.hash).await?
        {
            return Ok(Built {
                name,
                id,
                is_new: false,
            });
        }
        let work = Work::Image(repository(&order));
        events.started(&work);
        let job = Job {
            order,
            recipe: &recipe,
            hash: &recipe.hash,
            name: &name,
        };
        let result = match self.build(&job, &work, events).await {
            Ok(id) => self.settle(&job, id).await,
            Err(BuildOutcome::Failed(cause)) => Err(failed(cause)),
            Err(BuildOutcome::Engine(error)) => Err(error),
        };
        match &result {
            Ok(_) => events.finished(&work, "built"),
            Err(_) => events.failed(&work),
        }
        result
    }

    /// Finds the image that [`Docker::ensure_built`] would leave as it is; makes nothing.
    pub async fn find_built(&self, order: Order<'_>) -> Result<Option<Built>, Error> {
        let recipe = self.recipe(order).await?;
        let name = recipe.name();
        let found = self.find_tagged(&name, &recipe.hash).await?;
        Ok(found.map(|id| Built {
            name,
            id,
            is_new: false,
        }))
    }

    /// Reads all that goes into an image.
    async fn recipe(&self, order: Order<'_>) -> Result<Recipe, Error> {
        let failed = |error: ContextError| failed(&order, error.into());
        let folder = order.project.join(&order.build.context);
        let context = Context::open(
            &folder,
            &order.build.dockerfile,
            order.secrets.paths(order.project),
        )
        .map_err(failed)?;
        let dockerfile = Dockerfile::parse(&context.dockerfile_text().map_err(failed)?);
        let arguments: BTreeMap<String, String> = order.build.args.iter().cloned().collect();
        let bases = dockerfile.bases(&arguments);
        let (digested, base_ids) = tokio::join!(digest(context.clone()), self.base_ids(&bases));
        let digested = digested.map_err(failed)?;
        let hash = hash(&digested, context.dockerfile(), order.build, &base_ids);
        Ok(Recipe {
            repository: repository(&order),
            context,
            dockerfile,
            bases,
            content: digested,
            hash,
        })
    }

    /// The image with this name, if it was built from this very content.
    async fn find_tagged(&self, name: &str, hash: &str) -> Result<Option<ImageId>, Error> {
        let image = self.find_image(name).await?;
        Ok(image
            .filter(|image| {
                let labels = image.config.as_ref().and_then(|config| config.labels.as_ref());
                labels
                    .and_then(|labels| labels.get(labels::HASH))
                    .is_some_and(|found| found == hash)
            })
            .and_then(|image| image.id)
            .map(ImageId))
    }

    /// The digests of base images by name; of those that are on the engine.
    async fn base_ids(&self, bases: &[String]) -> BTreeMap<String, String> {
        let mut ids = BTreeMap::new();
        for base in bases {
            // A name that the engine can't read is the builder's to complain about.
            if let Ok(image) = self.client.inspect_image(base).await
                && let Some(id) = image.id
            {
                ids.insert(base.clone(), id);
            }
        }
        ids
    }

    /// Builds, and again where another's clean-up took a cached layer away in the middle.
    async fn build(&self, job: &Job<'_>, work: &Work, events: &Events) -> Result<String, BuildOutcome> {
        for _ in 0..3 {
            match self.build_once(job, work, events).await {
                Err(BuildOutcome::Failed(failure)) if failure.lost_a_layer() => {}
                outcome => return outcome,
            }
        }
        self.build_once(job, work, events).await
    }

    async fn build_once(&self, job: &Job<'_>, work: &Work, events: &Events) -> Result<String, BuildOutcome> {
        let options = job.options();
        let (sender, receiver) = mpsc::channel(8);
        let sent = tokio::task::spawn_blocking({
            let context = job.recipe.context.clone();
            move || {
                let mut sink = Sink {
                    hasher: Sha256::new(),
                    buffer: Vec::with_capacity(CHUNK),
                    sender: sender.clone(),
                };
                let written = context
                    .write(&mut sink)
                    .and_then(|()| sink.flush().map_err(ContextError::Unsent));
                if written.is_err() {
                    // Ends the request, so that the engine doesn't take half a context for a whole one.
                    let _ = sender.blocking_send(Err(io::Error::other("the context could not be read")));
                }
                written.map(|()| hex(&sink.hasher.finalize()))
            }
        });
        let body = stream::unfold(receiver, async |mut receiver| {
            Some((receiver.recv().await?, receiver))
        });
        let body = bollard::body_try_stream(Box::pin(body));
        let mut answers = self.client.build_image(options, None, Some(body));
        let mut watch = Watch::default();
        let mut failure = None;
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(answer) => {
                    if let Some(id) = answer.aux.and_then(|aux| aux.id) {
                        watch.id = Some(id);
                    }
                    for text in [answer.stream, answer.status].into_iter().flatten() {
                        for line in watch.read(&text) {
                            events.progress(work, line);
                        }
                    }
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        drop(answers);
        let sent = sent.await.expect("the context's reading does not panic");
        // A context that could not be read explains every other failure.
        match sent {
            Err(error @ ContextError::Unsent(_)) if failure.is_none() && watch.id.is_none() => {
                return Err(BuildOutcome::Failed(error.into()));
            }
            Err(ContextError::Unsent(_)) => {}
            Err(error) => return Err(BuildOutcome::Failed(error.into())),
            Ok(content) if content != job.recipe.content => {
                return Err(BuildOutcome::Failed(
                    ContextError::Changed {
                        path: job.order.build.context.clone().into(),
                    }
                    .into(),
                ));
            }
            Ok(_) => {}
        }
        match failure {
            Some(error) => match error {
                bollard::errors::Error::DockerStreamError { error } => {
                    Err(BuildOutcome::Failed(watch.failure(error, job)))
                }
                // The end of the stream is sometimes misread; whether the image is there decides.
                error => match self
                    .find_tagged(job.name, job.hash)
                    .await
                    .map_err(BuildOutcome::Engine)?
                {
                    Some(id) => Ok(id.0),
                    None => Err(BuildOutcome::Failed(match Answer::from(error) {
                        Answer::Other(error) => {
                            watch.failure(format!("the engine's answer broke off: {error}"), job)
                        }
                        refused @ Answer::Refused { .. } => refused.into(),
                    })),
                },
            },
            None => match self
                .find_tagged(job.name, job.hash)
                .await
                .map_err(BuildOutcome::Engine)?
            {
                Some(id) => Ok(id.0),
                None => Err(BuildOutcome::Failed(
                    watch.failure("the builder ended without an image".to_owned(), job),
                )),
            },
        }
    }

    /// Names the image by what really went in, and removes its forerunners.
    async fn settle(&self, job: &Job<'_>, id: String) -> Result<Built, Error> {
        let recipe = job.recipe;
        let mut name = job.name.to_owned();
        // A base image that the build itself pulled is known only now.
        let base_ids = self.base_ids(&recipe.bases).await;
        let hash = hash(
            &recipe.content,
            recipe.context.dockerfile(),
            job.order.build,
            &base_ids,
        );
        if hash != job.hash {
            name = format!("{}:{}", recipe.repository, &hash[..12]);
            let again = Job {
                order: Order {
                    afresh: false,
                    ..job.order
                },
                hash: &hash,
                name: &name,
                ..*job
            };
            // With all layers in the builder's cache, this only writes another label.
            let work = Work::Image(recipe.repository.clone());
            let outcome = self.build(&again, &work, &Events::none()).await;
            outcome.map_err(|outcome| match outcome {
                BuildOutcome::Engine(error) => error,
                BuildOutcome::Failed(cause) => failed(&job.order, cause),
            })?;
        }
        let built = self.find_tagged(&name, &hash).await?.unwrap_or(ImageId(id));
        self.remove_forerunners(&job.order, &built.0).await;
        Ok(Built {
            name,
            id: built,
            is_new: true,
        })
    }

    /// Removes images of the same container that nothing uses. What is in use, or gone, stays or is gone.
    async fn remove_forerunners(&self, order: &Order<'_>, keep: &str) {
        let labels = [
            (labels::STACK, order.stack),
            (labels::POD, order.pod),
            (labels::CONTAINER, order.container),
        ];
        let filter: Vec<String> = labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let options = ListImagesOptionsBuilder::default()
            .filters(&HashMap::from([("label", filter)]))
            .build();
        for image in self.client.list_images(Some(options)).await.unwrap_or_default() {
            if image.id != keep {
                let options = RemoveImageOptionsBuilder::default().build();
                for name in image.repo_tags.iter().filter(|name| *name != "<none>:<none>") {
                    let _ = self.client.remove_image(name, Some(options.clone()), None).await;
                }
                if image.repo_tags.iter().all(|name| name == "<none>:<none>") {
                    let _ = self.client.remove_image(&image.id, Some(options), None).await;
                }
            }
        }
    }
}

/// The image's name without its tag.
fn repository(order: &Order<'_>) -> String {
    format!("{}-{}-{}", order.stack, order.pod, order.container)
}

enum BuildOutcome {
    Failed(BuildFailure),
    Engine(Error),
}

/// All that goes into an image.
struct Recipe {
    repository: String,
    context: Context,
    dockerfile: Dockerfile,
    /// The images that it starts from.
    bases: Vec<String>,
    /// The digest of the context.
    content: String,
    /// The digest of everything.
    hash: String,
}

impl Recipe {
    /// The image's name.
    fn name(&self) -> String {
        format!("{}:{}", self.repository, &self.hash[..12])
    }
}

/// The Dockerfile, as a person finds it.
fn shown(order: &Order<'_>) -> String {
    let path = Path::new(&order.build.context).join(&order.build.dockerfile);
    let path: PathBuf = path
        .components()
        .filter(|part| *part != Component::CurDir)
        .collect();
    path.display().to_string()
}

fn failed(order: &Order<'_>, cause: BuildFailure) -> Error {
    Error::Build(Box::new(BuildError {
        dockerfile: shown(order),
        container: format!("{}/{}", order.pod, order.container),
        cause,
    }))
}

/// One call of the builder.
#[derive(Clone, Copy)]
struct Job<'a> {
    order: Order<'a>,
    recipe: &'a Recipe,
    hash: &'a str,
    name: &'a str,
}

impl Job<'_> {
    fn options(&self) -> bollard::query_parameters::BuildImageOptions {
        let order = &self.order;
        let labels: HashMap<String, String> = [
            (labels::STACK, order.stack),
            (labels::POD, order.pod),
            (labels::CONTAINER, order.container),
            (labels::HASH, self.hash),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
        let arguments: HashMap<String, String> = order.build.args.iter().cloned().collect();
        let mut options = BuildImageOptionsBuilder::default()
            .dockerfile(self.recipe.context.dockerfile())
            .t(self.name)
            .labels(&labels)
            .buildargs(&arguments)
            .nocache(order.afresh)
            .rm(true)
            .forcerm(true);
        if let Some(target) = &order.build.target {
            options = options.target(target);
        }
        options.build()
    }
}

/// The digest of all that decides what an image holds.
fn hash(content: &str, dockerfile: &str, build: &stack::Build, bases: &BTreeMap<String, String>) -> String {
    let recipe = serde_json::json!({
        "content": content,
        "dockerfile": dockerfile,
        "args": build.args,
        "target": build.target,
        "bases": bases,
    });
    hex(&Sha256::digest(recipe.to_string().as_bytes()))
}

/// The digest of a context, made beside this thread: a big one takes a while.
async fn digest(context: Context) -> Result<String, ContextError> {
    tokio::task::spawn_blocking(move || {
        let mut hasher = Sha256::new();
        // The archive is written in pieces of a header; the hasher likes longer ones.
        let mut buffered = io::BufWriter::with_capacity(CHUNK, &mut hasher);
        context.write(&mut buffered)?;
        buffered.flush().map_err(ContextError::Unsent)?;
        drop(buffered);
        Ok(hex(&hasher.finalize()))
    })
    .await
    .expect("the context's reading does not panic")
}

const CHUNK: usize = 64 * 1024;

/// Sends what is written to a request's body, and digests it on the way.
struct Sink {
    hasher: Sha256,
    buffer: Vec<u8>,
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK));
        self.hasher.update(&chunk);
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.sender.blocking_send(Ok(chunk.into())).map_err(gone)
    }
}

/// Reads the builder's output: which step it is at, and what that step said last.
#[derive(Debug, Default)]
struct Watch {
    step: Option<usize>,
    output: VecDeque<String>,
    rest: String,
    id: Option<String>,
}

impl Watch {
    /// Takes the next piece of output; returns the lines worth showing.
    fn read(&mut self, text: &str) -> Vec<String> {
        self.rest.push_str(text);
        let mut shown = Vec::new();
        // A progress bar redraws its line: each drawing counts as one.
        while let Some(end) = self.rest.find(['\n', '\r']) {
            let line = uncolored(self.rest[..end].trim_end());
            self.rest.drain(..=end);
            if let Some(line) = self.line(line) {
                shown.push(line);
            }
        }
        shown
    }

    fn line(&mut self, line: String) -> Option<String> {
        if let Some((step, instruction)) = step(&line) {
            self.step = Some(step);
            self.output.clear();
            return Some(format!("step {step}: {instruction}"));
        }
        let is_chatter = line.trim().is_empty()
            || line.starts_with(" ---> ")
            || line.starts_with("Removing intermediate container ")
            || line.starts_with("Successfully built ")
            || line.starts_with("Successfully tagged ");
        if is_chatter {
            return None;
        }
        if self.output.len() == SHOWN {
            self.output.pop_front();
        }
        self.output.push_back(line.clone());
        Some(line)
    }

    /// Says which line of the Dockerfile failed, and how.
    fn failure(mut self, error: String, job: &Job<'_>) -> BuildFailure {
        let rest = uncolored(std::mem::take(&mut self.rest).trim_end());
        self.line(rest);
        let output = Vec::from(self.output);
        let failed: Option<&Instruction> = self
            .step
            .and_then(|step| job.recipe.dockerfile.instructions.get(step - 1));
        let Some(instruction) = failed else {
            return BuildFailure::Builder {
                reason: error,
                output,
            };
        };
        let end = match error.rsplit_once("returned a non-zero code: ") {
            Some((_, code)) => format!("ended with exit code {code}"),
            None => format!("failed: {error}"),
        };
        BuildFailure::Step {
            place: format!("{}:{}", shown(&job.order), instruction.line),
            instruction: instruction.text.clone(),
            end,
            output,
        }
    }
}

/// A line without its colours: the builder paints what went to stderr.
fn uncolored(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        text.push_str(before);
        let end = after.find(|c: char| ('\u{40}'..='\u{7e}').contains(&c));
        rest = end.map_or("", |end| &after[end + 1..]);
    }
    text.push_str(rest);
    text
}

/// `Step 2/5 : RUN make` as 2 and `RUN make`.
fn step(line: &str) -> Option<(usize, &str)> {
    let (numbers, instruction) = line.strip_prefix("Step ")?.split_once(" : ")?;
    let (number, _) = numbers.split_once('/')?;
    Some((number.parse().ok().filter(|number| *number > 0)?, instruction))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watch_knows_the_step_and_its_last_lines() {
        let mut watch = Watch::default();
        assert_eq!(
            watch.read("Step 1/3 : FROM a\n ---> 123\nStep 2"),
            ["step 1: FROM a"]
        );
        assert_eq!(watch.read("/3 : RUN b\n"), ["step 2: RUN b"]);
        assert_eq!(watch.read("10%\r20%\r\none\n\n"), ["10%", "20%", "one"]);
        for number in 0..100 {
            watch.read(&format!("line {number}\n"));
        }
        assert_eq!(watch.step, Some(2));
        assert_eq!(watch.output.len(), SHOWN);
        assert_eq!(watch.output.back().unwrap(), "line 99");
        watch.read("Step 3/3 : USER 1\n");
        assert!(watch.output.is_empty());
    }

    #[test]
    fn colours_are_taken_off() {
        assert_eq!(uncolored("\u{1b}[91moops \u{1b}[0;1mtwice"), "oops twice");
        assert_eq!(uncolored("a\u{1b}[b\u{1b}["), "a");
        let mut watch = Watch::default();
        watch.read("Step 1/1 : RUN x\n\u{1b}[91moops\n\u{1b}[0mRemoving intermediate container 1\n");
        assert_eq!(watch.output, ["oops"]);
    }

    #[test]
    fn a_line_that_only_looks_like_a_step_is_output() {
        for line in ["Step 0/3 : x", "Step by step : x", "Step 1 : x", "Steps 1/2 : x"] {
            assert_eq!(step(line), None, "{line}");
        }
    }

    #[test]
    fn all_that_goes_into_an_image_goes_into_its_tag() {
        let build = |args: &[(&str, &str)], target: Option<&str>| stack::Build {
            context: "app".to_owned(),
            dockerfile: "Dockerfile".to_owned(),
            args: args
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            target: target.map(str::to_owned),
            secrets: Vec::new(),
            platform: None,
        };
        let bases = |id: &str| BTreeMap::from([("debian".to_owned(), id.to_owned())]);
        let tags = [
            hash("1", "Dockerfile", &build(&[], None), &bases("a")),
            hash("2", "Dockerfile", &build(&[], None), &bases("a")),
            hash("1", "other", &build(&[], None), &bases("a")),
            hash("1", "Dockerfile", &build(&[("A", "1")], None), &bases("a")),
            hash("1", "Dockerfile", &build(&[("A", "2")], None), &bases("a")),
            hash("1", "Dockerfile", &build(&[], Some("x")), &bases("a")),
            hash("1", "Dockerfile", &build(&[], None), &bases("b")),
            hash("1", "Dockerfile", &build(&[], None), &BTreeMap::new()),
        ];
        let different: std::collections::BTreeSet<&String> = tags.iter().collect();
        assert_eq!(different.len(), tags.len());
    }
}

//! Turns a folder with a Dockerfile into an image, once for each content.

mod buildkit;
mod classic;
mod context;
mod dockerfile;
mod files;
mod ignore;
mod message;
mod session;
mod upload;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::{Component, Path, PathBuf};

use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptionsBuilder};
use hyper::Request;
use hyper::header::CONTENT_TYPE;
use serde_json::json;
use sha2::{Digest, Sha256};

pub use context::{Context, ContextError};
use dockerfile::{Dockerfile, Instruction};
pub use message::{Message, Messages};
use session::Session;
use upload::{digest, upload};

use super::connection::{Body, nothing};
use super::{Answer, Docker, Error, ImageId};
use crate::engine::desired::{built_image, hex};
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
    /// The stack's secrets: none of their files goes into an image, and those that `build.secrets` names are there for
    /// the steps that mount them.
    pub secrets: &'a Secrets,
    /// The builder that is asked for; BuildKit where the engine has it.
    pub builder: Option<Builder>,
    /// Whether to build again what is there already, without the builder's cache.
    pub afresh: bool,
}

/// What builds an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builder {
    /// BuildKit.
    BuildKit,
    /// What the engine had before, and Podman's.
    Classic,
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
    /// The builder has no way to hand a secret to a step.
    #[error("its secrets need BuildKit, {reason}")]
    NoSecrets {
        /// Why it isn't there.
        reason: &'static str,
    },
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
    /// The Dockerfile makes no sense.
    #[error("{place}: {reason}")]
    Dockerfile {
        /// File and line.
        place: String,
        /// What is wrong there.
        reason: String,
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

/// What the builders say of failures that are over with another try.
const OF_THE_MOMENT: [&str; 6] = [
    "context canceled",
    "unknown parent image ID",
    "No such image: sha256:",
    "no active session for",
    "transport is closing",
    "the client connection is closing",
];

impl BuildFailure {
    /// Whether it is over with another try: a layer that the builder had found in its cache was gone when it came to use
    /// it, or an engine that does much else came too late for the session that feeds the build.
    fn is_of_the_moment(&self) -> bool {
        let reason = match self {
            Self::Step { end, .. } => end,
            Self::Builder { reason, .. } => reason,
            _ => return false,
        };
        OF_THE_MOMENT.iter().any(|words| reason.contains(words))
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

    /// Builds, and again where the failure is of the moment.
    async fn build(&self, job: &Job<'_>, work: &Work, events: &Events) -> Result<String, BuildOutcome> {
        for _ in 0..3 {
            match self.build_once(job, work, events).await {
                Err(BuildOutcome::Failed(failure)) if failure.is_of_the_moment() => {}
                outcome => return outcome,
            }
        }
        self.build_once(job, work, events).await
    }

    async fn build_once(&self, job: &Job<'_>, work: &Work, events: &Events) -> Result<String, BuildOutcome> {
        let builder = self.builder(&job.order)?;
        let mut output = Output::new(builder);
        let context = &job.recipe.context;
        let (outcome, sent) = match builder {
            Builder::BuildKit => {
                let session = self.session(context.clone(), job.order.secret_values()).await?;
                let request = job.request(Some(&session), nothing())?;
                let outcome = self.follow(request, &mut output, work, events).await;
                drop(session);
                // Only what the builder lacked was sent, so what it has is what is there if nothing changed meanwhile.
                (outcome, digest(context.clone()).await)
            }
            Builder::Classic => {
                let (body, sent) = upload(context.clone());
                let outcome = self
                    .follow(job.request(None, body)?, &mut output, work, events)
                    .await;
                (outcome, sent.await.expect("the context's reading does not panic"))
            }
        };
        // A context that could not be read explains every other failure.
        match sent {
            Err(error @ ContextError::Unsent(_)) if matches!(outcome, Outcome::Ended) => {
                return Err(BuildOutcome::Failed(error.into()));
            }
            Err(ContextError::Unsent(_)) => {}
            Err(error) => return Err(BuildOutcome::Failed(error.into())),
            Ok(found) if found != job.recipe.content => {
                return Err(BuildOutcome::Failed(
                    ContextError::Changed {
                        path: job.order.build.context.clone().into(),
                    }
                    .into(),
                ));
            }
            Ok(_) => {}
        }
        let unfinished = match outcome {
            Outcome::Failed(error) => return Err(BuildOutcome::Failed(output.failure(error, job))),
            Outcome::Refused(Answer::Refused { message, .. }) if parse_error(&message).is_some() => {
                return Err(job.failure(None, None, message, VecDeque::new()).into());
            }
            Outcome::Refused(answer) => return Err(answer.into()),
            Outcome::Ended => "the builder ended without an image".to_owned(),
            Outcome::Broken(error) => format!("the engine's answer broke off: {error}"),
        };
        // Whatever was said, the image decides.
        let found = self.find_tagged(job.name, job.hash).await;
        match found.map_err(BuildOutcome::Engine)? {
            Some(id) => Ok(id.0),
            None => Err(BuildOutcome::Failed(output.failure(unfinished, job))),
        }
    }

    /// Sends a build, and reads what it says until its end.
    async fn follow(
        &self,
        request: Request<Body>,
        output: &mut Output,
        work: &Work,
        events: &Events,
    ) -> Outcome {
        let answer = match self.call(request).await {
            Ok(answer) if answer.status().is_success() => answer,
            Ok(answer) => return Outcome::Refused(Answer::refused(answer).await),
            Err(error) => return Outcome::Broken(error),
        };
        let mut messages = Messages::new(answer.into_body());
        loop {
            match messages.next().await {
                Ok(Some(Message {
                    error: Some(error), ..
                })) => return Outcome::Failed(error),
                Ok(Some(message)) => {
                    for line in output.read(message) {
                        events.progress(work, line);
                    }
                }
                Ok(None) => return Outcome::Ended,
                Err(error) => return Outcome::Broken(error),
            }
        }
    }

    /// The builder for an order.
    fn builder(&self, order: &Order<'_>) -> Result<Builder, BuildFailure> {
        let builder = match order.builder {
            Some(builder) => builder,
            None if self.facts.has_buildkit() => Builder::BuildKit,
            None => Builder::Classic,
        };
        if builder == Builder::Classic && !order.build.secrets.is_empty() {
            return Err(BuildFailure::NoSecrets {
                reason: if self.facts.has_buildkit() {
                    "and the classic builder was asked for"
                } else {
                    "which this engine doesn't have"
                },
            });
        }
        Ok(builder)
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
    built_image(order.stack, order.pod, order.container)
}

enum BuildOutcome {
    Failed(BuildFailure),
    Engine(Error),
}

impl From<BuildFailure> for BuildOutcome {
    fn from(failure: BuildFailure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Answer> for BuildOutcome {
    fn from(answer: Answer) -> Self {
        Self::Failed(answer.into())
    }
}

impl From<bollard::errors::Error> for BuildOutcome {
    fn from(error: bollard::errors::Error) -> Self {
        Answer::from(error).into()
    }
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
    /// The call that builds.
    fn request(
        &self,
        session: Option<&Session>,
        body: Body,
    ) -> Result<Request<Body>, bollard::errors::Error> {
        let order = &self.order;
        let context = &self.recipe.context;
        let labels = json!({
            labels::STACK: order.stack,
            labels::POD: order.pod,
            labels::CONTAINER: order.container,
            labels::HASH: self.hash,
        });
        let arguments: BTreeMap<&str, &str> = order
            .build
            .args
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("t", self.name)
            .append_pair("labels", &labels.to_string())
            .append_pair("buildargs", &json!(arguments).to_string())
            .append_pair("rm", "1")
            .append_pair("forcerm", "1");
        if order.afresh {
            query.append_pair("nocache", "1");
        }
        if let Some(target) = &order.build.target {
            query.append_pair("target", target);
        }
        if let Some(platform) = &order.build.platform {
            query.append_pair("platform", platform);
        }
        match session {
            Some(session) => query
                .append_pair("dockerfile", context.dockerfile_name())
                .append_pair("version", "2")
                .append_pair("remote", "client-session")
                .append_pair("session", &session.id),
            None => query.append_pair("dockerfile", context.dockerfile()),
        };
        let request = Request::post(format!("http://docker/build?{}", query.finish()));
        Ok(request.header(CONTENT_TYPE, "application/x-tar").body(body)?)
    }

    /// Says what failed, and how.
    fn failure(
        &self,
        instruction: Option<&Instruction>,
        code: Option<i64>,
        reason: String,
        output: VecDeque<String>,
    ) -> BuildFailure {
        let output = Vec::from(output);
        let Some(instruction) = instruction else {
            return match parse_error(&reason) {
                Some((line, reason)) => BuildFailure::Dockerfile {
                    place: format!("{}:{line}", shown(&self.order)),
                    reason: reason.to_owned(),
                },
                None => BuildFailure::Builder { reason, output },
            };
        };
        BuildFailure::Step {
            place: format!("{}:{}", shown(&self.order), instruction.line),
            instruction: instruction.text.clone(),
            end: match code {
                Some(code) => format!("ended with exit code {code}"),
                None => format!("failed: {reason}"),
            },
            output,
        }
    }
}

impl Order<'_> {
    /// The values of the secrets that steps can mount, by their id.
    fn secret_values(&self) -> HashMap<String, Vec<u8>> {
        let value = |(id, secret, key): &(String, stack::Name, String)| {
            let mut files = self.secrets.files(secret.as_str());
            let (_, value) = files.find(|(found, _)| found == key)?;
            Some((id.clone(), value.to_vec()))
        };
        self.build.secrets.iter().filter_map(value).collect()
    }
}

/// How a build's answer ended.
enum Outcome {
    /// Well, as far as the builder says.
    Ended,
    /// With the builder's word.
    Failed(String),
    /// It never began.
    Refused(Answer),
    /// In the middle, or in what can't be read.
    Broken(bollard::errors::Error),
}

/// What a builder says.
enum Output {
    Classic(classic::Output),
    BuildKit(buildkit::Trace),
}

impl Output {
    fn new(builder: Builder) -> Self {
        match builder {
            Builder::Classic => Self::Classic(classic::Output::default()),
            Builder::BuildKit => Self::BuildKit(buildkit::Trace::default()),
        }
    }

    /// Takes a message; returns the lines worth showing.
    fn read(&mut self, message: Message) -> Vec<String> {
        match self {
            Self::Classic(output) => [message.stream, message.status]
                .into_iter()
                .flatten()
                .flat_map(|text| output.read(&text))
                .collect(),
            Self::BuildKit(trace) => match (message.id.as_deref(), message.aux) {
                (Some(buildkit::TRACE), Some(aux)) => trace.read(&aux),
                _ => Vec::new(),
            },
        }
    }

    fn failure(self, error: String, job: &Job<'_>) -> BuildFailure {
        match self {
            Self::Classic(output) => output.failure(error, job),
            Self::BuildKit(trace) => trace.failure(error, job),
        }
    }
}

/// `… dockerfile parse error on line 2: unknown instruction: RUNN` as 2 and the reason.
fn parse_error(text: &str) -> Option<(usize, &str)> {
    let (_, rest) = text.split_once("parse error ")?;
    let rest = rest.strip_prefix("on ").unwrap_or(rest);
    let (line, reason) = rest.strip_prefix("line ")?.split_once(": ")?;
    Some((line.parse().ok()?, reason))
}

/// Keeps a line as one of the last.
fn keep_last(lines: &mut VecDeque<String>, line: String) {
    if lines.len() == SHOWN {
        lines.pop_front();
    }
    lines.push_back(line);
}

/// The digest of all that decides what an image holds.
fn hash(content: &str, dockerfile: &str, build: &stack::Build, bases: &BTreeMap<String, String>) -> String {
    // As for the builder's own cache, another value of a secret makes no other image.
    let secrets: Vec<_> = build
        .secrets
        .iter()
        .map(|(id, secret, key)| (id, secret.as_str(), key))
        .collect();
    let recipe = json!({
        "content": content,
        "dockerfile": dockerfile,
        "args": build.args,
        "target": build.target,
        "platform": build.platform,
        "secrets": secrets,
        "bases": bases,
    });
    hex(&Sha256::digest(recipe.to_string().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let with = |change: fn(&mut stack::Build)| {
            let mut build = build(&[], None);
            change(&mut build);
            build
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
            hash(
                "1",
                "Dockerfile",
                &with(|build| build.platform = Some("linux/arm64".to_owned())),
                &bases("a"),
            ),
            hash(
                "1",
                "Dockerfile",
                &with(|build| {
                    let name = stack::Name::new("db").unwrap();
                    build.secrets = vec![("id".to_owned(), name, "key".to_owned())];
                }),
                &bases("a"),
            ),
        ];
        let different: std::collections::BTreeSet<&String> = tags.iter().collect();
        assert_eq!(different.len(), tags.len());
    }
}

//! Takes images to a registry, and asks it for their digests; the engine does the talking.

mod credentials;

use bollard::query_parameters::TagImageOptionsBuilder;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderName};
use hyper::http::request::Builder;
use hyper::{Request, Response};
use serde_json::Value;

use super::build::{Message, Messages};
use super::connection::nothing;
use super::{Answer, Docker, Error, Intent};
use crate::engine::{Events, Work};
use credentials::Credentials;
pub use credentials::CredentialsError;

/// The header that the engine reads credentials from.
const AUTHORIZATION: HeaderName = HeaderName::from_static("x-registry-auth");

/// Why a registry didn't do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("failed to {intent} `{reference}`")]
pub struct RegistryError {
    /// `push`, or the like.
    pub intent: &'static str,
    /// The image.
    pub reference: String,
    /// What was said.
    #[source]
    pub answer: Answer,
}

impl RegistryError {
    fn about(intent: &'static str, reference: &str, answer: Answer) -> Error {
        Error::Registry(Box::new(Self {
            intent,
            reference: reference.to_owned(),
            answer,
        }))
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let Answer::Refused { message, .. } = &self.answer else {
            return None;
        };
        let message = message.to_lowercase();
        let host = host(&self.reference);
        let has = |signs: &[&str]| signs.iter().any(|sign| message.contains(sign));
        if has(&[
            "unauthorized",
            "denied",
            "no basic auth",
            "authentication required",
        ]) {
            return Some(format!(
                "`docker login {host}` as somebody who may, and try again"
            ));
        }
        if has(&[
            "manifest unknown",
            "not found",
            "no such manifest",
            "name unknown",
        ]) {
            return Some("`motif push` with the same `--registry` and `--tag` takes built and block images there; check the names of others".to_owned());
        }
        if has(&["http response to https client"]) {
            return Some(format!(
                "`{host}` speaks plain HTTP, which the engine takes from loopback only, or where its `insecure-registries` say so"
            ));
        }
        Some(format!(
            "check the name `{host}`, and that the engine's machine reaches it"
        ))
    }
}

impl Docker {
    /// Names an image as a registry is to have it, and pushes it there; returns its digest.
    pub async fn push(&self, image: &str, reference: &str, events: &Events) -> Result<String, Error> {
        let work = Work::Image(reference.to_owned());
        events.started(&work);
        let pushed = self.push_named(image, reference, &work, events).await;
        match &pushed {
            Ok(_) => events.finished(&work, "pushed"),
            Err(_) => events.failed(&work),
        }
        pushed
    }

    async fn push_named(
        &self,
        image: &str,
        reference: &str,
        work: &Work,
        events: &Events,
    ) -> Result<String, Error> {
        let (repository, tag) = reference.rsplit_once(':').unwrap_or((reference, "latest"));
        let options = TagImageOptionsBuilder::default()
            .repo(repository)
            .tag(tag)
            .build();
        self.client
            .tag_image(image, Some(options))
            .await
            .intent(|| format!("name the image `{image}` as `{reference}`"))?;
        let failed = |answer| RegistryError::about("push", reference, answer);
        let request = Request::post(format!("http://docker/images/{repository}/push?tag={tag}"))
            .header(CONTENT_TYPE, "application/json");
        let answer = self.ask_registry("push", reference, request).await?;
        let mut messages = Messages::new(answer.into_body());
        let mut digest = None;
        while let Some(message) = messages.next().await.map_err(|error| failed(error.into()))? {
            let Message {
                status, aux, error, ..
            } = message;
            if let Some(message) = error {
                return Err(failed(Answer::Refused { status: 200, message }));
            }
            if let Some(found) = aux.as_ref().and_then(|aux| aux["Digest"].as_str()) {
                digest = Some(found.to_owned());
            }
            if let Some(line) = status {
                events.progress(work, line);
            }
        }
        match digest {
            Some(digest) => Ok(digest),
            None => self.digest(reference).await,
        }
    }

    /// Asks a registry for the digest of an image.
    pub async fn digest(&self, reference: &str) -> Result<String, Error> {
        let request = Request::get(format!("http://docker/distribution/{reference}/json"));
        let answer = self.ask_registry("find", reference, request).await?;
        let body =
            http_body_util::BodyExt::collect(http_body_util::Limited::new(answer.into_body(), LARGEST));
        let bytes = body
            .await
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        serde_json::from_slice(&bytes)
            .ok()
            .and_then(|found: Value| Some(found["Descriptor"]["digest"].as_str()?.to_owned()))
            .ok_or_else(|| {
                let message = "the engine's answer holds no digest".to_owned();
                RegistryError::about("find", reference, Answer::Refused { status: 200, message })
            })
    }

    /// Asks the engine for something of an image's registry, with what `docker login` left for it.
    async fn ask_registry(
        &self,
        intent: &'static str,
        reference: &str,
        request: Builder,
    ) -> Result<Response<Incoming>, Error> {
        let failed = |answer| RegistryError::about(intent, reference, answer);
        let credentials = Credentials::find(host(reference)).await?;
        let request = request
            .header(AUTHORIZATION, credentials.header())
            .body(nothing())
            .map_err(|error| failed(bollard::errors::Error::from(error).into()))?;
        let answer = self.call(request).await.map_err(|error| failed(error.into()))?;
        if answer.status().is_success() {
            Ok(answer)
        } else {
            Err(failed(Answer::refused(answer).await))
        }
    }
}

/// The most bytes of an answer that are read.
const LARGEST: usize = 1 << 20;

/// The registry of an image's name.
fn host(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => "docker.io",
    }
}

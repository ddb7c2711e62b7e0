//! Serves a build's context and secrets to BuildKit, over a connection of their own: a secret is never part of a request
//! or a layer.

use std::collections::HashMap;

use bollard_buildkit_proto::moby::buildkit::secrets::v1::secrets_server::{Secrets, SecretsServer};
use bollard_buildkit_proto::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};
use bollard_buildkit_proto::moby::filesync::v1::file_sync_server::FileSyncServer;
use hyper::header::{CONNECTION, UPGRADE};
use hyper::server::conn::http2;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioExecutor;
use hyper_util::service::TowerToHyperService;
use tokio::task::JoinHandle;
use tonic::service::Routes;
use tonic::{Response, Status};

use super::BuildOutcome;
use super::context::Context;
use super::files::Files;
use crate::engine::docker::connection::nothing;
use crate::engine::docker::{Answer, Docker};

/// The calls that a session answers, as the engine wants to know beforehand.
const METHODS: [&str; 2] = [
    "/moby.filesync.v1.FileSync/DiffCopy",
    "/moby.buildkit.secrets.v1.Secrets/GetSecret",
];

/// A session with BuildKit; it ends when dropped.
pub struct Session {
    /// What a build names it by.
    pub id: String,
    served: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.served.abort();
    }
}

/// The secrets of a build, by their id.
struct Values(HashMap<String, Vec<u8>>);

#[tonic::async_trait]
impl Secrets for Values {
    async fn get_secret(
        &self,
        request: tonic::Request<GetSecretRequest>,
    ) -> Result<Response<GetSecretResponse>, Status> {
        let id = request.into_inner().id;
        match self.0.get(&id) {
            Some(value) => Ok(Response::new(GetSecretResponse { data: value.clone() })),
            // BuildKit goes on without it unless the step says that it is required.
            None => Err(Status::not_found(format!(
                "the stack's `build.secrets` has no `{id}`"
            ))),
        }
    }
}

impl Docker {
    /// Opens a session that serves a context and secrets.
    pub(super) async fn session(
        &self,
        context: Context,
        secrets: HashMap<String, Vec<u8>>,
    ) -> Result<Session, BuildOutcome> {
        // One for each build: an engine refuses an id that it has.
        let id = format!("{:032x}", fastrand::u128(..));
        let mut request = Request::post("http://docker/session")
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "h2c")
            .header("X-Docker-Expose-Session-Uuid", &id)
            .header("X-Docker-Expose-Session-Name", "motif")
            // The builder keeps what it got of a context for the next build that names the same.
            .header("X-Docker-Expose-Session-Sharedkey", context.key());
        for method in METHODS {
            request = request.header("X-Docker-Expose-Session-Grpc-Method", method);
        }
        let request = request.body(nothing()).map_err(bollard::errors::Error::from)?;
        let answer = self.call(request).await?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(Answer::refused(answer).await.into());
        }
        let upgraded = hyper::upgrade::on(answer)
            .await
            .map_err(bollard::errors::Error::from)?;
        let services = Routes::new(FileSyncServer::new(Files::new(context)))
            .add_service(SecretsServer::new(Values(secrets)));
        let service = TowerToHyperService::new(services);
        let served = tokio::spawn(async move {
            let server = http2::Builder::new(TokioExecutor::new());
            // Its end is the build's.
            let _ = server.serve_connection(upgraded, service).await;
        });
        Ok(Session { id, served })
    }
}

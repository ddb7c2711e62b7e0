//! Opens connections to an engine: over a socket, TCP, TLS, or ssh.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tower_service::Service;

/// The way to an engine.
#[derive(Debug)]
pub enum Way {
    /// A socket on this machine.
    Unix(PathBuf),
    /// Host and port.
    Tcp(String),
    /// Host and port, with TLS.
    Tls {
        /// Host and port.
        authority: String,
        /// The name that the engine's certificate has to have.
        name: ServerName<'static>,
        /// Whom to trust, and who we are.
        config: Arc<ClientConfig>,
    },
    /// The arguments of `ssh`: what it runs is a connection to the engine's socket.
    Ssh(Vec<String>),
}

/// Dials an engine, for hyper.
#[derive(Debug, Clone)]
pub struct Dialer(Arc<Way>);

impl Dialer {
    /// Dials this way.
    pub fn new(way: Way) -> Self {
        Self(Arc::new(way))
    }
}

impl Service<Uri> for Dialer {
    type Response = Wire;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Wire, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    /// The address is the dialer's, whatever the request says.
    fn call(&mut self, _: Uri) -> Self::Future {
        let way = Arc::clone(&self.0);
        Box::pin(async move {
            Ok(match &*way {
                Way::Unix(path) => Wire::new(UnixStream::connect(path).await?),
                Way::Tcp(authority) => Wire::new(tcp(authority).await?),
                Way::Tls {
                    authority,
                    name,
                    config,
                } => {
                    let connector = TlsConnector::from(Arc::clone(config));
                    Wire::new(connector.connect(name.clone(), tcp(authority).await?).await?)
                }
                Way::Ssh(arguments) => Wire::new(Tunnel::open(arguments)?),
            })
        })
    }
}

async fn tcp(authority: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(authority).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Both directions of a connection.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// An open connection.
pub struct Wire(TokioIo<Box<dyn Duplex>>);

impl Wire {
    fn new(duplex: impl Duplex + 'static) -> Self {
        Self(TokioIo::new(Box::new(duplex)))
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// A program whose input and output are a connection.
struct Tunnel {
    input: ChildStdin,
    output: ChildStdout,
    /// What it complains of, once it ended.
    complaint: JoinHandle<String>,
    has_answered: bool,
    /// Killed when the connection is dropped.
    _program: Child,
}

impl Tunnel {
    fn open(arguments: &[String]) -> io::Result<Self> {
        let mut program = Command::new("ssh")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for motif, which still needs the engine to stop what runs.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("failed to run `ssh`: {error}")))?;
        let missing = || io::Error::other("`ssh` was started without pipes");
        let input = program.stdin.take().ok_or_else(missing)?;
        let output = program.stdout.take().ok_or_else(missing)?;
        let mut errors = program.stderr.take().ok_or_else(missing)?;
        let complaint = tokio::spawn(async move {
            let mut text = Vec::new();
            // What can't be read is not said.
            let _ = errors.read_to_end(&mut text).await;
            String::from_utf8_lossy(&text).trim().to_owned()
        });
        Ok(Self {
            input,
            output,
            complaint,
            has_answered: false,
            _program: program,
        })
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.output).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.has_answered = true;
        } else if !self.has_answered {
            // It ended without a word of the engine's: it has its own reason.
            let complaint = ready!(Pin::new(&mut self.complaint).poll(context)).unwrap_or_default();
            self.has_answered = true;
            let complaint = if complaint.is_empty() {
                "it ended"
            } else {
                &complaint
            };
            return Poll::Ready(Err(io::Error::other(format!("ssh: {complaint}"))));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match ready!(Pin::new(&mut self.input).poll_write(context, bytes)) {
            // Why it ended is what reading says.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Poll::Ready(Ok(bytes.len())),
            result => Poll::Ready(result),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_shutdown(context)
    }
}

//! The listening socket of a signer: a Unix socket, or TCP with mutual TLS.
//!
//! A Unix socket belongs to one running signer, which holds a lock on the file `<path>.lock`. A socket whose lock is
//! free and at which no process answers was left by a killed process, and is replaced. Connections are refused until
//! the socket has its permissions.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingUnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixSocket, UnixStream};

use crate::frame::Stream;
use crate::tls::ServerTls;

/// The permissions of a socket that only the signer's user may use.
pub const SOCKET_MODE: u32 = 0o600;

/// The most connections that wait to be accepted.
const WAITING_MAX: u32 = 128;
/// The pause after the system fails to accept a connection.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(200);

/// A listening socket of a signer.
pub struct Listener(Kind);

enum Kind {
    Unix {
        listener: UnixListener,
        path: PathBuf,
        _lock: File,
    },
    Tls {
        listener: TcpListener,
        tls: ServerTls,
    },
}

/// An accepted connection before its handshake.
pub(crate) enum Incoming {
    Unix(UnixStream),
    Tls(TcpStream, ServerTls),
}

/// Why a signer cannot listen.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Another signer uses the socket.
    #[error("a signer is serving at {} already: stop it first, or choose another socket", .0.display())]
    InUse(PathBuf),
    /// Something else is at the socket's path.
    #[error("{} exists and is not a socket: choose another path, or remove it", .0.display())]
    NoSocket(PathBuf),
    /// A system call failed.
    #[error("cannot listen at {address}: {reason}")]
    System {
        /// The path, or the address and port.
        address: String,
        /// The error of the system.
        reason: io::Error,
    },
}

impl Listener {
    /// Listens at a Unix socket with these permissions, usually [`SOCKET_MODE`]. Must be called in a runtime.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub fn unix(path: &Path, mode: u32) -> Result<Self, ListenError> {
        let refused = |reason| ListenError::System {
            address: path.display().to_string(),
            reason,
        };
        let lock = lock(path)?;
        match path.symlink_metadata() {
            Ok(metadata) if !metadata.file_type().is_socket() => {
                return Err(ListenError::NoSocket(path.to_owned()));
            }
            Ok(_) if BlockingUnixStream::connect(path).is_ok() => {
                return Err(ListenError::InUse(path.to_owned()));
            }
            Ok(_) => std::fs::remove_file(path).map_err(refused)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(refused(error)),
        }
        let listen = || {
            let socket = UnixSocket::new_stream()?;
            socket.bind(path)?;
            std::fs::set_permissions(path, Permissions::from_mode(mode))?;
            // The system refuses connections before this.
            socket.listen(WAITING_MAX)
        };
        let listener = listen().map_err(refused)?;
        Ok(Self(Kind::Unix {
            listener,
            path: path.to_owned(),
            _lock: lock,
        }))
    }

    /// Listens at an address and port with mutual TLS. Port 0 means any free port.
    ///
    /// # Errors
    /// [`ListenError::System`].
    pub async fn tls(address: &str, tls: ServerTls) -> Result<Self, ListenError> {
        let refused = |reason| ListenError::System {
            address: address.to_owned(),
            reason,
        };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        Ok(Self(Kind::Tls { listener, tls }))
    }

    /// The path, or the address and port.
    #[must_use]
    pub fn address(&self) -> String {
        match &self.0 {
            Kind::Unix { path, .. } => path.display().to_string(),
            Kind::Tls { listener, .. } => listener
                .local_addr()
                .map_or_else(|_| "unknown".to_owned(), |address| address.to_string()),
        }
    }

    /// Accepts the next connection. After a failure of the system it tries again, after a pause.
    pub(crate) async fn accept(&self) -> Incoming {
        loop {
            let accepted = match &self.0 {
                Kind::Unix { listener, .. } => {
                    listener.accept().await.map(|(stream, _)| Incoming::Unix(stream))
                }
                Kind::Tls { listener, tls } => listener
                    .accept()
                    .await
                    .map(|(stream, _)| Incoming::Tls(stream, tls.clone())),
            };
            match accepted {
                Ok(incoming) => return incoming,
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "the signer cannot accept connections; trying again");
                    tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                }
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Kind::Unix { path, .. } = &self.0 {
            // We still hold the lock, so the socket is ours. If it stays, the next signer replaces it.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Incoming {
    /// The connection after its TLS handshake.
    pub(crate) async fn known(self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Unix(stream) => Ok(Box::new(stream)),
            Self::Tls(stream, tls) => {
                stream.set_nodelay(true)?;
                tls.accept(stream).await
            }
        }
    }
}

/// Takes the lock of a socket. The lock file is never removed, or two processes could lock two files with the same
/// name.
fn lock(path: &Path) -> Result<File, ListenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let refused = |reason| ListenError::System {
        address: path.display().to_string(),
        reason,
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(SOCKET_MODE)
        .open(name)
        .map_err(refused)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ListenError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(refused(error)),
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

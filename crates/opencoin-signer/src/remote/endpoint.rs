//! The address of a signer.

use std::fmt;
use std::io;
use std::path::PathBuf;

use tokio::net::{TcpStream, UnixStream};

use crate::frame::Stream;
use crate::tls::ClientTls;

/// A signer's address.
#[derive(Clone)]
pub enum Endpoint {
    /// A Unix socket. Its permissions decide who may connect.
    Unix(PathBuf),
    /// TCP with mutual TLS.
    Tls {
        /// Host name or address, and port.
        address: String,
        /// The certificates.
        tls: ClientTls,
    },
}

impl Endpoint {
    pub(super) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
            Self::Tls { address, tls } => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                tls.connect(stream).await
            }
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(formatter),
            Self::Tls { address, .. } => address.fmt(formatter),
        }
    }
}

//! A process of its own for the private mint keys.
//!
//! An issuer that serves the network holds no private key: its [`RemoteSigner`] asks a [`SignerServer`], over
//! a Unix socket or TCP with mutual TLS, for the signatures of a *transaction reference*. The signer reads in
//! the books what was accepted under it and signs that, nothing else. So whoever takes over the issuer's
//! process can spend what the books let it spend, and cannot print money.
//!
//! The books might lie, too, or be set back to an older state. Therefore the signer remembers in a file of
//! its own how many blinds it has signed with each key ([`SignedCounts`]), and refuses when the books have
//! counted fewer.
//!
//! What fails is [`SignError::Unavailable`](opencoin_crypto::SignError) or `Busy`, never a hang: the blinds
//! are accepted and stored, signing is deterministic, so whoever asks again gets what was meant the first
//! time. Every signature is checked with the public key before it is given out.

mod counts;
mod frame;
mod listener;
mod message;
mod remote;
mod server;
mod tls;

use std::sync::Arc;

use opencoin_crypto::PublicKey;
use opencoin_schema::BigInt;

pub use counts::{CountsError, CountsMode, KeyCount, SignedCounts};
pub use listener::{ListenError, Listener, SOCKET_MODE};
pub use message::BLINDS_MAX;
pub use remote::{Endpoint, RemoteSigner, RemoteSignerOptions};
pub use server::{SignerServer, SignerServerOptions};
pub use tls::{ClientTls, ServerTls, TlsError, TlsFiles};

/// Looks up a mint key by its identifier, among those that are certified now; they change while a process
/// runs.
pub type PublicKeys = Arc<dyn Fn(&BigInt) -> Option<PublicKey> + Send + Sync>;

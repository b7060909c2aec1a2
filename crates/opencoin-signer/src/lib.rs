//! A separate process for the private mint keys.
//!
//! The issuer process, which serves the network, has no private keys. Its [`RemoteSigner`] sends a *transaction
//! reference* to a [`SignerServer`], over a Unix socket or TCP with mutual TLS. The signer reads from the books which
//! blinds were accepted under the reference, and signs only those. So an attacker who controls the issuer process can
//! spend what the books permit, but cannot create money.
//!
//! The books themselves could be changed or rolled back. Therefore the signer stores in its own file how many blinds
//! each key has signed ([`SignedCounts`]), and refuses to sign if the books have counted fewer.
//!
//! A failure is reported as [`SignError::Unavailable`](opencoin_crypto::SignError) or `Busy`, never as a hang.
//! Accepted blinds are stored and signing is deterministic, so a retry gets the same signatures. Every signature is
//! verified with the public key before it is returned.

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
pub use server::{CountingEnded, SignerServer, SignerServerOptions};
pub use tls::{ClientTls, ServerTls, TlsError, TlsFiles};

/// Looks up a certified mint key by its identifier. The set of keys may change while the process runs.
pub type PublicKeys = Arc<dyn Fn(&BigInt) -> Option<PublicKey> + Send + Sync>;

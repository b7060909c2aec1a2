//! One module for each command.

pub(crate) mod account;
pub(crate) mod auditor;
pub(crate) mod demo;
pub(crate) mod evidence;
pub(crate) mod inspect;
pub(crate) mod issuer;
pub(crate) mod key;
pub(crate) mod manual;
pub(crate) mod master;
pub(crate) mod relay;
pub(crate) mod signer;
pub(crate) mod verify;
pub(crate) mod wallet;
pub(crate) mod witness;

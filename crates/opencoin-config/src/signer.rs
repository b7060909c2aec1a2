//! The table `[signer]`: which process signs, and how it calculates.

use std::path::PathBuf;

use opencoin_crypto::LanesSetting;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use toml::{Table, Value};

/// How blinds are signed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SignerConfig {
    /// Whether to calculate in lanes. It is a setting of every process that reads this file.
    pub lanes: Lanes,
    /// The signer process; without it `serve` itself signs.
    #[serde(flatten)]
    pub process: Option<SignerProcess>,
}

/// Whether eight RSA operations are calculated at once with AVX-512 IFMA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lanes {
    /// If the CPU has it, and a self-test at start agrees with AWS-LC.
    #[default]
    Auto,
    /// Never.
    Off,
}

/// The address of the signer process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "lowercase", deny_unknown_fields)]
pub enum SignerProcess {
    /// A Unix socket on this machine.
    Socket {
        /// The path of the socket, relative to the folder of the currency.
        path: PathBuf,
    },
    /// TCP with mutual TLS. Paths are relative to the folder of the currency.
    Tls {
        /// Address and port where the signer listens.
        address: String,
        /// The name in the signer's certificate.
        name: String,
        /// The server's own certificate, in PEM.
        certificate: PathBuf,
        /// The private key of that certificate, in PEM.
        key: PathBuf,
        /// The authority that signed both certificates, in PEM.
        authority: PathBuf,
    },
}

impl From<Lanes> for LanesSetting {
    fn from(lanes: Lanes) -> Self {
        match lanes {
            Lanes::Auto => Self::Auto,
            Lanes::Off => Self::Off,
        }
    }
}

/// By hand, because with an optional enum `flatten` would ignore unknown keys and hide why the rest is wrong.
impl<'de> Deserialize<'de> for SignerConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Keys {
            #[serde(default)]
            lanes: Lanes,
            #[serde(flatten)]
            others: Table,
        }

        let Keys { lanes, others } = Keys::deserialize(deserializer)?;
        let process = (!others.is_empty())
            .then(|| SignerProcess::deserialize(Value::Table(others)))
            .transpose();
        Ok(Self {
            lanes,
            process: process.map_err(|error| D::Error::custom(error.message()))?,
        })
    }
}

//! Opens the store of private mint keys that the settings of a currency name.

use anyhow::Result;
use opencoin_config::{Config, KeyConfig};
use opencoin_crypto::{KeyStore, KeyStoreError, choose_lanes};
use opencoin_keys::{CertifiedMintKey, Clock, Currency, Directory, KeyFiles, Passphrase, SystemClock};
use opencoin_ledger::MintKeyStatus;
use opencoin_pkcs11::{Pin, TokenKeyStore, TokenOptions};
use opencoin_terminal::secret_args::KeySecretArgs;
use rand::rngs::OsRng;

/// The passphrase of the private mint keys, or the PIN of their token.
pub(crate) struct KeySecret(Option<Passphrase>);

impl KeySecret {
    /// Reads the secret for existing keys.
    pub(crate) fn read(config: &Config, secrets: &KeySecretArgs) -> Result<Self> {
        Ok(Self(Some(match &config.keys {
            KeyConfig::Files { .. } => secrets.passphrase()?,
            KeyConfig::Token { .. } => secrets.pin()?,
        })))
    }

    /// Reads the secret for new keys.
    pub(crate) fn read_new(config: &Config, secrets: &KeySecretArgs) -> Result<Self> {
        Ok(Self(Some(match &config.keys {
            KeyConfig::Files { .. } => secrets.new_passphrase()?,
            KeyConfig::Token { .. } => secrets.pin()?,
        })))
    }

    /// Reads the secret for listing keys. Key files need none for that.
    pub(crate) fn to_list(config: &Config, secrets: &KeySecretArgs) -> Result<Self> {
        Ok(Self(match &config.keys {
            KeyConfig::Files { .. } => None,
            KeyConfig::Token { .. } => Some(secrets.pin()?),
        }))
    }

    /// The passphrase or PIN.
    pub(crate) fn passphrase(&self) -> Option<&Passphrase> {
        self.0.as_ref()
    }

    pub(crate) fn open(
        &self,
        directory: &Directory,
        config: &Config,
    ) -> Result<Box<dyn KeyStore>, KeyStoreError> {
        choose_lanes(config.signer.lanes.into());
        match &config.keys {
            keys @ KeyConfig::Files { .. } => Ok(Box::new(KeyFiles::open(
                directory.root(),
                keys,
                self.0.clone(),
                Box::new(OsRng),
            )?)),
            KeyConfig::Token {
                module,
                label,
                sessions,
            } => {
                let pin = self.0.as_ref().expect("a token is never opened without its PIN");
                let mut options = TokenOptions::new(module.clone(), label.clone(), Pin::new(pin.text()));
                options.sessions = sessions.unwrap_or(options.sessions);
                Ok(Box::new(TokenKeyStore::open(options)?))
            }
        }
    }
}

/// Opens the store of existing keys.
pub(crate) fn open(
    directory: &Directory,
    config: &Config,
    secrets: &KeySecretArgs,
) -> Result<Box<dyn KeyStore>> {
    Ok(KeySecret::read(config, secrets)?.open(directory, config)?)
}

/// Whether a key signs now or later, so that its private half must exist.
pub(crate) fn is_needed(currency: &Currency, key: &CertifiedMintKey, statuses: &[MintKeyStatus]) -> bool {
    let now = SystemClock.now();
    let is_over = statuses
        .iter()
        .any(|status| status.id == key.ledger_id && (status.stopped.is_some() || status.retired));
    now <= key.verified.mint_key().sign_coins_not_after.to_utc()
        && !is_over
        && !currency.is_left_out(key, statuses, now)
}

//! An open wallet, and what its commands share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use opencoin_keys::{Clock, SystemClock};
use opencoin_terminal::output::{self, OutputArgs};
use opencoin_terminal::secret_args::WalletSecretArgs;
use opencoin_text::AmountText;
use opencoin_wallet::account::{AccountClient, Pairing, StoredSession};
use opencoin_wallet::storage::StorageError;
use opencoin_wallet::{Balance, Bearer, HttpTransport, Network, Secret, Wallet, WalletError};
use rand::rngs::OsRng;
use serde_json::json;

use crate::commands::account::connection;
use crate::currency_unit::CurrencyUnit;
use crate::failure;
use crate::network_args::{NetworkArgs, warn_if_exposed};
use crate::token_args::TokenArgs;

/// The time limit for renewing and changing coins after the result of a command was shown.
const TIDY_DURATION_MAX: Duration = Duration::from_secs(10);

/// An open wallet and the options of the command.
pub(crate) struct Session {
    pub(crate) wallet: Wallet,
    pub(crate) dir: PathBuf,
    /// See [`crate::wallet_dir_args::WalletDirArgs::flag`].
    pub(crate) flag: String,
    pub(crate) currency: Option<String>,
    pub(crate) network: NetworkArgs,
    pub(crate) output: OutputArgs,
}

/// The coins that are renewed after a command.
pub(crate) enum Tidy {
    All,
    /// Only coins that would expire soon.
    Expiring,
}

impl Session {
    /// Lets requests that began in a session of `opencoin account` go on in the stored one.
    pub(super) async fn use_stored_session(&mut self) {
        let session = match StoredSession::read(&self.dir) {
            Ok(Some(session)) if !session.is_over(SystemClock.now()) => Ok(Some(session)),
            Ok(ended) => self.paired_session(None).await.map(|paired| paired.or(ended)),
            Err(error) => Err(error.into()),
        };
        match session {
            Ok(Some(session)) => self.wallet.use_session(session),
            Ok(None) => {}
            // Not fatal, because some requests need no session.
            Err(error) => output::complain(&format!(
                "note: there is no session: {}",
                output::error_text(&error)
            )),
        }
    }

    /// Stores the session of a connected wallet, unless another session is there that has not ended.
    pub(super) fn store_session(&self, session: &StoredSession) -> Result<()> {
        let is_kept = |kept: StoredSession| !kept.is_over(SystemClock.now()) && kept.holder != session.holder;
        if !StoredSession::read(&self.dir)?.is_some_and(is_kept) {
            session.write(&self.dir)?;
        }
        Ok(())
    }

    /// A new session of a wallet that is connected with an account, at the issuer with this URL or any.
    async fn paired_session(&self, url: Option<&str>) -> Result<Option<StoredSession>> {
        let Some(pairing) = Pairing::read(&self.dir)? else {
            return Ok(None);
        };
        if url.is_some_and(|url| !pairing.is_with(url)) {
            return Ok(None);
        }
        let issuer = pairing
            .url
            .parse()
            .context("the connection with the account has no valid URL")?;
        let client = AccountClient::new(&issuer, &self.network.network()?)?;
        let session = pairing
            .log_in(&client, connection::currency_of(&client).await)
            .await;
        let session = session.map_err(|error| {
            let is_removed = error.is_unauthorized();
            let error = anyhow::Error::from(error);
            if is_removed {
                let advice =
                    "this wallet was removed from the account: connect it again with `opencoin wallet pair`";
                failure::explained(error, advice)
            } else {
                error
            }
        })?;
        self.store_session(&session)?;
        Ok(Some(session))
    }

    /// Renews and changes coins after the result of the command was shown. Names promises that are due.
    pub(crate) async fn tidy(&mut self, what: Tidy) {
        self.change_coins(what).await;
        self.mention_overdue();
    }

    async fn change_coins(&mut self, what: Tidy) {
        let tidied = async {
            match what {
                Tidy::All => self.wallet.tidy().await,
                Tidy::Expiring => self.wallet.renew_expiring().await,
            }
        };
        let error = match tokio::time::timeout(TIDY_DURATION_MAX, tidied).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the issuer does not answer in time".to_owned(),
        };
        output::complain(&format!(
            "note: coins could not be changed now; some amounts may need that later: {error}"
        ));
    }

    pub(crate) fn show_amount(
        &self,
        chosen: &Balance,
        units: u64,
        done: &str,
        request: Option<u64>,
    ) -> Result<()> {
        let mut value = json!({ "amount": units, "currency": chosen.name, "id": chosen.currency });
        if let Some(request) = request {
            value["request"] = request.into();
        }
        self.output
            .show(value, [format!("{done} {}", unit(chosen).show(units))])
    }

    /// The chosen currency, and the amount in its smallest unit.
    pub(super) fn amount(&self, amount: &AmountText) -> Result<(Balance, u64)> {
        let chosen = self.wallet.balance_of(self.currency.as_deref())?;
        let units = unit(&chosen).read(amount)?;
        Ok((chosen, units))
    }

    /// The given token, or the session in the wallet's folder.
    pub(super) async fn bearer(&self, token: &TokenArgs) -> Result<Bearer> {
        let url = self.wallet.currency_url(self.currency.as_deref())?;
        if let Ok(url) = url.parse() {
            warn_if_exposed(&url, "read the account's token");
        }
        if let Some(token) = token.given()? {
            return Ok(Bearer::from(&token));
        }
        let session = match connection::session_for_wallet(&self.dir, &self.flag, url) {
            Ok(session) => session,
            Err(missing) => self.paired_session(Some(url)).await?.ok_or(missing)?,
        };
        Ok(Bearer::from(&session))
    }
}

/// Opens the wallet in this folder, which is not encrypted, or creates it. It uses HTTP.
pub(crate) fn open(dir: &Path, network: &Network) -> Result<Wallet> {
    open_with(dir, network, None)
}

/// Opens the wallet in this folder, or creates it. It uses HTTP.
pub(crate) fn open_with(dir: &Path, network: &Network, passphrase: Option<&Secret>) -> Result<Wallet> {
    open_over(dir, Arc::new(HttpTransport::new(network)?), passphrase)
}

/// Opens the wallet in this folder, or creates it. It uses this transport.
pub(crate) fn open_over(
    dir: &Path,
    transport: Arc<HttpTransport>,
    passphrase: Option<&Secret>,
) -> Result<Wallet> {
    Ok(Wallet::create(
        dir,
        passphrase,
        transport,
        Arc::new(|| SystemClock.now()),
        Box::new(OsRng),
    )?)
}

/// Opens the wallet in this folder to read it.
pub(crate) fn open_to_read(dir: &Path, secret: &WalletSecretArgs) -> Result<Wallet> {
    with_passphrase(secret, |passphrase| {
        let clock = Arc::new(|| SystemClock.now());
        Ok(Wallet::open_to_read(dir, passphrase, clock, Box::new(OsRng))?)
    })
}

/// Opens a wallet, with its passphrase if it is encrypted.
pub(crate) fn with_passphrase(
    secret: &WalletSecretArgs,
    open: impl Fn(Option<&Secret>) -> Result<Wallet>,
) -> Result<Wallet> {
    let opened = open(None);
    match opened.as_ref().err().and_then(|error| error.downcast_ref()) {
        Some(WalletError::Storage(StorageError::NeedsPassphrase)) => {
            let passphrase = secret.passphrase()?;
            open(Some(&Secret::new(passphrase.text().as_str())))
        }
        _ => opened,
    }
}

pub(super) fn unit(balance: &Balance) -> CurrencyUnit {
    CurrencyUnit {
        name: balance.name.clone(),
        divisor: balance.divisor,
    }
}

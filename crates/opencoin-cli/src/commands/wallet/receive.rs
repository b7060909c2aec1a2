//! `opencoin wallet receive`: verifying and renewing the coins of somebody else.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use opencoin_schema::CoinStack;
use opencoin_stack::ShortCode;
use opencoin_terminal::secret_args::CoinsSecretArgs;
use opencoin_text::printable;
use opencoin_wallet::{WalletError, faults_in_words};
use rand::{CryptoRng, RngCore};
use serde_json::{Value, json};

use super::delay::DelayArgs;
use super::quoted;
use super::session::{Session, Tidy, unit};
use crate::coin_stack;
use crate::failure;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file, or a folder of pictures; `-` reads stdin. Or the line of text or the link itself, which other users of
    /// this machine can see while the command runs; also an invitation to a live transfer.
    #[arg(value_name = "F.oc|LINK")]
    coins: PathBuf,
    #[command(flatten)]
    delay: DelayArgs,
    #[command(flatten)]
    passphrase: CoinsSecretArgs,
    /// Add the currency of the coins if the wallet does not know it, without asking. Whoever gave you the coins may have
    /// made that currency.
    #[arg(long)]
    trust: bool,
    /// Accept what is offered in a live transfer without asking.
    #[arg(long)]
    yes: bool,
}

impl Arguments {
    /// Waits as `--delay` says. Called before the wallet is opened.
    pub(super) async fn wait(&self, rng: &mut (impl RngCore + CryptoRng)) -> Result<()> {
        self.delay.wait(&self.coins, rng).await
    }
}

impl Session {
    /// Makes the coins of a short code.
    async fn stack_of_code(&mut self, code: &ShortCode, is_trusted: bool) -> Result<CoinStack> {
        match self.wallet.coins_of_code(code).await {
            Err(WalletError::UnknownCurrency { issuer, hint }) => {
                let is_meant = |id: &str| {
                    id.parse()
                        .is_ok_and(|id| ShortCode::issuer_bytes(&id) == code.issuer)
                };
                self.trust_currency_of_coins(&issuer, &is_meant, &format!("{hint}/cddc"), is_trusted)
                    .await?;
                Ok(self.wallet.coins_of_code(code).await?)
            }
            made => Ok(made?),
        }
    }

    pub(super) async fn receive(&mut self, arguments: &Arguments) -> Result<()> {
        let coins = coin_stack::read(&arguments.coins)?;
        if let Some(link) = coins.invitation() {
            return self.receive_live(link, arguments.yes, arguments.trust).await;
        }
        let (form, is_locked) = (coins.form, coins.is_locked());
        let promised = coins.code().and_then(ShortCode::amount);
        let stack = match coins.code() {
            Some(code) => self.stack_of_code(code, arguments.trust).await?,
            None => coins.open(|| arguments.passphrase.read())?,
        };
        let received = match self.wallet.receive(&stack).await {
            Err(WalletError::UnknownCurrency { issuer, hint }) => {
                self.trust_currency_of_coins(&issuer, &|id| id == issuer, &hint, arguments.trust)
                    .await?;
                self.wallet.receive(&stack).await?
            }
            received => received?,
        };
        let currency = self.wallet.balance_of(Some(&received.currency))?;
        let left_out = received.left_out.iter().map(|left_out| {
            json!({
                "coin": left_out.index,
                "denomination": left_out.denomination,
                "reason": left_out.fault.to_string(),
            })
        });
        self.output.show(
            json!({
                "amount": received.amount,
                "currency": currency.name,
                "form": form.name(),
                "id": received.currency,
                "left_out": left_out.collect::<Value>(),
                "locked": is_locked,
                "subject": stack.subject,
            }),
            [format!(
                "received {} from a {}{}{}",
                unit(&currency).show(received.amount),
                if is_locked { "locked " } else { "" },
                form.noun(),
                match stack.subject.as_str() {
                    "" => String::new(),
                    subject => format!(": {}", quoted(subject)),
                }
            )],
        )?;
        self.tidy(Tidy::All).await;
        if received.left_out.is_empty() {
            return match promised.filter(|promised| *promised > received.amount) {
                Some(promised) => Err(failure::refused(format!(
                    "the code is for {}, and the issuer has not signed the other coins: their mint keys were revoked",
                    unit(&currency).show(promised)
                ))),
                None => Ok(()),
            };
        }
        let reasons = faults_in_words(&received.left_out, stack.coins.len());
        let each = received.left_out.iter();
        Err(failure::left_out(
            format!("some coins could not be received: {}", printable(&reasons)),
            each.map(|left_out| printable(&left_out.to_string())).collect(),
        ))
    }
}

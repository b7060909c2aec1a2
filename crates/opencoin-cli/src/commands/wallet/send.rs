//! `opencoin wallet send`: taking coins out of the wallet.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use opencoin_keys::Passphrase;
use opencoin_pictures::VERSION_MAX;
use opencoin_terminal::output;
use opencoin_terminal::secret_args::CoinsSecretArgs;
use opencoin_text::AmountText;
use serde_json::json;

use super::counted;
use super::hand_over::{Target, form_for, frames};
use super::live::RelayArgs;
use super::session::{Session, Tidy, unit};
use crate::coin_stack::{Form, Parcel};
use crate::failure;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The amount, as the currency shows it: `12.50`, or `12` for 12.00.
    amount: AmountText,
    /// A message to the receiver.
    #[arg(long, default_value = "")]
    subject: String,
    /// How to hand the coins over. Default: what the name of the file says, else `file`.
    #[arg(long = "as", value_enum)]
    form: Option<Form>,
    /// The file to create. QR codes go into F.svg, F.gif, F.png or, with a slash at the end, a folder of PNG files.
    /// Default: stdout.
    #[arg(long, value_name = "F.oc")]
    out: Option<PathBuf>,
    /// Lock the coins with a passphrase, which the receiver must know. It is asked for twice.
    #[arg(long)]
    lock: bool,
    #[command(flatten)]
    passphrase: CoinsSecretArgs,
    /// Hand the coins over while both wallets are connected: shows an invitation for the receiver and waits. Nothing
    /// leaves the wallet before the receiver has accepted, and a receipt comes back. The same command continues after an
    /// interruption.
    #[arg(long, conflicts_with_all = ["form", "out", "lock"])]
    live: bool,
    #[command(flatten)]
    relay: RelayArgs,
}

impl Session {
    /// Takes coins out of the wallet. Returns the number of the send and of the coins.
    async fn take_out(
        &mut self,
        form: Form,
        currency: &str,
        units: u64,
        arguments: &Arguments,
        passphrase: Option<Passphrase>,
    ) -> Result<(u64, usize, Parcel)> {
        if form == Form::Code {
            let sent = self
                .wallet
                .send_code(Some(currency), units, &arguments.subject)
                .await?;
            let coins = sent.code.denominations().len();
            return Ok((sent.id, coins, Parcel::Code(sent.code.to_text())));
        }
        let sent = self
            .wallet
            .send(Some(currency), units, &arguments.subject)
            .await?;
        let coins = sent.stack.coins.len();
        Ok((sent.id, coins, Parcel::new(sent.stack, passphrase.as_ref())))
    }

    pub(super) async fn send(&mut self, arguments: &Arguments) -> Result<()> {
        if arguments.live {
            let (chosen, units) = self.amount(&arguments.amount)?;
            return self
                .send_live(units, &chosen, &arguments.subject, &arguments.relay)
                .await;
        }
        let out = arguments.out.as_deref();
        let form = form_for(arguments.form, out)?;
        if form == Form::Code && arguments.lock {
            return Err(failure::usage(
                "a code cannot be locked: send the coins as file, text or qr",
            ));
        }
        let (chosen, units) = self.amount(&arguments.amount)?;
        let passphrase = arguments
            .lock
            .then(|| arguments.passphrase.read_new())
            .transpose()?;
        // Created before coins are taken out, so that a wrong path costs nothing.
        let target = Target::create(form, out, self.output.json)?;
        let (id, coins, parcel) = self
            .take_out(form, &chosen.currency, units, arguments, passphrase)
            .await?;
        let take_back = || {
            format!(
                "the coins could not be handed over; take them back with `opencoin wallet reclaim {id}{}`",
                self.flag
            )
        };
        let mut value = json!({
            "amount": units,
            "coins": coins,
            "currency": chosen.name,
            "id": chosen.currency,
            "locked": arguments.lock,
            "send": id,
        });
        let sent = format!("sent {} in {}", unit(&chosen).show(units), counted(coins, "coin"));
        if form == Form::Qr && out.is_none() && self.output.json {
            let (frames, needed) = frames(&parcel, VERSION_MAX).with_context(take_back)?;
            value["codes"] = frames.into_iter().map(|frame| frame.text).collect();
            value["codes_needed"] = needed.into();
            self.output.show_once(value, [sent]).with_context(take_back)?;
        } else {
            let written = target.write(&parcel, out).await.with_context(take_back)?;
            if let Some(path) = &written.path {
                value["file"] = json!(path);
                let mut lines = vec![sent];
                if let Some((pictures, needed)) = written.pictures.filter(|(pictures, _)| *pictures > 1) {
                    value["codes_needed"] = needed.into();
                    lines.push(format!(
                        "  {pictures} QR codes in {}, of which a reader needs {needed} or a few more",
                        path.display()
                    ));
                }
                self.output.show(value, lines)?;
            } else if form == Form::Qr {
                output::complain(&format!(
                    "{sent}; if they did not arrive, take them back with `opencoin wallet reclaim {id}{}`",
                    self.flag
                ));
            }
        }
        self.tidy(Tidy::All).await;
        Ok(())
    }
}

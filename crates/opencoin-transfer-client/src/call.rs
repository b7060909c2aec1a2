//! What a machine asks of the wallet.

use opencoin_transfer::Party;
use opencoin_transfer::bundle;
use opencoin_transfer::machine::{Event, WalletAnswer, WalletCall};
use opencoin_transfer::message::Ready;
use opencoin_wallet::WalletError;
use serde_json::Value;

use crate::running::Running;
use crate::stored::StoredRecord;
use crate::wallet::{TransferWallet, answer_of};

/// A call to the wallet.
pub(crate) struct Call<'a, M> {
    pub(crate) id: &'a str,
    pub(crate) machine: &'a M,
    pub(crate) record: &'a StoredRecord,
    pub(crate) now_s: u64,
}

impl<M: Running> Call<'_, M> {
    pub(crate) async fn make(
        &self,
        call: WalletCall,
        wallet: &mut dyn TransferWallet,
    ) -> Result<WalletAnswer, WalletError> {
        match call {
            WalletCall::Resume => Ok(WalletAnswer::Resumed {
                any: wallet.resume().await?,
            }),
            WalletCall::Reserve => self.reserve(wallet).await,
            WalletCall::Check => {
                let stack = match M::PARTY {
                    Party::Sender => wallet.stack(self.id).await?,
                    Party::Receiver => match self.machine.held() {
                        Some(stack) => stack,
                        None => return Ok(WalletAnswer::Checked(false)),
                    },
                };
                Ok(WalletAnswer::Checked(wallet.check(&stack).await?))
            }
            WalletCall::Reclaim => {
                let record_of = |_: Value, reclaimed| {
                    let event = Event::Wallet(answer_of(reclaimed));
                    let step = self.machine.clone().step(event, self.now_s);
                    step.record().stored(self.record).value()
                };
                Ok(answer_of(wallet.reclaim(self.id, &record_of).await?))
            }
            WalletCall::Renew { may_begin } => match self.machine.held() {
                Some(stack) => wallet.renew(self.id, &stack, may_begin).await,
                None => Ok(WalletAnswer::NotBegun),
            },
        }
    }

    async fn reserve(&self, wallet: &mut dyn TransferWallet) -> Result<WalletAnswer, WalletError> {
        let Some((amount, subject)) = self.machine.reserves() else {
            return Ok(WalletAnswer::Failed);
        };
        let issuer_id = self.machine.participant().invitation.issuer_id.to_string();
        let record = self.machine.stored(self.record).value();
        let stack = wallet
            .reserve(self.id, &issuer_id, amount, subject, &record)
            .await?;
        if bundle::parts(&stack).is_err() || stack.coins.is_empty() {
            return Ok(WalletAnswer::Failed);
        }
        Ok(WalletAnswer::Reserved(Ready {
            digest: bundle::digest(&stack),
            coins: stack.coins.len() as u64,
        }))
    }
}

//! Requests that move money: mint, renew, recoup, redeem and resume.

use opencoin_keys::ledger_time;
use opencoin_ledger::log::logged;
use opencoin_ledger::{
    Accepted, Applied, Blind, CoinIn, Command, Effect, LedgerTime, MintKeyId, Transaction,
    TransactionReference,
};
use opencoin_log::promise::Promise;
use opencoin_logging::spans;
use opencoin_schema::{BigInt, RequestMint, RequestRecoup, RequestRedeem, RequestRenew, RequestResume};
use tracing::Instrument;

use super::key_accounts::{Authorization, Party};
use super::{Answered, Issuer};
use crate::accounts::given_up;
use crate::admission;
use crate::committer::{Committed, Unconfirmed};
use crate::log::IssuerLog;
use crate::recoup::{self, RevokedMintKey};
use crate::refusal::{Reason, Refusal, coins_expired, unavailable};
use crate::signing::{Signed, Wanted, sign_accepted, sign_again};

impl Issuer {
    /// Handles `RequestMint`: the account of the token or key pays for the blinds.
    ///
    /// # Errors
    /// When the request is refused.
    pub async fn mint(
        &self,
        authorization: &Authorization,
        request: RequestMint,
    ) -> Result<Answered<Signed>, Refusal> {
        let party = self.minting(authorization).await?;
        let transaction_reference = admission::transaction_reference(&request.transaction_reference)?;
        let blinds = self.admit_blinds(&request.blinds).await?;
        let at = ledger_time(self.clock.now());
        let reference = transaction_reference.clone();
        let account = party.account();
        // An account of a key never waits for money.
        let (payment, wait_until) = match party {
            Party::Holder(_) => (None, self.accounts.wait_until()),
            Party::Key(_, payment) => (Some(payment), None),
        };
        let mint = Command::Mint {
            account,
            transaction_reference,
            blinds,
            payment,
            wait_until,
            at,
        };
        let (applied, promise) = self.accept(mint, at, None).await?;
        match applied.effect {
            Effect::Waiting => Ok(Answered::without_promise(Signed::WhenPaid)),
            Effect::GivenUp => Err(given_up()),
            _ => {
                let answer = self.sign(&reference, request.blinds, applied).await?;
                Ok(Answered { answer, promise })
            }
        }
    }

    /// Handles `RequestRenew`: coins pay for the blinds.
    ///
    /// # Errors
    /// When the request is refused.
    pub async fn renew(&self, request: RequestRenew) -> Result<Answered<Signed>, Refusal> {
        let transaction_reference = admission::transaction_reference(&request.transaction_reference)?;
        let blinds = self.admit_blinds(&request.blinds).await?;
        let coins = self.admit_coins(request.coins).await?;
        let at = ledger_time(self.clock.now());
        let reference = transaction_reference.clone();
        let spent = coins.clone();
        let renew = Command::Renew {
            transaction_reference,
            coins,
            blinds,
            at,
        };
        let (applied, promise) = self.accept(renew, at, Some(&spent)).await?;
        let answer = self.sign(&reference, request.blinds, applied).await?;
        Ok(Answered { answer, promise })
    }

    /// Handles `RequestRecoup`: coins of revoked mint keys, with a proof of their origin, pay for the blinds.
    ///
    /// # Errors
    /// When the request is refused.
    pub async fn recoup(&self, request: RequestRecoup) -> Result<Answered<Signed>, Refusal> {
        let transaction_reference = admission::transaction_reference(&request.transaction_reference)?;
        let blinds = self.admit_blinds(&request.blinds).await?;
        let currency = self
            .currency_with_keys(request.coins.iter().map(|coin| &coin.payload.mint_key_id))
            .await;
        let revoked = recoup::revoked_blinds(&currency, self.books.ledger.as_ref(), &request.coins).await?;
        let at = ledger_time(self.clock.now());
        let reference = transaction_reference.clone();
        let recoup = Command::Recoup {
            transaction_reference,
            revoked,
            blinds,
            at,
        };
        let (applied, promise) = self.accept(recoup, at, None).await?;
        let answer = self.sign(&reference, request.blinds, applied).await?;
        Ok(Answered { answer, promise })
    }

    /// The mint keys whose coins are accepted by recoup only.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn revoked_mint_keys(&self) -> Result<Vec<RevokedMintKey>, Refusal> {
        Ok(recoup::revoked_mint_keys(
            self.books.ledger.mint_keys().await.map_err(unavailable)?,
        ))
    }

    /// Handles `RequestResume`: signs blinds that were accepted before.
    ///
    /// # Errors
    /// When nothing was accepted under this reference.
    pub async fn resume(&self, request: &RequestResume) -> Result<Answered<Signed>, Refusal> {
        let unknown = || {
            Refusal::new(
                Reason::NotFound,
                "nothing was accepted under this transaction_reference",
            )
        };
        let reference = admission::transaction_reference(&request.transaction_reference)?;
        let ledger = &self.books.ledger;
        let mut found = ledger.transaction(&reference).await.map_err(unavailable)?;
        if found.is_none() {
            if let Some(mint) = self.accounts.waiting_mint(&reference).await?
                && self.apply(mint).await?.effect == Effect::Waiting
            {
                return Ok(Answered::without_promise(Signed::WhenPaid));
            }
            // It was decided a moment ago, here or by another process.
            found = ledger.transaction(&reference).await.map_err(unavailable)?;
        }
        let found = found.ok_or_else(unknown)?;
        ledger.make_durable().await.map_err(unavailable)?;
        match found {
            Transaction::Accepted(accepted) => {
                let promise = self.promise_of_resumed(&accepted).await?;
                let answer = sign_again(self.signer.as_ref(), &reference, accepted, Wanted::Some).await?;
                Ok(Answered { answer, promise })
            }
            Transaction::Expired => Err(coins_expired()),
            Transaction::GivenUp => Err(given_up()),
        }
    }

    /// The promise for the blinds of a request that was accepted before. The coins that paid for them are not known any
    /// more.
    async fn promise_of_resumed(&self, accepted: &Accepted) -> Result<Option<Promise>, Refusal> {
        let (Some(log), Some(batch)) = (&self.log, accepted.log_batch) else {
            return Ok(None);
        };
        let (currency, numbers) = (self.documents.currency(), self.documents.numbers());
        let leaves = recoup::issued_leaves(&currency, &numbers, accepted)?;
        match logged(batch, &leaves) {
            Some(logged) => {
                let promises = log.promises().of_repeated(&[logged]).await;
                promises.map(|made| made.into_iter().next()).map_err(unavailable)
            }
            None => Ok(None),
        }
    }

    /// Handles `RequestRedeem`: credits coins to the account of the token or key.
    ///
    /// # Errors
    /// When the request is refused.
    pub async fn redeem(
        &self,
        authorization: &Authorization,
        request: RequestRedeem,
    ) -> Result<Answered<()>, Refusal> {
        let party = self.redeeming(authorization).await?;
        let coins = self.admit_coins(request.coins).await?;
        if let Party::Key(_, order) = &party {
            self.check_redeem(order, &coins)?;
        }
        let account = party.account();
        let at = ledger_time(self.clock.now());
        let spent = coins.clone();
        let (_, promise) = self
            .commit_coins(Command::Redeem { account, coins, at }, &spent)
            .await?;
        Ok(Answered { answer: (), promise })
    }

    async fn admit_blinds(&self, blinds: &[opencoin_schema::Blind]) -> Result<Vec<Blind>, Refusal> {
        let currency = self
            .currency_with_keys(blinds.iter().map(|blind| &blind.mint_key_id))
            .await;
        Ok(admission::blinds(&currency, blinds)?)
    }

    async fn admit_coins(&self, coins: Vec<opencoin_schema::Coin>) -> Result<Vec<CoinIn>, Refusal> {
        let currency = self
            .currency_with_keys(coins.iter().map(|coin| &coin.payload.mint_key_id))
            .await;
        Ok(admission::coins(&currency, coins).await?)
    }

    /// Commits a request, or what signs it again. `coins` are those that a renew spends.
    async fn accept(
        &self,
        request: Command,
        at: LedgerTime,
        coins: Option<&[CoinIn]>,
    ) -> Result<(Applied, Option<Promise>), Refusal> {
        let command = self.command_of(request, at).await?;
        let is_again = matches!(command, Command::SignAgain { .. });
        let (mut applied, promise) = match coins {
            Some(coins) => self.commit_coins(command, coins).await?,
            None => self.commit(command).await?,
        };
        // It is answered from the books, as every request that was accepted before.
        applied.repeated |= is_again;
        Ok((applied, promise))
    }

    /// The command for a request. If the books have lost it and the public log has all of it, its blinds are signed again.
    /// The ledger checks that nobody else gets them.
    async fn command_of(&self, request: Command, at: LedgerTime) -> Result<Command, Refusal> {
        let Some(log) = self.log.as_ref().filter(|log| log.has_recovered()) else {
            return Ok(request);
        };
        let (currency, numbers) = (self.documents.currency(), self.documents.numbers());
        let key = |id: MintKeyId| {
            let key = currency.mint_key(&BigInt::from_be_bytes(id.as_bytes()))?;
            Some((*numbers.get(&id)?, key.identity))
        };
        let found = log.find_request(&request, key).await.map_err(unavailable)?;
        Ok(match found {
            Some(found) => Command::SignAgain {
                request: Box::new(request),
                found: Box::new(found),
                at,
            },
            None => request,
        })
    }

    async fn apply(&self, command: Command) -> Result<Applied, Refusal> {
        Ok(self.committed(command).await?.outcome?)
    }

    pub(super) async fn commit(&self, command: Command) -> Result<(Applied, Option<Promise>), Refusal> {
        let Committed { outcome, promise } = self.committed(command).await?;
        Ok((outcome?, promise))
    }

    /// Commits a command that spends these coins. A refusal about a mint key names its coins, and one about a spent coin
    /// says where the log has it.
    async fn commit_coins(
        &self,
        command: Command,
        coins: &[CoinIn],
    ) -> Result<(Applied, Option<Promise>), Refusal> {
        let Committed { outcome, promise } = self.committed(command).await?;
        match outcome {
            Ok(applied) => Ok((applied, promise)),
            Err(refusal) => Err(self.about_coins(refusal, coins).await),
        }
    }

    async fn about_coins(&self, refusal: opencoin_ledger::Refusal, coins: &[CoinIn]) -> Refusal {
        if let opencoin_ledger::Refusal::DoubleSpend { indices } = &refusal {
            let first = indices.first().map(|index| coins[*index]);
            let log_index = match first {
                Some(coin) => self.log_index(coin).await,
                None => None,
            };
            return Refusal {
                log_index,
                ..refusal.into()
            };
        }
        let Some(refused) = refusal.mint_key_of_coins() else {
            return refusal.into();
        };
        let of_key = coins
            .iter()
            .enumerate()
            .filter(|(_, coin)| coin.mint_key == refused);
        let of_key = of_key.map(|(index, _)| index).collect();
        Refusal::from(refusal).about_coins(of_key)
    }

    /// Where the published log has a spent coin. A hint for the holder: without it the refusal is the same.
    async fn log_index(&self, coin: CoinIn) -> Option<u64> {
        let (log, no) = (self.log.as_ref()?, *self.documents.numbers().get(&coin.mint_key)?);
        log.index_of_spent(no, coin.spent_digest).await.ok().flatten()
    }

    async fn committed(&self, command: Command) -> Result<Committed, Refusal> {
        let is_stuck = self.log.as_ref().is_some_and(IssuerLog::is_stuck);
        if self.is_set_back() || is_stuck {
            return Err(Refusal::unavailable());
        }
        let committed = self.committer.commit(command).instrument(spans::ledger()).await;
        committed.map_err(|Unconfirmed| Refusal::unavailable())
    }

    /// Signs accepted blinds unless the operator has paused signing. A repeated request is answered from the books,
    /// which may hold signatures already, and whose keys may have been stopped since.
    async fn sign(
        &self,
        reference: &TransactionReference,
        accepted: Vec<opencoin_schema::Blind>,
        applied: Applied,
    ) -> Result<Signed, Refusal> {
        if applied.repeated {
            let found = self
                .books
                .ledger
                .transaction(reference)
                .await
                .map_err(unavailable)?;
            return match found.ok_or_else(Refusal::unavailable)? {
                Transaction::Accepted(accepted) => {
                    sign_again(self.signer.as_ref(), reference, accepted, Wanted::All).await
                }
                Transaction::Expired => Err(coins_expired()),
                Transaction::GivenUp => Err(given_up()),
            };
        }
        Ok(if signing_paused(applied.effect) {
            Signed::Later
        } else {
            sign_accepted(self.signer.as_ref(), reference, accepted).await
        })
    }
}

fn signing_paused(effect: Effect) -> bool {
    match effect {
        Effect::Accepted { signing_paused, .. } => signing_paused,
        other => unreachable!("a mint, renew or recoup is accepted or refused, not {other:?}"),
    }
}

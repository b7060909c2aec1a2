//! The leaves of requests in the public log.

use opencoin_log::hash::leaf_hash;
use opencoin_log::key_account::{Credit, CreditSource};
use opencoin_log::leaf::{Leaf, blind_recouped_leaf, coin_recouped_leaf, issued_leaf, spent_leaf};
use opencoin_log::promise::request_root;

use crate::log::{CoinLeaf, LeafStart, LogBatchNo, Logged, logged};
use crate::view::MintKeyState;
use crate::{AccountId, Amount, Blind, CoinIn, Command, MintKeyId, RevokedBlind, View};

/// Adds the leaves of an accepted mint, renew or redeem to the log, if there is one.
pub(super) fn log_request(view: &mut View, blinds: &[Blind], coins: &[CoinIn]) -> Option<Logged> {
    let batch = view.open_log()?.batch;
    let leaves = [issued_leaves(view, blinds), spent_leaves(view, coins)].concat();
    Some(log_leaves(view, batch, &leaves))
}

/// Adds the leaves of an accepted recoup to the log, if there is one. Those of its revoked blinds and of their coins are
/// not part of what is promised: the holder has shown both to the issuer, and no leaf connects them.
pub(super) fn log_recoup(view: &mut View, blinds: &[Blind], revoked: &[RevokedBlind]) -> Option<Logged> {
    let batch = view.open_log()?.batch;
    let mut recouped = Vec::with_capacity(2 * revoked.len());
    for revoked in revoked {
        let no = key(view, revoked.mint_key).no;
        recouped.push(coin_recouped_leaf(no.key_no(), &revoked.spent_digest));
        recouped.push(blind_recouped_leaf(no.key_no(), &revoked.issued_digest));
    }
    view.add_coin_leaves(recouped.as_flattened());
    let issued = issued_leaves(view, blinds);
    Some(log_leaves(view, batch, &issued))
}

/// Adds the leaf of an introduction or payment of a key to the log, which is open.
pub(super) fn log_statement(view: &mut View, leaf: &Leaf) -> Logged {
    let open = view.open_log().expect("only books with a log have key accounts");
    let (bytes, logged) = statement(leaf, open.batch);
    view.add_statement(&bytes);
    logged
}

/// The bytes of the leaf of an introduction or payment, and where the log has it that was open at `batch`.
fn statement(leaf: &Leaf, batch: LogBatchNo) -> (Vec<u8>, Logged) {
    let start = match leaf {
        Leaf::KeyIntroduced(introduction) => LeafStart::of_introduction(&introduction.key),
        Leaf::KeyPaid(payment) => LeafStart::of_payment(&payment.order.from, payment.order.seq),
        _ => unreachable!("only introductions and payments are promised"),
    };
    let bytes = leaf
        .encode()
        .expect("a statement is shorter than an entry may be");
    let root = request_root(&[leaf_hash(&bytes)]);
    let leaf = start;
    (bytes, Logged { batch, root, leaf })
}

fn log_leaves(view: &mut View, batch: LogBatchNo, leaves: &[CoinLeaf]) -> Logged {
    view.add_coin_leaves(leaves.as_flattened());
    logged(batch, leaves).expect("an accepted request has coins or blinds")
}

/// Where the leaves of a command are that was accepted before, when this batch was open.
pub(super) fn logged_before(view: &View, command: &Command, batch: LogBatchNo) -> Option<Logged> {
    let leaves = match command {
        Command::Mint { blinds, .. } | Command::Recoup { blinds, .. } => issued_leaves(view, blinds),
        Command::Renew { blinds, coins, .. } => {
            [issued_leaves(view, blinds), spent_leaves(view, coins)].concat()
        }
        Command::Redeem { coins, .. } => spent_leaves(view, coins),
        Command::IntroduceKey { introduction, .. } => {
            return Some(statement(&Leaf::KeyIntroduced(introduction.clone()), batch).1);
        }
        Command::PayByKey { payment, .. } => {
            let payment = Box::new(payment.payment.clone());
            return Some(statement(&Leaf::KeyPaid(payment), batch).1);
        }
        Command::SignAgain { request, .. } => return logged_before(view, request, batch),
        _ => return None,
    };
    logged(batch, &leaves)
}

pub(super) fn issued_leaves(view: &View, blinds: &[Blind]) -> Vec<CoinLeaf> {
    let mut last: Option<&MintKeyState> = None;
    let leaf = |blind: &Blind| {
        // The blinds of one key usually follow each other.
        let key = last
            .filter(|key| key.id == blind.mint_key)
            .unwrap_or_else(|| key(view, blind.mint_key));
        last = Some(key);
        issued_leaf(key.no.key_no(), &key.identity.issued_digest(&blind.blinded))
    };
    blinds.iter().map(leaf).collect()
}

fn spent_leaves(view: &View, coins: &[CoinIn]) -> Vec<CoinLeaf> {
    let mut last: Option<&MintKeyState> = None;
    let leaf = |coin: &CoinIn| {
        let key = last
            .filter(|key| key.id == coin.mint_key)
            .unwrap_or_else(|| key(view, coin.mint_key));
        last = Some(key);
        spent_leaf(key.no.key_no(), &coin.spent_digest)
    };
    coins.iter().map(leaf).collect()
}

fn key(view: &View, id: MintKeyId) -> &MintKeyState {
    view.mint_key(id).expect("the caller has read this mint key")
}

/// Adds the leaf of a credit, if the account belongs to a key. Its new balance was set before.
pub(super) fn log_credit(view: &mut View, account: AccountId, amount: Amount, from: CreditSource) {
    let Some(owner) = view.account(account).and_then(|account| account.key()) else {
        return;
    };
    let number = view.count_credit(account);
    let credit = Credit {
        amount: amount.units(),
        from,
        key: owner.key,
        number,
    };
    add_credit(view, &credit);
}

/// Adds the leaf of a credit whose number was counted.
pub(super) fn add_credit(view: &mut View, credit: &Credit) {
    let leaf = Leaf::KeyCredited(Box::new(credit.clone())).encode();
    view.add_statement(&leaf.expect("a statement is shorter than an entry may be"));
}

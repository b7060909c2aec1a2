//! `opencoin demo --nodes`: payments by key, auditors that replay the log, and a fraud that one file proves.

mod auditor;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use opencoin_auditor::{Candidate, News, content_id};
use opencoin_crypto::{CipherSuite, VerifiedCddc};
use opencoin_evidence::check_evidence;
use opencoin_issuer::{Cashier, OpenedBooks, SecondPersonLimit, StoreMode, open_books};
use opencoin_keys::{Clock, Cosigners, Currency, Directory, LogKeys, Passphrase, SystemClock};
use opencoin_ledger::{AccountName, Amount, OperatorName, Reference};
use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::hash::Hash;
use opencoin_log::key_account::AccountKey;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_wallet::{KeyPayee, KeyPaymentOrder, KeyPaymentState, Network, PaymentVerifier, Wallet};
use rand::RngCore;
use rand::rngs::OsRng;
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use self::auditor::{NewAuditor, RunningAuditor};
use super::issuer::start_issuer;
use super::public_log::RunningWitness;
use super::{DATABASE_DEFAULT, make_currency, show, step};
use crate::commands::wallet;

/// The file that proves the fraud, in the folder of the demo.
pub(super) const EVIDENCE_FILE: &str = "evidence.json";

const AUDITORS: usize = 2;
const PAID_IN: u64 = 500;
const PAID: u64 = 125;
/// How often something is looked at until it has happened.
const LOOKS_MAX: usize = 240;
const LOOK_PAUSE: Duration = Duration::from_millis(250);

pub(super) async fn play(folder: &Path, suite: CipherSuite) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .context("cannot listen on loopback")?;
    let url = format!("http://{}", listener.local_addr()?);
    let directory = Directory::new(folder.join("currency"));
    let passphrase = Passphrase::new(Zeroizing::new(OsRng.next_u64().to_string()))?;
    let witness = RunningWitness::create(&folder.join("witness"), OsRng.next_u64().to_string()).await?;
    let mut auditors = Vec::new();
    for number in 1..=AUDITORS {
        auditors.push(NewAuditor::make(&folder.join(format!("auditor-{number}")), number).await?);
    }
    let cosigners = Cosigners {
        auditors: auditors.iter().map(NewAuditor::described).collect(),
        joint_quorum: AUDITORS,
        ..witness.log()
    };
    let (currency, keys) = make_currency(&directory, &url, suite, &passphrase, cosigners)?;
    step(
        "operator",
        "names a witness and two auditors in the certified description of the currency",
    )?;
    let OpenedBooks { books, history } =
        open_books(DATABASE_DEFAULT, directory.root(), StoreMode::Create).await?;
    let history = history.position(None).await?.mark.history;
    let witness = witness.start(&currency).await?;
    let issuer = start_issuer(
        &directory,
        (&keys, &passphrase),
        (books.clone(), history),
        listener,
    )
    .await?;
    let auditors = start_auditors(auditors, &url).await?;

    let cashier = Cashier::new(
        books,
        Arc::new(SystemClock),
        Box::new(OsRng),
        SecondPersonLimit::OFF,
    );
    let (file, key) = pay_by_key(folder, &url, &cashier).await?;
    verify_offline(&file, &key, currency.current().clone())?;
    agree(&auditors, &currency).await?;
    commit_fraud(&directory, &passphrase, &currency, &auditors).await?;

    for auditor in auditors {
        auditor.stop().await?;
    }
    issuer.stop().await?;
    witness.stop().await
}

/// Starts the auditors. Each hears from the other one what it has seen.
async fn start_auditors(auditors: Vec<NewAuditor>, issuer: &str) -> Result<Vec<RunningAuditor>> {
    let urls: Vec<String> = auditors.iter().map(|auditor| auditor.url().to_owned()).collect();
    let mut running = Vec::new();
    for (number, auditor) in auditors.into_iter().enumerate() {
        let others = urls.iter().enumerate().filter(|(other, _)| *other != number);
        let peers = others.map(|(_, url)| url.clone()).collect();
        running.push(auditor.start(issuer, peers).await?);
    }
    step(
        "auditors",
        &format!(
            "follow the issuer and replay its log; while this runs, their pages are {}",
            urls.join(" and ")
        ),
    )?;
    Ok(running)
}

/// Alice pays Bob by key. Returns the file that proves it, and Bob's key.
async fn pay_by_key(folder: &Path, url: &str, cashier: &Cashier) -> Result<(String, AccountKey)> {
    let (mut alice, mut bob) = (open(folder, "alice", url).await?, open(folder, "bob", url).await?);
    let (from, to) = (introduce(&mut alice).await?, introduce(&mut bob).await?);
    step(
        "Alice",
        "and Bob make keys and introduce them with a proof of work: no names, no passwords",
    )?;
    let account: AccountName = from.to_string().parse()?;
    let reference = Reference::new("statement 1, line 1")?;
    let operator = OperatorName::command_line();
    let acting = cashier.acting(&operator);
    let paid_in = Amount::new(PAID_IN)?;
    acting.credit(&account, paid_in, reference).await?.done();
    let order = KeyPaymentOrder {
        to: KeyPayee::Key(to),
        amount: PAID,
        memo: "for the bicycle".to_owned(),
    };
    let paid = alice.pay_by_key(&from, &order).await?;
    step(
        "Alice",
        &format!(
            "pays in {} and pays {} to Bob's key with a signature",
            show(PAID_IN),
            show(PAID)
        ),
    )?;
    for _ in 0..LOOKS_MAX {
        if alice.look_at_payment(paid.number).await? == KeyPaymentState::Final {
            let proof = alice.payment_proof(paid.number)?;
            let proof = proof.context("a final payment has a proof")?;
            step(
                "auditors",
                "have replayed everything up to the payment, and sign the log jointly",
            )?;
            return Ok((proof, to));
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    bail!("the payment does not become final")
}

async fn open(folder: &Path, name: &str, url: &str) -> Result<Wallet> {
    let mut wallet = wallet::open(&folder.join(name), &Network::default())?;
    wallet.add(url).await?;
    Ok(wallet)
}

async fn introduce(wallet: &mut Wallet) -> Result<AccountKey> {
    let key = wallet.new_key(None)?.key;
    wallet.introduce_key(&key, &mut |_| {}).await?;
    Ok(key)
}

/// Bob has only the file and the description of the currency, and no connection.
fn verify_offline(file: &str, payee: &AccountKey, description: VerifiedCddc) -> Result<()> {
    let checked = PaymentVerifier::new([description]).check(file, SystemClock.now())?;
    let order = &checked.payment.order;
    ensure!(
        checked.is_final() && order.to.to_string() == payee.to_string() && order.amount == PAID,
        "the proof should be of Alice's payment to Bob"
    );
    step(
        "Bob",
        &format!(
            "verifies it offline from one file of {} bytes: {} by {}, final",
            file.len(),
            show(order.amount),
            checked.cosigned_by.join(", ")
        ),
    )
}

/// All auditors have the whole log, and no rule is broken.
async fn agree(auditors: &[RunningAuditor], currency: &Currency) -> Result<()> {
    for _ in 0..LOOKS_MAX {
        let mut sizes = Vec::new();
        for auditor in auditors {
            let summary = auditor.summary().await?;
            ensure!(summary.broken == 0, "an auditor says that a rule is broken");
            sizes.push(summary.cosigned.map(|cosigned| (cosigned.size, cosigned.root)));
        }
        if sizes.windows(2).all(|pair| pair[0] == pair[1])
            && let Some(Some((size, _))) = sizes.first()
        {
            let name = &currency.current().cdd().currency_name;
            return step(
                "auditors",
                &format!("agree: {size} entries of {name} replayed, every rule holds"),
            );
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    bail!("the auditors do not come to the same size")
}

/// The issuer signs a second history and shows it to the first auditor. The last one must get the file that proves it to
/// anybody.
async fn commit_fraud(
    directory: &Directory,
    passphrase: &Passphrase,
    currency: &Currency,
    auditors: &[RunningAuditor],
) -> Result<()> {
    let (Some(first), Some(last)) = (auditors.first(), auditors.last()) else {
        bail!("there are auditors");
    };
    let summary = first.summary().await?;
    let size = summary
        .cosigned
        .context("the first auditor has cosigned the log")?
        .size;
    let block = currency.log().context("the currency has a log")?;
    let keys = LogKeys::open(&directory.log_folder(), block.origin(), passphrase)?;
    let mut root = [0; 32];
    OsRng.fill_bytes(&mut root);
    let other = Checkpoint::new(block.origin().as_str(), size, Hash::new(root))?;
    let mut other = SignedCheckpoint::new(other)?;
    other.sign(&keys.log, 0)?;
    let mut news = first.auditor().news();
    let shown = Candidate {
        note: other,
        prefix: None,
    };
    ensure!(first.auditor().offer(shown), "the first auditor follows the log");
    step(
        "issuer",
        "signs a second history of the same size and shows it to the first auditor alone",
    )?;
    let found = async {
        loop {
            if let News::Evidence(file) = news.recv().await? {
                return Ok::<_, anyhow::Error>(file);
            }
        }
    };
    let file = tokio::time::timeout(LOOK_PAUSE * LOOKS_MAX as u32, found)
        .await
        .context("the first auditor does not find it")??;
    wait_for_file(last, &file).await?;
    step(
        "auditors",
        "hear of it from each other: the last one has the same evidence",
    )?;
    let proven = check_evidence(file.as_bytes())?;
    step(
        "anybody",
        &format!(
            "checks one file of {} bytes with `opencoin evidence` and nothing else: {}",
            file.len(),
            proven.statement
        ),
    )?;
    // Evidence stays in the folder for those who keep it.
    std::fs::write(directory.root().with_file_name(EVIDENCE_FILE), file)?;
    Ok(())
}

/// Waits until the auditor has this evidence.
async fn wait_for_file(auditor: &RunningAuditor, file: &str) -> Result<()> {
    let id = content_id(file);
    for _ in 0..LOOKS_MAX {
        if auditor.auditor().store().evidence_text(&id).await?.is_some() {
            return Ok(());
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    bail!("the last auditor does not hear of it")
}

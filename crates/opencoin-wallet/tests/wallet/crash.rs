//! A process can die at any moment. Each operation is played once while disk and issuer are watched; then the
//! world is put back to every moment of it (before and after each request, after each line of the journal and
//! within it), the wallet is opened again, and the money must add up to the last unit, in coins that the
//! issuer takes.

use opencoin_crypto::CipherSuite;
use opencoin_schema::CoinStack;
use opencoin_wallet::{ExchangeError, Wallet, WalletError};

use crate::fake_issuer::Books;
use crate::world::{Fault, TOKEN, World, balance, mint, token};

const FUNDS: u64 = 200;
const NAME: &str = "wallet";

/// What a crash leaves.
struct Wreck {
    moment: String,
    journal: Vec<u8>,
    books: Books,
}

/// Plays `act` on the wallet and lists every moment at which it could have died.
async fn wrecks(world: &World, act: impl AsyncFn(&mut Wallet) -> Result<(), WalletError>) -> Vec<Wreck> {
    let mut wallet = world.open(NAME);
    let start = world.journal(NAME).len();
    world.network.heal();
    act(&mut wallet).await.expect("nothing goes wrong the first time");
    drop(wallet);
    let steps = world.network.take_steps();
    assert!(
        !steps.is_empty(),
        "an operation that asks nobody is not worth this test"
    );
    let journal = world.journal(NAME);
    let last_books = world.issuer.books.lock().unwrap().clone();

    let mut wrecks = Vec::new();
    let mut written = start;
    for (number, books) in steps
        .iter()
        .map(|step| &step.books)
        .chain([&last_books])
        .enumerate()
    {
        let until = steps
            .get(number)
            .map_or(journal.len(), |step| step.journal_bytes as usize);
        for cut in cuts(&journal, written, until) {
            let moment = format!(
                "after {number} of {} requests, with {cut} bytes written",
                steps.len()
            );
            wrecks.push(Wreck {
                moment,
                journal: journal[..cut].to_vec(),
                books: books.clone(),
            });
        }
        written = until;
    }
    wrecks
}

/// Both ends, each end of a line, and a place within each line.
fn cuts(journal: &[u8], from: usize, to: usize) -> Vec<usize> {
    let mut cuts = vec![from];
    for line in journal[from..to].split_inclusive(|byte| *byte == b'\n') {
        let begin = *cuts.last().unwrap();
        cuts.extend([
            begin + 1,
            begin + line.len() / 2,
            begin + line.len() - 1,
            begin + line.len(),
        ]);
    }
    cuts
}

/// Puts every wreck back, opens the wallet, resumes, and lets `check` finish.
async fn survive(world: &World, wrecks: Vec<Wreck>, check: impl AsyncFn(&mut Wallet, &str)) {
    for (number, wreck) in wrecks.into_iter().enumerate() {
        let name = format!("wreck {number}");
        world.put_journal(&name, &wreck.journal);
        *world.issuer.books.lock().unwrap() = wreck.books;
        world.network.heal();
        let mut wallet = world.open(&name);
        let resumed = wallet.resume().await.unwrap();
        let is_well = matches!(
            resumed.warning,
            None | Some(WalletError::Exchange(ExchangeError::Recoup))
        );
        assert!(is_well, "{}: {:?}", wreck.moment, resumed.warning);
        let balance = balance(&wallet);
        assert_eq!(balance.pending, balance.awaits_recoup, "{}", wreck.moment);
        check(&mut wallet, &wreck.moment).await;
    }
}

/// Takes back what was sent and redeems everything: then the account has it all again.
async fn all_comes_back(world: &World, wallet: &mut Wallet, moment: &str) {
    wallet.reclaim(None).await.unwrap();
    let balance = balance(wallet);
    assert_eq!((balance.pending, balance.sent), (0, 0), "{moment}");
    if balance.balance > 0 {
        wallet.redeem(None, balance.balance, &token()).await.unwrap();
    }
    assert_eq!(world.issuer.account(TOKEN), FUNDS, "{moment}");
}

async fn die_at_every_moment(
    suite: CipherSuite,
    minted: u64,
    act: impl AsyncFn(&mut Wallet) -> Result<(), WalletError>,
) {
    let world = World::new(suite, FUNDS);
    drop(world.wallet_with(NAME, minted).await);
    let wrecks = wrecks(&world, act).await;
    survive(&world, wrecks, async |wallet, moment| {
        all_comes_back(&world, wallet, moment).await
    })
    .await;
}

#[tokio::test]
async fn mint_survives() {
    for suite in CipherSuite::ALL {
        die_at_every_moment(suite, 0, async |wallet| mint(wallet, 37).await).await;
    }
}

#[tokio::test]
async fn a_second_mint_survives() {
    die_at_every_moment(CipherSuite::default(), 37, async |wallet| mint(wallet, 8).await).await;
}

#[tokio::test]
async fn send_and_the_change_after_it_survive() {
    die_at_every_moment(CipherSuite::default(), 24, async |wallet| {
        wallet.send(None, 16, "rent").await?;
        wallet.tidy().await
    })
    .await;
}

#[tokio::test]
async fn redeem_and_the_change_after_it_survive() {
    die_at_every_moment(CipherSuite::default(), 24, async |wallet| {
        wallet.redeem(None, 16, &token()).await?;
        wallet.tidy().await
    })
    .await;
}

#[tokio::test]
async fn reclaim_survives() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut wallet = world.wallet_with(NAME, 40).await;
    wallet.send(None, 13, "to nobody").await.unwrap();
    wallet.send(None, 7, "to nobody either").await.unwrap();
    drop(wallet);
    let wrecks = wrecks(&world, async |wallet| wallet.reclaim(None).await.map(drop)).await;
    survive(&world, wrecks, async |wallet, moment| {
        all_comes_back(&world, wallet, moment).await
    })
    .await;
}

#[tokio::test]
async fn reclaiming_what_was_partly_taken_survives() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut wallet = world.wallet_with(NAME, 40).await;
    let stack = wallet.send(None, 18, "a gift").await.unwrap().stack;
    drop(wallet);
    let mut other = world.wallet_with("other", 0).await;
    let (taken, _) = stack.coins.split_at(1);
    let taken = other
        .receive(&CoinStack {
            coins: taken.to_vec(),
            subject: String::new(),
        })
        .await
        .unwrap()
        .amount;
    drop(other);

    let wrecks = wrecks(&world, async |wallet| wallet.reclaim(None).await.map(drop)).await;
    survive(&world, wrecks, async |wallet, moment| {
        wallet.reclaim(None).await.unwrap();
        let balance = balance(wallet);
        assert_eq!(
            (balance.balance, balance.pending, balance.sent),
            (40 - taken, 0, 0),
            "{moment}"
        );
        wallet.redeem(None, balance.balance, &token()).await.unwrap();
        assert_eq!(world.issuer.account(TOKEN), FUNDS - taken, "{moment}");
    })
    .await;
}

#[tokio::test]
async fn receive_survives() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut sender = world.wallet_with("sender", 50).await;
    let stack = sender.send(None, 33, "wages").await.unwrap().stack;
    drop(sender);
    drop(world.wallet_with(NAME, 9).await);

    let wrecks = wrecks(&world, async |wallet| wallet.receive(&stack).await.map(drop)).await;
    survive(&world, wrecks, async |wallet, moment| {
        match wallet.receive(&stack).await {
            Ok(received) => assert_eq!(received.amount, 33, "{moment}"),
            Err(WalletError::ReceivedBefore) => {}
            Err(error) => panic!("{moment}: {error}"),
        }
        assert_eq!(balance(wallet).balance, 9 + 33, "{moment}");
        wallet.redeem(None, 9 + 33, &token()).await.unwrap();
        assert_eq!(world.issuer.account(TOKEN), FUNDS - 50 + 33, "{moment}");
    })
    .await;
}

/// Own coins, coins that were sent, and blinds that were never signed: all of it comes back, once.
#[tokio::test]
async fn recoup_survives() {
    for suite in CipherSuite::ALL {
        let world = World::new(suite, FUNDS);
        let mut wallet = world.wallet_with(NAME, 24).await;
        wallet.send(None, 6, "to nobody").await.unwrap();
        world.network.fail_all(Fault::Delay);
        mint(&mut wallet, 13).await.unwrap_err();
        drop(wallet);
        world.network.heal();
        [1, 2, 10]
            .iter()
            .for_each(|denomination| world.issuer.revoke(*denomination, 0));
        world.network.set_day(115); // the next keys sign
        let act = async |wallet: &mut Wallet| {
            let resumed = wallet.resume().await?;
            assert!(matches!(
                resumed.warning,
                Some(WalletError::Exchange(ExchangeError::Recoup))
            ));
            wallet.recoup(None, true).await.map(drop)
        };
        let wrecks = wrecks(&world, act).await;
        survive(&world, wrecks, async |wallet, moment| {
            wallet.recoup(None, true).await.unwrap();
            all_comes_back(&world, wallet, moment).await;
        })
        .await;
    }
}

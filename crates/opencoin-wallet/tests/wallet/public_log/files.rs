//! What the wallet asks a log for, and what it makes of the answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use opencoin_wallet::{HttpTransport, LogError, LogReadError, Network, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{check, check_well, seal, set, world};
use crate::fake_log::Misdeed;
use crate::world::{URL, mint};

#[tokio::test]
async fn bad_files_are_noticed_and_cost_nothing() {
    for misdeed in [
        Misdeed::Redirect,
        Misdeed::Nonsense,
        Misdeed::Away,
        Misdeed::WrongTiles,
        Misdeed::WrongBundles,
    ] {
        let world = world();
        let mut wallet = world.wallet_with("wallet", 60).await;
        world.issuer.log().enter_others(1_000);
        seal(&world);
        set(&world, misdeed);
        let status = check(&mut wallet).await;
        let problem = status.problem.unwrap_or_else(|| panic!("{misdeed:?}"));
        assert!(problem.is_temporary(), "{misdeed:?}: {problem}");
        assert_eq!((status.open, status.kept, status.faults.len()), (1, 0, 0));
        set(&world, None);
        assert_eq!(check_well(&mut wallet).await.kept, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_does_not_answer_ends_in_time() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 0).await;
    *world.network.is_log_slow.lock().unwrap() = true;
    let begin = tokio::time::Instant::now();
    let error = mint(&mut wallet, 60).await.unwrap_err();
    assert!(error.to_string().contains("in time"), "{error}");
    assert!(check(&mut wallet).await.problem.unwrap().is_temporary());
    assert!(begin.elapsed().as_secs() < 60);
}

#[tokio::test]
async fn no_request_to_the_log_names_a_coin() {
    for (others, hints) in [(100, true), (20_000, true), (20_000, false)] {
        let world = world();
        let mut wallet = world.wallet_with("wallet", 60).await;
        world.issuer.log().enter_others(others);
        seal(&world);
        if !hints {
            set(&world, Misdeed::NoHints);
        }
        world.network.heal();
        assert_eq!(check_well(&mut wallet).await.kept, 1);
        let urls: Vec<String> = world
            .network
            .take_steps()
            .into_iter()
            .map(|step| step.url)
            .collect();
        let log = urls
            .iter()
            .filter_map(|url| url.strip_prefix(URL)?.split_once("/log/"));
        let mut bundles = 0;
        for (before, path) in log {
            let digits = |text: &str| {
                text.chars()
                    .all(|char| char.is_ascii_digit() || "x/.p".contains(char))
            };
            let is_known = match path.strip_prefix("tile/") {
                Some(tile) => before.is_empty() && digits(tile.trim_start_matches("entries/")),
                None => {
                    ["checkpoint", "keys"].contains(&path)
                        || path.strip_prefix("batches/").is_some_and(digits)
                }
            };
            assert!(is_known, "{path}");
            bundles += usize::from(path.starts_with("tile/entries/"));
        }
        // A small batch is read as a whole. In a large one, most bundles that are read have no leaf of the wallet.
        assert!(bundles >= if others > 10_000 { 10 } else { 1 }, "{bundles}");
    }
}

#[tokio::test]
async fn a_copy_is_as_good_as_the_log() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    seal(&world);
    world
        .network
        .connect("http://copy.test", Arc::clone(&world.issuer));
    world.network.heal();
    let status = wallet
        .check_log(None, Some("http://copy.test/log/"))
        .await
        .unwrap();
    assert_eq!((status.problem, status.kept), (None, 1));
    let steps = world.network.take_steps();
    let own = steps
        .iter()
        .filter(|step| step.url.contains("/log/tile") || step.url.ends_with("/checkpoint"));
    assert!(
        own.into_iter()
            .all(|step| step.url.starts_with("http://copy.test/log/"))
    );
}

/// A server that answers every request with these bytes, and then with zeros until the client hangs up.
async fn server(head: &'static str, is_endless: bool) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/log/checkpoint", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(head.as_bytes()).await;
            while is_endless && stream.write_all(&[0; 4096]).await.is_ok() {}
        }
    });
    (url, requests)
}

#[tokio::test]
async fn a_download_has_a_greatest_size_and_follows_no_redirect() {
    let transport = HttpTransport::new(&Network::default()).unwrap();
    let (url, _) = server("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", true).await;
    let error = transport.download(&url, 100_000).await.unwrap_err();
    assert!(error.reason.contains("more than 100000 bytes"), "{error}");
    let head = "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let (url, requests) = server(head, false).await;
    let answer = transport.download(&url, 100).await.unwrap();
    assert_eq!((answer.status, requests.load(Ordering::SeqCst)), (302, 1));
}

#[tokio::test]
async fn a_checkpoint_of_another_log_is_not_believed() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 0).await;
    let text = wallet
        .check_log(None, Some("http://nobody.test/log"))
        .await
        .unwrap();
    assert!(matches!(
        text.problem,
        Some(LogError::Read(LogReadError::Unreachable { .. }))
    ));
}

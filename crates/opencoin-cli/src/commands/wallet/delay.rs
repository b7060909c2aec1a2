//! A random wait before coins are renewed, so that the time of the renewal says less about the time of the payment.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use opencoin_terminal::output;
use rand::{CryptoRng, Rng, RngCore};

use crate::failure;

/// The longest wait, a day. Later the giver of a stack is likelier to take it back.
const MINUTES_MAX: u16 = 24 * 60;

#[derive(Debug, Args)]
pub(super) struct DelayArgs {
    /// Wait a random time of at most this many minutes before the renewal, so that the issuer cannot tell when you were
    /// paid. Until then the coins are not yours: their giver can still take them back. Do not hand over goods before.
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u16).range(1..=i64::from(MINUTES_MAX)))]
    delay: Option<u16>,
}

impl DelayArgs {
    /// Waits, if the user wants it. `coins` is where the coins are: stdin is refused, because an interrupted wait would
    /// lose them.
    ///
    /// Other commands can use the wallet meanwhile, because it is opened only afterwards.
    pub(super) async fn wait(&self, coins: &Path, rng: &mut (impl RngCore + CryptoRng)) -> Result<()> {
        let Some(minutes) = self.delay else {
            return Ok(());
        };
        if coins == Path::new("-") {
            return Err(failure::usage(
                "with --delay the coins must be in a file, so that nothing is lost if the wait ends early",
            ));
        }
        output::complain(&format!(
            "note: waiting for up to {minutes} minutes; until then the giver can take the coins back"
        ));
        tokio::time::sleep(random_wait(minutes, rng)).await;
        Ok(())
    }
}

/// A time between nothing and this many minutes, each millisecond equally likely.
fn random_wait(minutes: u16, rng: &mut (impl RngCore + CryptoRng)) -> Duration {
    let longest_ms = u64::from(minutes) * 60 * 1000;
    Duration::from_millis(rng.gen_range(0..=longest_ms))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn waits_are_spread_over_the_whole_time() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let minutes: Vec<u64> = (0..200)
            .map(|_| random_wait(10, &mut rng).as_secs() / 60)
            .collect();
        assert!((0..10).all(|minute| minutes.contains(&minute)), "{minutes:?}");
        assert!(minutes.iter().all(|minute| *minute <= 10));
    }

    #[tokio::test]
    async fn coins_on_stdin_do_not_wait() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let delayed = DelayArgs { delay: Some(1) };
        assert!(delayed.wait(Path::new("-"), &mut rng).await.is_err());
        let at_once = DelayArgs { delay: None };
        assert!(at_once.wait(Path::new("-"), &mut rng).await.is_ok());
    }
}

//! Whether RSA is calculated in lanes: eight operations at once with AVX-512 IFMA (`opencoin-lanes`).
//!
//! The choice is made once for the process: [`choose_lanes`], or the first operation. Lanes are used if the CPU has the
//! instructions and a self-test agrees with AWS-LC. Otherwise, AWS-LC does everything, as it does for single numbers.
//!
//! Lanes are never the only judge. A signature leaves them only if it fits the public exponent; if not, AWS-LC signs.
//! A coin that they find invalid is verified again by AWS-LC before it is refused. Both cases are faults of the machine
//! (or of this code) and are counted.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use opencoin_lanes::{Instructions, LANES, PublicOperation};
use sha2::{Digest, Sha512};

use crate::aws_lc::PublicHandle;
use crate::key_error::PUBLIC_EXPONENT;

/// A setting: which lanes to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LanesSetting {
    /// Use them if the CPU has them and the self-test passes.
    #[default]
    Auto,
    /// Leave everything to AWS-LC.
    Off,
}

/// Whether lanes are used, or why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LanesState {
    /// They are used.
    Used,
    /// They were switched off.
    Off,
    /// The CPU does not have the instructions.
    NotOnThisCpu,
    /// Their results differed from those of AWS-LC.
    SelfTestFailed,
}

impl LanesState {
    /// For logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Off => "off",
            Self::NotOnThisCpu => "not_on_this_cpu",
            Self::SelfTestFailed => "self_test_failed",
        }
    }
}

struct Choice {
    state: LanesState,
    instructions: Option<Instructions>,
}

static CHOICE: OnceLock<Choice> = OnceLock::new();

static FAULTS: AtomicU64 = AtomicU64::new(0);

/// The lengths of moduli for the self-test, in bits. Each one uses other code or another number of blocks.
const SELF_TEST_BITS: [usize; 8] = [683, 768, 1024, 1366, 1536, 2048, 3072, 4096];

/// Chooses whether this process uses lanes, and returns the result. Only the first call has an effect.
pub fn choose_lanes(setting: LanesSetting) -> LanesState {
    CHOICE.get_or_init(|| choice(setting)).state
}

/// Whether this process uses lanes.
#[must_use]
pub fn lanes_state() -> LanesState {
    choose_lanes(LanesSetting::Auto)
}

/// The number of results of lanes since the start of the process that were wrong, and were replaced by those of AWS-LC.
#[must_use]
pub fn lanes_faults() -> u64 {
    FAULTS.load(Ordering::Relaxed)
}

/// The instructions to use, if any.
pub(crate) fn instructions() -> Option<Instructions> {
    CHOICE.get_or_init(|| choice(LanesSetting::Auto)).instructions
}

/// Counts a wrong result of lanes, and logs the first and then every time that the number has doubled.
pub(crate) fn count_fault() {
    let faults = FAULTS.fetch_add(1, Ordering::Relaxed) + 1;
    if faults.is_power_of_two() {
        tracing::error!(
            faults,
            "RSA in lanes gave a wrong result, and AWS-LC computed it again: test this machine's CPU and memory, or set signer.lanes to off"
        );
    }
}

fn choice(setting: LanesSetting) -> Choice {
    let without = |state| Choice {
        state,
        instructions: None,
    };
    if setting == LanesSetting::Off {
        return without(LanesState::Off);
    }
    let Some(instructions) = Instructions::detect() else {
        return without(LanesState::NotOnThisCpu);
    };
    if !SELF_TEST_BITS
        .into_iter()
        .all(|bits| agrees_with_aws_lc(instructions, bits))
    {
        return without(LanesState::SelfTestFailed);
    }
    Choice {
        state: LanesState::Used,
        instructions: Some(instructions),
    }
}

/// Compares eight public operations modulo a number of this length. The private operation is compared when a private
/// key is loaded.
fn agrees_with_aws_lc(instructions: Instructions, bits: usize) -> bool {
    let bytes = bits.div_ceil(8);
    let mut modulus = expand(b"modulus", bits, bytes);
    modulus[0] = 1 << ((bits - 1) % 8) | modulus[0] & ((1 << ((bits - 1) % 8)) - 1);
    modulus[bytes - 1] |= 1;
    let (Some(lanes), Ok(aws_lc)) = (
        PublicOperation::new(instructions, &modulus, PUBLIC_EXPONENT),
        PublicHandle::new(&modulus, &PUBLIC_EXPONENT.to_be_bytes()),
    ) else {
        return false;
    };
    let inputs: [Vec<u8>; LANES] = std::array::from_fn(|lane| self_test_input(lane, bytes));
    let results = lanes.raise(&inputs.each_ref().map(Vec::as_slice));
    inputs.iter().zip(results).all(|(input, result)| {
        result.is_some_and(|result| aws_lc.public_operation(input).as_ref() == Ok(&result))
    })
}

/// A number that is below every modulus of this length, because its first byte is zero.
pub(crate) fn self_test_input(lane: usize, bytes: usize) -> Vec<u8> {
    let mut input = expand(b"input", lane, bytes);
    input[0] = 0;
    input
}

/// Bytes without structure, the same in every process.
fn expand(label: &[u8], number: usize, bytes: usize) -> Vec<u8> {
    let block = |counter: usize| {
        Sha512::new()
            .chain_update(label)
            .chain_update(number.to_be_bytes())
            .chain_update(counter.to_be_bytes())
            .finalize()
    };
    (0..).flat_map(block).take(bytes).collect()
}

//! An issuer's answer to a money request.

use opencoin_schema::BlindSignature;

use crate::client::ExchangeError;
use crate::network::HttpAnswer;

/// The outcome of a request, and the promise that came with it.
pub(super) struct Answer {
    pub(super) result: Result<Vec<BlindSignature>, ExchangeError>,
    /// The promise that the request will be in the public log, as it was sent.
    pub(super) promise: Option<String>,
    /// Where the log has the first coin that was refused as spent, as the issuer says.
    pub(super) log_index: Option<u64>,
    /// Whether it is the answer to a resume. The issuer does not know then which coins paid for the blinds, so its promise
    /// is for the blinds alone.
    pub(super) is_resume: bool,
}

impl Answer {
    /// Reads an answer that arrived.
    pub(super) fn read(
        answer: Result<HttpAnswer, ExchangeError>,
        read: impl FnOnce(&HttpAnswer) -> Result<Vec<BlindSignature>, ExchangeError>,
        is_resume: bool,
    ) -> Self {
        match answer {
            Ok(answer) => Self {
                result: read(&answer),
                promise: answer.log_promise,
                log_index: answer.log_index,
                is_resume,
            },
            Err(error) => Self {
                result: Err(error),
                promise: None,
                log_index: None,
                is_resume,
            },
        }
    }
}
